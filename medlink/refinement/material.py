"""What is trained on: wordings with the names of their concepts, what they are confused with, and names to replay."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor

from medlink.contrastive.exclusion import RelatedConcepts
from medlink.encoder.adapter import AdaptedEncoder
from medlink.linking.linker import Linker
from medlink.ontology.lexicon import Lexicon
from medlink.records import Scope
from medlink.refinement.lessons import Lesson
from medlink.refinement.settings import RefineSettings
from medlink.refinement.signals import Signal, alias_documents
from medlink.refinement.views import Texts
from medlink.training.corpus import build_corpus

_BLOCK = 512
# Replayed pairs are searched for what they are confused with, so there are no more than the steps can use.
_PAIRS_A_STEP = 40
# Names of each refuted concept that are looked at: those nearest to the wording.
_N_REFUTED = 3


@dataclass(frozen=True, slots=True)
class Example:
    """A text with what it is to be near to and far from, all by row of the lexicon's names.

    :param text: place in the texts of its kind: wordings, or names.
    :param code: of its concept.
    :param positives: names of the concept, other than those that only its own documents taught.
    :param negatives: names of other concepts, hardest first.
    :param refuted: names of concepts that annotators said it does not mean; the first of the negatives.
    :param spared: codes of concepts whose names are no negatives: its own, whatever else the text means, and their kin.
    :param own: the row of the text itself, -1 where it is none.
    """

    text: int
    code: int
    positives: tuple[int, ...]
    negatives: tuple[int, ...]
    refuted: frozenset[int]
    spared: frozenset[int]
    own: int


@dataclass(frozen=True)
class Material:
    """Everything that a training draws from.

    :param linker: the parent.
    :param wordings: the distinct queries of the lessons.
    :param lessons: an example for each signal that names a concept, by the order of the ledger; ``weights`` what each
        counts in the draw, ``new`` whether it is of this batch.
    :param replay: examples of names, to be kept in their places.
    :param related: concepts that are no negatives of each other.
    :param codes: the concepts of each name, by row.
    """

    linker: Linker
    wordings: Texts
    lessons: tuple[Example, ...]
    weights: NDArray[np.float64]
    new: NDArray[np.bool_]
    replay: tuple[Example, ...]
    related: RelatedConcepts | None
    codes: tuple[frozenset[int], ...]

    def names(self, rows: Sequence[int]) -> Texts:
        """Names by row, with the parent's vectors."""
        vectors = self.linker.index.dense.vectors.take(np.asarray(rows, np.int64)).astype(np.float32)
        texts = [self.linker.lexicon.names[row] for row in rows]
        return Texts.of(texts, vectors, device=str(self.wordings.vectors.device))

    def draw_lessons(self, n: int, new_share: float, random: Generator) -> list[Example]:
        """Some lessons, those of this batch among them by their share."""
        n_new = round(n * new_share) if self.new.any() else 0
        n_new = n if not (~self.new).any() else n_new
        chosen = [*self._draw(self.new, n_new, random), *self._draw(~self.new, n - n_new, random)]
        return [self.lessons[place] for place in chosen]

    def draw_replay(self, n: int, random: Generator) -> list[Example]:
        """Some names to replay."""
        return [self.replay[place] for place in random.choice(len(self.replay), n)] if self.replay else []

    def _draw(self, among: NDArray[np.bool_], n: int, random: Generator) -> list[int]:
        places = np.flatnonzero(among)
        if not n or not len(places):
            return []
        weights = self.weights[places]
        return [int(place) for place in random.choice(places, n, p=weights / weights.sum())]


@dataclass(frozen=True)
class Ground:
    """What an ontology and the lessons say of names and concepts, in numbers.

    :param lexicon: with the aliases.
    :param ontology: without them.
    :param taught: by query and concept the documents in which the one means the other.
    :param spare_lineage: whether ancestors and descendants are kin.
    """

    lexicon: Lexicon
    ontology: Lexicon
    taught: Mapping[tuple[str, str], frozenset[str]]
    spare_lineage: bool

    @classmethod
    def of(cls, linker: Linker, lessons: Collection[Lesson], *, spare_lineage: bool) -> Ground:
        """The ground that a linker stands on."""
        return cls(linker.lexicon, linker.ontology or linker.lexicon, alias_documents(lessons), spare_lineage)

    @cached_property
    def code_of(self) -> dict[str, int]:
        """A number for each concept, in the order of their ids."""
        return {concept_id: code for code, concept_id in enumerate(self.ontology.concepts)}

    @cached_property
    def codes(self) -> tuple[frozenset[int], ...]:
        """The concepts of each name, by row."""
        return tuple(
            frozenset(self.code_of[posting.concept_id] for posting in self.lexicon.postings(row))
            for row in range(len(self.lexicon.names))
        )

    @cached_property
    def rows_of(self) -> dict[int, list[int]]:
        """The names of each concept."""
        rows: dict[int, list[int]] = {}
        for row, codes in enumerate(self.codes):
            for code in codes:
                rows.setdefault(code, []).append(row)
        return rows

    @cached_property
    def kin(self) -> Mapping[int, frozenset[int]]:
        """The concepts that may be the same as a concept: that share a name or a reference, and its lineage."""
        found: dict[int, set[int]] = {}
        for one, other in self._pairs.tolist():
            found.setdefault(one, set()).add(other)
            found.setdefault(other, set()).add(one)
        return {code: frozenset(others) for code, others in found.items()}

    @cached_property
    def related(self) -> RelatedConcepts | None:
        """The same for losses."""
        return RelatedConcepts(self._pairs) if len(self._pairs) else None

    @cached_property
    def _pairs(self) -> Tensor:
        scopes = frozenset(scope.value for scope in Scope)
        return build_corpus([self.ontology], scopes=scopes, dev_share=0.0, spare_lineage=self.spare_lineage).kin

    def close(self, code: int) -> frozenset[int]:
        """A concept and its kin."""
        return self.kin.get(code, frozenset()) | {code}

    def known_from(self, row: int, code: int, documents: frozenset[str]) -> bool:
        """Whether only these documents taught that a name is the concept's."""
        taught = self._taught.get((row, code))
        return taught is not None and taught <= documents

    def only_taught_by(self, row: int, documents: frozenset[str]) -> bool:
        """Whether a name is known from these documents alone."""
        return all(self.known_from(row, code, documents) for code in self.codes[row])

    @cached_property
    def _taught(self) -> Mapping[tuple[int, int], frozenset[str]]:
        """By name and concept the documents without which the name would not be the concept's."""
        found: dict[tuple[int, int], frozenset[str]] = {}
        for (query, concept_id), documents in self.taught.items():
            row, code = self.lexicon.row_of(query), self.code_of.get(concept_id)
            if (
                row is not None
                and code is not None
                and all(p.concept_id != concept_id for p in self.ontology.lookup(query))
            ):
                found[row, code] = documents
        return found

    @cached_property
    def ids(self) -> tuple[str, ...]:
        """The concept of each number."""
        return tuple(self.ontology.concepts)


def gather_material(
    linker: Linker,
    ground: Ground,
    signals: Sequence[Signal],
    settings: RefineSettings,
    *,
    since: int,
    device: str = "cpu",
) -> Material:
    """The material of some signals; those that name no concept of the ontology give nothing.

    :param linker: the parent.
    :param since: signals with a higher place in the ledger are of this batch.
    :param device: where the vectors are to be.
    """
    random = np.random.default_rng(settings.seed)
    taught = [signal for signal in signals if signal.concept_id in ground.code_of]
    n_new = sum(signal.seq > since for signal in taught)
    n_steps = settings.count_steps(n_new, len(taught) - n_new)
    studied = _choose(taught, since, n_steps * settings.n_lessons, random)
    texts = tuple(dict.fromkeys(signal.query for signal in taught))
    vectors = linker.encoder.encode(texts)
    wordings = _search(linker, ground, taught, studied, vectors, settings.depth)
    lessons, weights, new = [], [], []
    for signal in studied:
        example = _lesson(signal, wordings[signal.query], linker, ground, settings)
        if example is not None:
            lessons.append(example)
            weights.append(signal.n**0.5 * signal.trust)
            new.append(signal.seq > since)
    confused = [code for example in lessons for row in example.negatives[:3] for code in ground.codes[row]]
    replay = _replay(linker, ground, confused, min(settings.n_pool, _PAIRS_A_STEP * n_steps), settings, random)
    return Material(
        linker,
        Texts.of(texts, vectors, device=device),
        tuple(lessons),
        np.array(weights),
        np.array(new, np.bool_),
        replay,
        ground.related,
        ground.codes,
    )


def _choose(signals: Sequence[Signal], since: int, n_draws: int, random: Generator) -> list[Signal]:
    """The signals to study: all of this batch, and of the earlier ones no more than may be drawn, in their order."""
    old = [place for place, signal in enumerate(signals) if signal.seq <= since]
    if len(old) > n_draws:
        weights = np.array([signals[place].n ** 0.5 * signals[place].trust for place in old])
        old = random.choice(old, n_draws, replace=False, p=weights / weights.sum()).tolist()
    kept = set(old)
    return [signal for place, signal in enumerate(signals) if signal.seq > since or place in kept]


@dataclass(frozen=True, slots=True, eq=False)
class _Wording:
    """A wording as the parent sees it.

    :param place: in the texts.
    :param vector: as a query. *Shape:* (width,).
    :param near: rows of the names nearest to it, nearest first, -1 behind the last. *Shape:* (k,).
    :param own: the row of the name that it is, -1 where it is none.
    :param spared: codes of all that it means, and of their kin.
    """

    place: int
    vector: NDArray[np.float32]
    near: NDArray[np.int64]
    own: int
    spared: frozenset[int]


def _search(
    linker: Linker,
    ground: Ground,
    signals: Sequence[Signal],
    studied: Sequence[Signal],
    vectors: NDArray[np.float32],
    depth: int,
) -> dict[str, _Wording]:
    """The wordings of the signals to study.

    :param signals: all, as they tell what else a wording means.
    :param vectors: of their distinct queries in their order, before any adapter. *Shape:* (n_texts, width).
    """
    meant: dict[str, set[int]] = {}
    for signal in signals:
        meant.setdefault(signal.query, set()).add(ground.code_of[str(signal.concept_id)])
    place_of = {query: place for place, query in enumerate(meant)}
    queries = list(dict.fromkeys(signal.query for signal in studied))
    asked = vectors[[place_of[query] for query in queries]]
    if isinstance(query_encoder := linker.query_encoder, AdaptedEncoder):
        asked = query_encoder.adapt(asked)
    found = {}
    for query, vector, near in zip(queries, asked, _neighbours(linker, asked, depth), strict=True):
        own = linker.lexicon.row_of(query)
        spared = frozenset().union(*map(ground.close, meant[query]))
        found[query] = _Wording(place_of[query], vector, near, -1 if own is None else own, spared)
    return found


def _lesson(
    signal: Signal, wording: _Wording, linker: Linker, ground: Ground, settings: RefineSettings
) -> Example | None:
    """The example of a signal; ``None`` where its concept has no other name than those that its documents taught."""
    code = ground.code_of[str(signal.concept_id)]
    known = [row for row in ground.rows_of.get(code, ()) if not ground.known_from(row, code, signal.documents)]
    positives = [row for row in known if row != wording.own] or known
    if not positives:
        return None

    def can_repel(row: int) -> bool:
        return row >= 0 and row != wording.own and not ground.codes[row] & wording.spared

    refuted: list[int] = []
    for key in signal.refuted if settings.human_weight else ():
        rows = list(filter(can_repel, ground.rows_of.get(ground.code_of.get(key, -1), ())))
        refuted += _nearest(linker, wording.vector, rows)[:_N_REFUTED]
    mined = list(filter(can_repel, wording.near.tolist()))[: settings.depth]
    negatives = tuple(dict.fromkeys([*refuted, *mined]))
    return Example(wording.place, code, tuple(positives), negatives, frozenset(refuted), wording.spared, wording.own)


def _nearest(linker: Linker, vector: NDArray[np.float32], rows: Sequence[int]) -> list[int]:
    """Some names by their cosine with a vector, nearest first."""
    scores = linker.index.dense.score(vector, np.array(rows, np.int64))
    return [rows[place] for place in np.argsort(-scores, kind="stable").tolist()]


def _replay(
    linker: Linker,
    ground: Ground,
    confused: Sequence[int],
    n_pairs: int,
    settings: RefineSettings,
    random: Generator,
) -> tuple[Example, ...]:
    """Pairs of synonyms: of concepts that lessons are confused with, and of others all over the ontology."""
    named = np.array([code for code, rows in ground.rows_of.items() if len(rows) > 1])
    if not len(named) or not n_pairs:
        return ()
    near = np.array(sorted(set(confused) & set(named.tolist())), np.int64)
    n_near = round(n_pairs * settings.confusable_share) if len(near) else 0
    codes = [*random.choice(near, n_near), *random.choice(named, n_pairs - n_near)]
    firsts = [int(random.choice(ground.rows_of[int(code)])) for code in codes]
    vectors = linker.index.dense.vectors.take(np.array(firsts)).astype(np.float32)
    examples = []
    for code, row, found in zip(codes, firsts, _neighbours(linker, vectors, settings.depth), strict=True):
        spared = frozenset().union(*(ground.close(one) for one in ground.codes[row]))
        negatives = tuple(r for r in found.tolist() if r >= 0 and not ground.codes[r] & spared)[: settings.depth]
        positives = tuple(r for r in ground.rows_of[int(code)] if r != row)
        examples.append(Example(row, int(code), positives, negatives, frozenset(), spared, row))
    return tuple(examples)


def _neighbours(linker: Linker, vectors: NDArray[np.float32], depth: int) -> NDArray[np.int64]:
    """The rows nearest to some vectors, more than ``depth`` as some are the concept's own. *Shape:* (n_vectors, k)."""
    k = min(3 * depth, len(linker.lexicon.names))
    blocks = [vectors[start : start + _BLOCK] for start in range(0, len(vectors), _BLOCK)]
    found = [linker.index.dense.search(block, k).rows for block in blocks]
    return np.concatenate(found) if found else np.empty((0, k), np.int64)

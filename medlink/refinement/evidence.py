"""What speaks for and against a lesson, given what a linker knows: nearness, the ontology's names, other lessons."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from medlink.linking.linker import DEPTH, Linker
from medlink.linking.ranker import LONGEST_ACRONYM
from medlink.ontology.lexicon import Lexicon
from medlink.refinement.lessons import Lesson
from medlink.text import normalise

# Concepts that stand for all of an ontology where a label's nearness is ranked: a share of 0.05 is known to 0.014 then.
_N_SAMPLED = 250
_BLOCK = 256


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of one lesson's label.

    :param rank: of the concept among the linker's candidates, from 1; 0 where it is not among :data:`DEPTH`.
    :param probability: that the linker gives the label; for NIL what the candidates leave of 1.
    :param remoteness: share of the ontology's concepts that are nearer to the wording than the label, in [0, 1]; of a
        concept drawn by chance it is evenly spread. 0 where there is no concept.
    :param named_otherwise: whether the wording is a name of other concepts alone, and no acronym.
    :param n_agreeing: other lessons of the same wording, from other documents and annotators, with the same label.
    :param n_differing: those with another one.
    """

    rank: int
    probability: float
    remoteness: float
    named_otherwise: bool
    n_agreeing: int
    n_differing: int


def gather_evidence(linker: Linker, lessons: Sequence[Lesson], *, show_progress: bool = False) -> tuple[Evidence, ...]:
    """The evidence of each lesson; each distinct wording is looked up once.

    :param linker: that has not been trained on these lessons.
    """
    others = _Others(lessons)
    yardstick = _Yardstick(linker)
    found: dict[int, Evidence] = {}
    order = sorted(range(len(lessons)), key=lambda place: lessons[place].query)
    with tqdm(total=len(lessons), desc="plausibility", unit="lesson", disable=not show_progress) as progress:
        for start in range(0, len(order), _BLOCK):
            places = order[start : start + _BLOCK]
            for place, near in zip(places, _near(linker, yardstick, [lessons[i] for i in places]), strict=True):
                lesson = lessons[place]
                named = _named_otherwise(lesson, linker.lexicon)
                found[place] = Evidence(*near, named, *others.count(lesson))
            progress.update(len(places))
    return tuple(found[place] for place in range(len(lessons)))


def _near(linker: Linker, yardstick: _Yardstick, lessons: Sequence[Lesson]) -> Iterator[tuple[int, float, float]]:
    """Rank, probability and remoteness of each lesson's label."""
    queries = sorted({lesson.query for lesson in lessons})
    candidates = dict(zip(queries, linker.rank(queries, k=DEPTH), strict=True))
    vectors = dict(zip(queries, linker.encoder.encode(queries), strict=True))
    others = {query: yardstick.best_cosines(vector) for query, vector in vectors.items()}
    for lesson in lessons:
        ranked = candidates[lesson.query]
        if lesson.concept_id is None:
            yield 0, max(0.0, 1.0 - sum(candidate.score for candidate in ranked)), 0.0
            continue
        ids = [candidate.concept_id for candidate in ranked]
        rank = ids.index(lesson.concept_id) + 1 if lesson.concept_id in ids else 0
        probability = ranked[rank - 1].score if rank else 0.0
        own = yardstick.best_cosine(vectors[lesson.query], lesson.concept_id)
        yield rank, probability, float((others[lesson.query] > own).mean())


class _Yardstick:
    """Some concepts, spread over the ontology by hash, by the rows of their names."""

    def __init__(self, linker: Linker) -> None:
        self._lexicon = linker.lexicon
        self._score = linker.index.dense.score
        vectors = linker.index.dense.vectors
        concepts = linker.lexicon.concepts
        sampled = sorted(concepts, key=lambda key: hashlib.sha256(key.encode()).digest())[:_N_SAMPLED]
        rows = [own for key in sampled if len(own := rows_of(key, linker.lexicon))]
        self._vectors = vectors.take(np.concatenate(rows) if rows else np.zeros(0, np.int64)).astype(np.float32)
        self._starts = np.cumsum([0, *(len(own) for own in rows[:-1])])

    def best_cosines(self, vector: NDArray[np.float32]) -> NDArray[np.float32]:
        """The best cosine of each of the concepts with a vector. *Shape:* (n_sampled,)."""
        if not len(self._vectors):
            return np.zeros(1, np.float32)
        return np.asarray(np.maximum.reduceat(self._vectors @ vector, self._starts))

    def best_cosine(self, vector: NDArray[np.float32], concept_id: str) -> float:
        """The best cosine of a concept with a vector; -1 for one that is not in the lexicon."""
        own = rows_of(concept_id, self._lexicon)
        return float(self._score(vector, own).max()) if len(own) else -1.0


def rows_of(concept_id: str, lexicon: Lexicon) -> NDArray[np.int64]:
    """The rows of a concept's names; none where it is no current concept's id."""
    concept = lexicon.concepts.get(concept_id)
    names = (normalise(name.text) for name in concept.names) if concept else ()
    return np.array(sorted({row for name in names if (row := lexicon.row_of(name)) is not None}), np.int64)


def _named_otherwise(lesson: Lesson, lexicon: Lexicon) -> bool:
    if len(lesson.query) <= LONGEST_ACRONYM or not lesson.is_mention:
        return False
    bearers = {posting.concept_id for posting in lexicon.lookup(lesson.query)}
    return bool(bearers) and lesson.concept_id not in bearers


class _Others:
    """What lessons say of each wording."""

    def __init__(self, lessons: Iterable[Lesson]) -> None:
        self._by_query: dict[str, list[Lesson]] = defaultdict(list)
        for lesson in lessons:
            self._by_query[lesson.query].append(lesson)

    def count(self, lesson: Lesson) -> tuple[int, int]:
        """The other lessons of its wording that agree with it, and that do not.

        Near-copies say nothing: those of the same document, nor do those of the same annotator, who is as likely to
        err again.
        """
        others = [one for one in self._by_query[lesson.query] if _is_independent(one, lesson)]
        n_agreeing = sum(_label(one) == _label(lesson) for one in others)
        return n_agreeing, len(others) - n_agreeing


def _is_independent(one: Lesson, other: Lesson) -> bool:
    if one.place[0] == other.place[0]:
        return False
    return not one.annotators or set(one.annotators) != set(other.annotators)


def _label(lesson: Lesson) -> tuple[bool, str | None]:
    return lesson.is_mention, lesson.concept_id

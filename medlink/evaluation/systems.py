"""The systems that are judged: exact match, TF-IDF, an encoder's nearest neighbours, and the linker."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from medlink.encoder.protocol import Encoder
from medlink.errors import SettingError
from medlink.index.dense import DenseIndex
from medlink.index.neighbours import Neighbours
from medlink.index.ngrams import NgramIndex
from medlink.linking.linker import Linker
from medlink.ontology.lexicon import Lexicon
from medlink.records import Candidate

# Rankings are read this deep; a right answer further down counts as none.
DEPTH = 20

EXACT, TF_IDF, MEDLINK, MEDLINK_DOCUMENT = "exact", "tf-idf", "medlink", "medlink + document"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a system answers with.

    :param name: a normalised name of the lexicon.
    :param score: the system's own, higher is better; those of two systems do not compare.
    """

    name: str
    score: float


# The answers to each of some mentions, best first.
Ranking = Callable[[Sequence[str]], list[list[Answer]]]


@dataclass(frozen=True, slots=True)
class System:
    """A way to rank names, by the name that tables give it.

    :param rank: what it answers; takes normalised mentions, each distinct one once, or if it ranks by document all
        mentions of one document in the file's order, as the file writes them.
    :param by_document: whether it is given the mentions of a document together.
    """

    name: str
    rank: Ranking
    by_document: bool = False


def make_systems(linker: Linker, baselines: Mapping[str, Linker]) -> tuple[System, ...]:
    """The systems of the tables: exact match, TF-IDF, the baselines, the linker without and with its documents.

    :param baselines: by the name in the tables, linkers to the same lexicon; only their encoder and index are asked.
    :raises SettingError: when a baseline has the name of another system.
    """
    check_baseline_names(baselines)
    lexicon = linker.lexicon
    nearest = [
        System(name, rank_by_encoder(lexicon, plain.index.dense, plain.encoder)) for name, plain in baselines.items()
    ]
    return (
        System(EXACT, rank_exactly(lexicon)),
        System(TF_IDF, rank_by_ngrams(lexicon, linker.index.ngrams)),
        *nearest,
        System(MEDLINK, rank_by_linker(linker)),
        System(MEDLINK_DOCUMENT, rank_by_document(linker), by_document=True),
    )


def check_baseline_names(names: Iterable[str]) -> None:
    """Raises what :func:`make_systems` would, before there is a linker.

    :raises SettingError: when a baseline has the name of another system.
    """
    taken = {EXACT, TF_IDF, MEDLINK, MEDLINK_DOCUMENT}.intersection(names)
    if taken:
        raise SettingError("a baseline with the name of another system", where="--baseline", got=min(taken))


def rank_exactly(lexicon: Lexicon) -> Ranking:
    """A ranking that knows a mention only if it is a name."""
    return lambda mentions: [[Answer(m, 1.0)] if lexicon.row_of(m) is not None else [] for m in mentions]


def rank_by_ngrams(lexicon: Lexicon, index: NgramIndex) -> Ranking:
    """A ranking by TF-IDF over character n-grams, the exact name first: the floor that a linker must beat."""
    return lambda mentions: _nearest(mentions, index.search(mentions, DEPTH), lexicon)


def rank_by_encoder(lexicon: Lexicon, index: DenseIndex, encoder: Encoder) -> Ranking:
    """A ranking by the cosine of an encoder's vectors, the exact name first.

    :param index: of ``lexicon.names``, in their order, with vectors of ``encoder``.
    """
    return lambda mentions: _nearest(mentions, index.search(encoder.encode(mentions), DEPTH), lexicon)


def rank_by_linker(linker: Linker) -> Ranking:
    """The linker's ranking of each mention alone; each concept answers with its best name."""
    return lambda mentions: _best_names(linker.rank(mentions, k=DEPTH))


def rank_by_document(linker: Linker) -> Ranking:
    """The linker's ranking of one document's mentions together; each concept answers with its best name."""
    return lambda mentions: _best_names(linker.rank_document(mentions, k=DEPTH))


def _best_names(ranked: Sequence[Sequence[Candidate]]) -> list[list[Answer]]:
    return [[Answer(candidate.matched, candidate.score) for candidate in candidates] for candidates in ranked]


def _nearest(mentions: Sequence[str], found: Neighbours, lexicon: Lexicon) -> list[list[Answer]]:
    answers = []
    for mention, rows, scores in zip(mentions, found.rows.tolist(), found.scores.tolist(), strict=True):
        near = [Answer(lexicon.names[row], score) for row, score in zip(rows, scores, strict=True) if row >= 0]
        answers.append(_exact_first(mention, near) if lexicon.row_of(mention) is not None else near)
    return answers


def _exact_first(mention: str, near: list[Answer]) -> list[Answer]:
    return [Answer(mention, 1.0), *(answer for answer in near if answer.name != mention)]

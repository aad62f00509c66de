"""Gold mentions against rankings of names: exact match, TF-IDF, the linker, all by one rule."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tqdm import tqdm

from medlink.evaluation.biosyn import Query, ids_of
from medlink.index.ngrams import NgramIndex
from medlink.linking.linker import Linker
from medlink.ontology.lexicon import Lexicon
from medlink.text import normalise

# Rankings are read this deep; a right answer further down counts as none.
DEPTH = 20
_BLOCK = 256

# The names a system answers with, best first, for each of some normalised mentions.
Ranking = Callable[[Sequence[str]], list[list[str]]]


def rank_exactly(lexicon: Lexicon) -> Ranking:
    """A ranking that knows a mention only if it is a name."""
    return lambda mentions: [[m] if lexicon.row_of(m) is not None else [] for m in mentions]


def rank_by_ngrams(lexicon: Lexicon, index: NgramIndex) -> Ranking:
    """A ranking by TF-IDF over character n-grams, the exact name first: the floor that a linker must beat."""

    def rank(mentions: Sequence[str]) -> list[list[str]]:
        found = index.search(mentions, DEPTH)
        near = [[lexicon.names[row] for row in rows if row >= 0] for rows in found.rows.tolist()]
        return [
            _exact_first(m, names) if lexicon.row_of(m) is not None else names
            for m, names in zip(mentions, near, strict=True)
        ]

    return rank


def rank_by_linker(linker: Linker) -> Ranking:
    """The linker's ranking; each concept answers with its best name."""

    def rank(mentions: Sequence[str]) -> list[list[str]]:
        return [[candidate.matched for candidate in ranked] for ranked in linker.rank(mentions, k=DEPTH)]

    return rank


def gold_ranks(
    queries: Sequence[Query], lexicon: Lexicon, ranking: Ranking, *, show_progress: bool = False
) -> list[int]:
    """The rank of the first right answer to each query, from 1 on; 0 where there is none.

    An answer is a name; it is right if any concept that bears it is (BioSyn's rule).
    """
    mentions = sorted({normalise(query.mention) for query in queries})
    answers: dict[str, list[frozenset[str]]] = {}
    for start in tqdm(range(0, len(mentions), _BLOCK), desc="ranking", disable=not show_progress):
        block = mentions[start : start + _BLOCK]
        for mention, names in zip(block, ranking(block), strict=True):
            answers[mention] = [_bearers(name, lexicon) for name in names]
    return [_first_right(answers[normalise(query.mention)], query.gold) for query in queries]


def _first_right(answers: list[frozenset[str]], gold: frozenset[str]) -> int:
    return next((rank for rank, ids in enumerate(answers, start=1) if ids & gold), 0)


def _bearers(name: str, lexicon: Lexicon) -> frozenset[str]:
    row = lexicon.row_of(name)
    postings = lexicon.postings(row) if row is not None else ()
    return frozenset().union(*(ids_of(posting.concept_id) for posting in postings))


def _exact_first(mention: str, names: list[str]) -> list[str]:
    return [mention, *(name for name in names if name != mention)]

"""Candidate names of a query from both indexes, each with both scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from medlink.encoder.protocol import Encoder
from medlink.index.name_index import NameIndex
from medlink.index.neighbours import Neighbours
from medlink.ontology.lexicon import Lexicon

# So short a name may stand for several things: what else is near is looked at, too.
_LONGEST_ACRONYM = 4


@dataclass(frozen=True, slots=True)
class NameMatches:
    """The names that may be what a query means.

    :param query: normalised.
    :param rows: *Shape:* (n_matches,), int64, ascending positions in the lexicon's names.
    :param lexical: *Shape:* (n_matches,), float32, n-gram cosine in [0, 1].
    :param dense: *Shape:* (n_matches,), float32, cosine in [-1, 1]; NaN where the encoder was not asked.
    :param towers: *Shape:* (n_matches, 2), float32, the cosines of the encoder's first and last tower, which are one
        and the same where it has one; NaN where the encoder was not asked.
    """

    query: str
    rows: NDArray[np.int64]
    lexical: NDArray[np.float32]
    dense: NDArray[np.float32]
    towers: NDArray[np.float32]


def find_names(
    queries: Sequence[str],
    lexicon: Lexicon,
    *,
    index: NameIndex,
    encoder: Encoder,
    n_neighbours: int,
    own_names: bool = True,
) -> list[NameMatches]:
    """The candidate names of each query.

    A query that is, letter for letter, a name of one concept alone, and too long for an acronym, is not encoded: it
    keeps its lexical neighbours, and its own cosine is 1 by definition. All others are encoded and searched in both
    indexes.

    :param queries: *Shape:* (n_queries,), normalised and distinct, none empty.
    :param encoder: of queries.
    :param n_neighbours: names to take from each index.
    :param own_names: if not, a query that is a name is looked up as if the lexicon lacked that name.
    """
    rows = [lexicon.row_of(query) for query in queries]
    exact = rows if own_names else [None] * len(rows)
    hidden = [None] * len(rows) if own_names else rows
    n_fetched = n_neighbours if own_names else n_neighbours + 1
    asked = [
        i
        for i, (query, row) in enumerate(zip(queries, exact, strict=True))
        if row is None or len(query) <= _LONGEST_ACRONYM or len(lexicon.postings(row)) > 1
    ]
    vectors = encoder.encode([queries[i] for i in asked])
    alike, near = index.search(queries, vectors, n_fetched)
    places = {i: place for place, i in enumerate(asked)}
    matches = []
    for i, query in enumerate(queries):
        lexical = _by_row(alike, i)
        if (own := hidden[i]) is not None:
            lexical.pop(own, None)
        row = exact[i]
        if row is not None:
            lexical[row] = 1.0
        if (place := places.get(i)) is not None:
            nearest = near.rows[place][near.rows[place] != own] if own is not None else near.rows[place]
            matches.append(_encoded(query, lexical, _Asked(index, encoder, vectors[place], nearest)))
        elif row is not None:
            matches.append(_unencoded(query, lexical, row))
    return matches


@dataclass(frozen=True, slots=True)
class _Asked:
    """What the dense index said of one query: its vector and the rows of its nearest names."""

    index: NameIndex
    encoder: Encoder
    vector: NDArray[np.float32]
    rows: NDArray[np.int64]

    def cosines(self, rows: NDArray[np.int64]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """The cosines with some names, and those of the first and the last tower. *Shape:* (n_rows,), (n_rows, 2)."""
        towers = self.encoder.towers[0], self.encoder.towers[-1]
        found = self.index.dense.score_parts(self.vector, rows, towers)
        return found[:, 0], found[:, 1:]


def _by_row(found: Neighbours, i: int) -> dict[int, float]:
    return {int(row): float(score) for row, score in zip(found.rows[i], found.scores[i], strict=True) if row >= 0}


def _unencoded(query: str, lexical: dict[int, float], exact: int) -> NameMatches:
    rows = np.array(sorted(lexical), np.int64)
    dense = np.where(rows == exact, np.float32(1.0), np.float32(np.nan))
    scores = np.array([lexical[row] for row in rows.tolist()], np.float32)
    return NameMatches(query, rows, scores, dense, np.stack((dense, dense), axis=1))


def _encoded(query: str, lexical: dict[int, float], asked: _Asked) -> NameMatches:
    unscored = [row for row in asked.rows.tolist() if row >= 0 and row not in lexical]
    cosines = asked.index.ngrams.score(query, np.array(unscored, np.int64))
    lexical = lexical | dict(zip(unscored, cosines.tolist(), strict=True))
    rows = np.array(sorted(lexical), np.int64)
    scores = np.array([lexical[row] for row in rows.tolist()], np.float32)
    return NameMatches(query, rows, scores, *asked.cosines(rows))

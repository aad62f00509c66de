"""A file of rankings, so that each distinct query is ranked once and memory stays small: numbers only, no text."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from medlink.linking.linker import DEPTH
from medlink.ontology.lexicon import Lexicon
from medlink.records import Candidate

# The concept's place among the lexicon's, -1 behind the last candidate; the row of the name that matched; the scores,
# of which the encoder's is NaN where it was not asked.
_ROW = np.dtype([("concept", "<i4"), ("name", "<i4"), ("lexical", "<f8"), ("dense", "<f8"), ("score", "<f8")])


class RankingTable:
    """Rankings by row in a file, which several processes may fill and read at once, each its own rows.

    :param path: of the file.
    :param lexicon: that the candidates are from.
    :param n_queries: rows; the file is made where ``is_new``.
    """

    def __init__(self, path: Path, lexicon: Lexicon, n_queries: int, *, is_new: bool = False) -> None:
        self._lexicon = lexicon
        self._ids = list(lexicon.concepts)
        self._rows: NDArray[np.void]
        shape = (n_queries, DEPTH)
        if n_queries == 0:
            self._rows = np.empty(shape, _ROW)
        else:
            self._rows = np.memmap(path, _ROW, "w+" if is_new else "r+", shape=shape)
        self._places = {concept_id: place for place, concept_id in enumerate(self._ids)}

    def write(self, first: int, rankings: Iterable[tuple[Candidate, ...]]) -> None:
        """Writes rankings, each of ``DEPTH`` candidates at most, into the rows from ``first`` on."""
        for row, ranking in enumerate(rankings, start=first):
            values = [self._to_row(candidate) for candidate in ranking]
            empty = (-1, -1, 0.0, 0.0, 0.0)
            self._rows[row] = np.array(values + [empty] * (DEPTH - len(values)), _ROW)

    def read(self, row: int) -> tuple[Candidate, ...]:
        """The ranking in a row, as it was written."""
        return tuple(
            self._to_candidate(place, name, lexical, dense, score)
            for place, name, lexical, dense, score in self._rows[row].tolist()
            if place >= 0
        )

    def _to_row(self, candidate: Candidate) -> tuple[int, int, float, float, float]:
        name = self._lexicon.row_of(candidate.matched)
        if name is None:
            raise ValueError(f"a candidate by a name that is not the lexicon's, of {candidate.concept_id}")
        dense = np.nan if candidate.dense is None else candidate.dense
        return self._places[candidate.concept_id], name, candidate.lexical, dense, candidate.score

    def _to_candidate(self, place: int, name: int, lexical: float, dense: float, score: float) -> Candidate:
        concept_id = self._ids[place]
        return Candidate(
            concept_id=concept_id,
            name=self._lexicon.concepts[concept_id].name,
            matched=self._lexicon.names[name],
            lexical=lexical,
            dense=None if dense != dense else dense,
            score=score,
        )

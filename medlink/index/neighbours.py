"""What a search returns: the nearest names of each query, best first."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Neighbours:
    """The nearest names of some queries; a query with fewer than ``k`` is filled with row -1 and score 0.

    :param rows: *Shape:* (n_queries, k), int64, positions in the index's names.
    :param scores: *Shape:* (n_queries, k), float32, higher is better, not increasing along a row.
    """

    rows: NDArray[np.int64]
    scores: NDArray[np.float32]

    @staticmethod
    def empty(n_queries: int, k: int) -> Neighbours:
        """No neighbours for any query."""
        return Neighbours(np.full((n_queries, k), -1, np.int64), np.zeros((n_queries, k), np.float32))


def best_rows(
    rows: NDArray[np.int64], scores: NDArray[np.float64], *, k: int
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """The ``k`` best of one query's candidates, ties by row, scores rounded to six decimals.

    Rounding before sorting makes the order independent of the last bits, in which two routes to the same sum differ.

    :param rows: *Shape:* (n_candidates,), distinct.
    :param scores: *Shape:* (n_candidates,).
    """
    rounded = np.round(scores, 6)
    order = np.lexsort((rows, -rounded))[:k]
    return rows[order], rounded[order].astype(np.float32)

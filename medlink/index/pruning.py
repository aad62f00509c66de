"""The search among millions of names: rare n-grams find, all n-grams score."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import sparse

from medlink.index.neighbours import best_rows
from medlink.index.postings import Postings

# Postings that a query follows, rarest n-grams first; and names that are then scored by all n-grams, at least.
# Measured among 5 million names (pipelines/bench/million_names.py).
_N_FOLLOWED, _SHARE_FOLLOWED = 1 << 18, 6
_N_SCORED, _SHARE_SCORED = 1 << 10, 2500


@dataclass(frozen=True, slots=True)
class Asked:
    """The n-grams of a query.

    :param columns: *Shape:* (n,).
    :param products: weight in the query times idf. *Shape:* (n,).
    """

    columns: NDArray[np.int32]
    products: NDArray[np.float64]

    def take(self, places: NDArray[np.int64]) -> Asked:
        """Some of them."""
        return Asked(self.columns[places], self.products[places])


def enough_postings(n_names: int) -> int:
    """Postings that find about all of the nearest among so many names."""
    return max(_N_FOLLOWED, n_names // _SHARE_FOLLOWED)


def search_telling(
    asked: Asked, blocks: Sequence[Postings], *, k: int, n_followed: int
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """The ``k`` nearest names of one query, best first, with their cosines.

    The query's n-grams are followed to the names that hold them, rarest first, until ``n_followed`` postings are
    used up. The most promising names by these n-grams alone are then scored by all of them. A name outside of them is
    lost; as an n-gram weighs the less the more names hold it, few of the best are. Nothing is lost where the query's
    n-grams have no more postings than that, and no more than some thousand names hold one of them.

    :param blocks: postings of some names, then of those behind them.
    """
    frequency = np.sum([block.starts[asked.columns + 1] - block.starts[asked.columns] for block in blocks], axis=0)
    order = np.lexsort((asked.columns, frequency))
    order = order[frequency[order] > 0]
    if not len(order):
        return np.zeros(0, np.int64), np.zeros(0, np.float32)
    n_telling = max(1, int(np.searchsorted(np.cumsum(frequency[order]), n_followed, "right")))
    n_scored = max(_N_SCORED, 10 * k, sum(len(block.lengths) for block in blocks) // _SHARE_SCORED)
    rows, scores, first = [], [], 0
    for block in blocks:
        promising = _promising(asked.take(order[:n_telling]), block, n_scored)
        rows.append(promising + first)
        scores.append(_cosines(asked.take(order), block, promising))
        first += len(block.lengths)
    return best_rows(np.concatenate(rows), np.concatenate(scores), k=k)


def search_fully(
    asked: Asked, blocks: Sequence[Postings], weights: Sequence[NDArray[np.float64]], *, k: int
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """As :func:`search_telling`, by every name that holds any n-gram of the query.

    :param weights: of each block's postings; see :meth:`medlink.index.postings.Postings.weights`.
    """
    rows, scores, first = [], [], 0
    for block, own in zip(blocks, weights, strict=True):
        near, cosines = _shortlist(_all_cosines(asked, block, own), k)
        rows.append(near + first)
        scores.append(cosines)
        first += len(block.lengths)
    return best_rows(np.concatenate(rows), np.concatenate(scores), k=k)


def _all_cosines(asked: Asked, block: Postings, weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """The cosines of all names. *Shape:* (n_names,)."""
    spans = _spans(asked, block)
    if not spans:
        return np.zeros(len(block.lengths))
    held = np.concatenate([weights[span] for span in spans]), np.concatenate([block.rows[span] for span in spans])
    return np.asarray(_add_up(*held, spans, len(block.lengths)) @ asked.products)


def _shortlist(cosines: NDArray[np.float64], k: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The rows that are not 0, with their cosines, less those that cannot be among the best even when rounded."""
    kth = float(torch.from_numpy(cosines).topk(min(k, len(cosines))).values[-1])  # half of numpy's time
    rows = np.flatnonzero(cosines >= kth - 1e-6) if kth > 0 else np.flatnonzero(cosines)
    return rows, cosines[rows]


def score_names(asked: Asked, blocks: Sequence[Postings], rows: NDArray[np.int64]) -> NDArray[np.float64]:
    """The cosines of a query with some names. *Shape:* (n_rows,)."""
    scores, first = np.zeros(len(rows), np.float64), 0
    for block in blocks:
        here = (rows >= first) & (rows < first + len(block.lengths))
        if here.any():
            scores[here] = _cosines(asked, block, rows[here] - first)
        first += len(block.lengths)
    return scores


def _promising(telling: Asked, block: Postings, n_wanted: int) -> NDArray[np.int64]:
    """The rows that the n-grams alone bring nearest, ascending; among equals those that come first."""
    spans = _spans(telling, block)
    holders = np.concatenate([block.rows[span] for span in spans])
    if not len(holders):
        return np.zeros(0, np.int64)
    counts = np.concatenate([block.counts[span].astype(np.float32) for span in spans])
    sums = _add_up(counts, holders, spans, len(block.lengths)) @ telling.products.astype(np.float32)
    holders.sort()  # to drop repeated ones: an array of millions of sums takes longer to go through
    rows = holders[np.concatenate([[True], holders[1:] != holders[:-1]])].astype(np.int64)
    if len(rows) > n_wanted:
        cosines = sums[rows] / block.lengths[rows]
        least = np.partition(cosines, len(rows) - n_wanted)[len(rows) - n_wanted]
        near = cosines >= least
        rows, cosines = rows[near], cosines[near]
        rows = np.sort(rows[np.lexsort((rows, -cosines))[:n_wanted]])
    return np.asarray(rows)


def _add_up(
    weights: NDArray[np.floating[Any]], rows: NDArray[np.int32], spans: Sequence[slice], n_names: int
) -> sparse.csc_matrix:
    """A matrix whose product with the n-grams' weights adds up what each name has of them."""
    ends = np.cumsum([0, *(span.stop - span.start for span in spans)])
    return sparse.csc_matrix((weights, rows, ends), shape=(n_names, len(spans)))


def _spans(asked: Asked, block: Postings) -> list[slice]:
    starts, stops = block.starts[asked.columns].tolist(), block.starts[asked.columns + 1].tolist()
    return [slice(*span) for span in zip(starts, stops, strict=True)]


def _cosines(asked: Asked, block: Postings, rows: NDArray[np.int64]) -> NDArray[np.float64]:
    """The cosines of some names by all n-grams of the query. *Shape:* (n_rows,)."""
    weights = np.zeros(len(block.starts) - 1)
    weights[asked.columns] = asked.products
    return block.spelling.add_up(weights, rows) / block.lengths[rows]

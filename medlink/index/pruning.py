"""The search among millions of names: rare n-grams find, all n-grams score."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass

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
# One name in so many tells about where the best begin; a prime, as names in alphabetical order have rhythms. So many of
# them are taken beside twice the expected number.
_SAMPLED, _MORE_SAMPLED = 61, 16
_held = threading.local()


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
    asked: Asked, blocks: Sequence[Postings], inverses: Sequence[NDArray[np.float32]], *, k: int, n_followed: int
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """The ``k`` nearest names of one query, best first, with their cosines.

    The query's n-grams are followed to the names that hold them, rarest first, until ``n_followed`` postings are
    used up. The most promising names by these n-grams alone are then scored by all of them. A name outside of them is
    lost; as an n-gram weighs the less the more names hold it, few of the best are. Nothing is lost where the query's
    n-grams have no more postings than that, and no more than some thousand names hold one of them.

    :param blocks: postings of some names, then of those behind them.
    :param inverses: of each block's lengths.
    """
    frequency = np.sum([block.starts[asked.columns + 1] - block.starts[asked.columns] for block in blocks], axis=0)
    order = np.lexsort((asked.columns, frequency))
    order = order[frequency[order] > 0]
    if not len(order):
        return np.zeros(0, np.int64), np.zeros(0, np.float32)
    n_telling = max(1, int(np.searchsorted(np.cumsum(frequency[order]), n_followed, "right")))
    n_scored = max(_N_SCORED, 10 * k, sum(len(block.lengths) for block in blocks) // _SHARE_SCORED)
    rows, scores, first = [], [], 0
    for block, inverse in zip(blocks, inverses, strict=True):
        promising = _promising(asked.take(order[:n_telling]), block, inverse, n_scored)
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
    ends = np.cumsum([0, *(span.stop - span.start for span in spans)])
    return np.asarray(sparse.csc_matrix((*held, ends), shape=(len(block.lengths), len(spans))) @ asked.products)


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


def _promising(telling: Asked, block: Postings, inverse: NDArray[np.float32], n_wanted: int) -> NDArray[np.int64]:
    """The rows that the n-grams alone bring nearest, ascending; among equals those that come first.

    :param inverse: of the lengths. *Shape:* (n_names,).
    """
    cosines = _zeros(len(inverse))
    # torch adds at places in half of numpy's time; the rest is numpy's, as torch would share it among threads that are
    # needed for the vectors.
    sums = torch.from_numpy(cosines)
    for span, product in zip(_spans(telling, block), telling.products.tolist(), strict=True):
        holders, counts = np.array(block.rows[span]), block.counts[span].astype(np.float32)
        sums.index_add_(0, torch.from_numpy(holders), torch.from_numpy(counts), alpha=product)
    cosines *= inverse
    rows = _above(cosines, _guess_least(cosines, n_wanted))
    if len(rows) < n_wanted:
        rows = _above(cosines, 0.0)
    near = cosines[rows]
    if len(rows) > n_wanted:
        rows = np.sort(rows[np.lexsort((rows, -near))[:n_wanted]])
    return np.asarray(rows)


def _above(cosines: NDArray[np.float32], least: float) -> NDArray[np.int64]:
    return np.flatnonzero(cosines >= least) if least > 0 else np.flatnonzero(cosines)


def _guess_least(cosines: NDArray[np.float32], n_wanted: int) -> float:
    """A value that some more than the wanted number reach, most likely: sorting millions takes too long."""
    sample = cosines[::_SAMPLED]
    n_above = _MORE_SAMPLED + 2 * n_wanted // _SAMPLED
    return float(-np.partition(-sample, n_above)[n_above]) if n_above < len(sample) else 0.0


def _zeros(n: int) -> NDArray[np.float32]:
    """So many zeros, in memory that the thread has had before: fresh memory costs as much as filling it."""
    held: NDArray[np.float32] | None = getattr(_held, "zeros", None)
    if held is None or len(held) < n:
        held = _held.zeros = np.empty(n, np.float32)
    held[:n] = 0
    return held[:n]


def _spans(asked: Asked, block: Postings) -> list[slice]:
    starts, stops = block.starts[asked.columns].tolist(), block.starts[asked.columns + 1].tolist()
    return [slice(*span) for span in zip(starts, stops, strict=True)]


def _cosines(asked: Asked, block: Postings, rows: NDArray[np.int64]) -> NDArray[np.float64]:
    """The cosines of some names by all n-grams of the query. *Shape:* (n_rows,)."""
    weights = np.zeros(len(block.starts) - 1)
    weights[asked.columns] = asked.products
    return block.spelling.add_up(weights, rows) / block.lengths[rows]

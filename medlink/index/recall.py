"""How many of the exactly nearest names an approximate search finds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from medlink.index.dense import DenseIndex
from medlink.index.ngrams import NgramIndex
from medlink.index.searchers import ApproximateSearcher
from medlink.index.vectors import NameVectors

K = 10
# What a searcher is to find of the ten nearest: it looks further until it does.
ENOUGH = 0.98
N_QUERIES = 200
# Noise of this length, the vectors having length 1: the cosine with the own name is then 0.82. Names with a typing
# error or without a word have 0.88 with their own, in the middle.
_NOISE = 0.7
_ALL = 1 << 62


@dataclass(frozen=True, slots=True)
class Recall:
    """The share of the ``K`` nearest that is found, and in how many queries it was measured."""

    value: float
    n_queries: int


def sample_queries(vectors: NameVectors, *, n_queries: int = N_QUERIES, seed: int = 0) -> NDArray[np.float32]:
    """Vectors near those of some names, drawn with a seed. *Shape:* (n_queries, width), unit length."""
    random = np.random.default_rng(seed)
    rows = random.integers(0, len(vectors), n_queries)
    noise = random.normal(size=(n_queries, vectors.width))
    near = vectors.take(rows).astype(np.float64) + _NOISE * noise / np.linalg.norm(noise, axis=1, keepdims=True)
    return np.asarray(near / np.linalg.norm(near, axis=1, keepdims=True), np.float32)


def exact_nearest(queries: NDArray[np.float32], vectors: NameVectors) -> NDArray[np.int64]:
    """The rows of the ``K`` nearest vectors of each query, by looking at all. *Shape:* (n_queries, K)."""
    rows = np.zeros((len(queries), 0), np.int64)
    scores = np.zeros((len(queries), 0), np.float32)
    start = 0
    for piece in vectors.pieces():
        rows = np.concatenate(
            [rows, np.broadcast_to(np.arange(start, start + len(piece)), (len(queries), len(piece)))], 1
        )
        scores = np.concatenate([scores, queries @ piece.T], axis=1)
        best = np.argsort(-scores, axis=1, kind="stable")[:, :K]
        rows, scores = np.take_along_axis(rows, best, 1), np.take_along_axis(scores, best, 1)
        start += len(piece)
    return rows


def measure_ngram_recall(index: NgramIndex, names: Sequence[str], *, n_queries: int = 50, seed: int = 0) -> Recall:
    """How many of the nearest names by all n-grams those find that follow the rare ones.

    :param names: those of the index; some of them, less a letter each, are the queries.
    """
    random = np.random.default_rng(seed)
    hits = n_wanted = 0
    for row in random.integers(0, len(names), n_queries).tolist():
        place = int(random.integers(0, len(names[row])))
        query = names[row][:place] + names[row][place + 1 :]
        wanted = set(index.search_telling(query, K, n_followed=_ALL)[0].tolist())
        hits += len(wanted & set(index.search_telling(query, K)[0].tolist()))
        n_wanted += len(wanted)
    return Recall(round(hits / max(n_wanted, 1), 4), n_queries)


def measure_recall(index: DenseIndex, queries: NDArray[np.float32], nearest: NDArray[np.int64]) -> Recall:
    """The recall of an index.

    :param nearest: what :func:`exact_nearest` says of the queries.
    """
    found = index.search(queries, nearest.shape[1]).rows
    hits = [len(set(ours) & set(theirs)) for ours, theirs in zip(found.tolist(), nearest.tolist(), strict=True)]
    return Recall(round(sum(hits) / max(nearest.size, 1), 4), len(queries))


def look_far_enough(vectors: NameVectors, searcher: ApproximateSearcher) -> tuple[ApproximateSearcher, Recall]:
    """The searcher at the least depth that finds enough of the nearest names, or the greatest; and what it finds."""
    queries = sample_queries(vectors)
    nearest = exact_nearest(queries, vectors)
    for depth in searcher.kind.depths:
        deeper = searcher.deeper(depth)
        recall = measure_recall(DenseIndex(vectors, deeper), queries, nearest)
        if recall.value >= ENOUGH:
            break
    return deeper, recall

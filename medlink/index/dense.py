"""The dense index: nearest neighbours of unit vectors by inner product."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from medlink.index.arrays import make_array
from medlink.index.neighbours import Neighbours, best_rows
from medlink.index.searchers import KIND_FILE, ApproximateSearcher, FlatSearcher, Searcher
from medlink.index.vectors import NameVectors, check_finite

VECTORS_FILE, REMOVED_FILE = "vectors.npy", "removed.npy"

# A matrix product adds up in another order for one query than for many, so two runs differ in the last bits. This many
# spare candidates are fetched and scored again one by one, which makes the k best the same in every batch.
_SPARE = 16


# Below this a part adds nothing to the cosine, and its own cosine is lost.
_LEAST_SHARE = 1e-6
_NO_ROWS = np.empty(0, np.int64)


class VectorPart(Protocol):
    """Which numbers of a vector count, and what share of the whole cosine they make."""

    @property
    def start(self) -> int:
        """The first of them."""

    @property
    def stop(self) -> int:
        """The one behind the last."""

    @property
    def share(self) -> float:
        """By which the inner product is divided, in [0, 1]."""


class DenseIndex:
    """Nearest names by the cosine of their unit vectors.

    What the searcher finds is scored by the vectors in half precision, one query after the other, so a score does not
    depend on who found the name.

    :param vectors: unit length, in half precision. *Shape* of an array: (n_names, width).
    :param searcher: of the first of the vectors; by default one that looks at all of them.
    :param removed: rows that are not found. *Shape:* (n_removed,), int64.
    :raises EncoderError: when a vector is not finite.
    """

    def __init__(
        self,
        vectors: NameVectors | NDArray[np.float16] | NDArray[np.float32],
        searcher: Searcher | None = None,
        removed: NDArray[np.int64] = _NO_ROWS,
    ) -> None:
        self._removed = removed
        self.vectors = vectors if isinstance(vectors, NameVectors) else NameVectors.of(vectors)
        self._searchers: tuple[Searcher, ...] = (searcher or FlatSearcher(self.vectors),)
        if self._searchers[0].n_names < len(self.vectors):
            behind = self.vectors.take(np.arange(self._searchers[0].n_names, len(self.vectors)))
            self._searchers = (*self._searchers, FlatSearcher(NameVectors.of(behind)))

    def extended(self, vectors: NDArray[np.float32]) -> DenseIndex:
        """The index with more names behind its own, which are not looked at again; itself where none is given.

        :param vectors: *Shape:* (n_more, width), unit length.
        :raises EncoderError: when a vector is not finite.
        """
        if not len(vectors):
            return self
        check_finite(vectors, first=len(self.vectors))
        more = copy(self)
        more.vectors = self.vectors.above(vectors)
        more._searchers = (*self._searchers, FlatSearcher(NameVectors.of(vectors)))
        return more

    def without(self, rows: NDArray[np.int64]) -> DenseIndex:
        """The index in which some names are not found; all others keep rows and scores.

        As codes cannot be taken out of every kind, as many more are fetched as were removed.

        :param rows: *Shape:* (n_removed,).
        """
        fewer = copy(self)
        fewer._removed = np.union1d(self._removed, rows)
        return fewer

    @property
    def width(self) -> int:
        """Numbers in a vector."""
        return self.vectors.width

    @property
    def is_approximate(self) -> bool:
        """Whether there are too many vectors to look at all of them."""
        return isinstance(self._searchers[0], ApproximateSearcher)

    def search(self, queries: NDArray[np.float32], k: int) -> Neighbours:
        """The ``k`` nearest names of each query with their cosines, the same whatever else is in the batch.

        :param queries: *Shape:* (n_queries, width), unit length.
        """
        found = Neighbours.empty(len(queries), k)
        if not len(queries):
            return found
        single = np.ascontiguousarray(queries, np.float32)
        fetched = self._fetch(single, k + _SPARE)
        for i, row in enumerate(fetched):
            rows = row[(row >= 0) & ~np.isin(row, self._removed)]
            best, scores = best_rows(rows, self._cosines(queries[i], rows), k=k)
            found.rows[i, : len(best)] = best
            found.scores[i, : len(best)] = scores
        if self.is_approximate:
            self.vectors.forget()
        return found

    def _fetch(self, queries: NDArray[np.float32], n_wanted: int) -> NDArray[np.int64]:
        """Rows that hold the nearest of each query. *Shape:* (n_queries, n_fetched)."""
        fetched, start = [], 0
        for searcher in self._searchers:
            n_removed = int(((self._removed >= start) & (self._removed < start + searcher.n_names)).sum())
            rows = searcher.fetch(queries, n_wanted + n_removed)
            fetched.append(np.where(rows < 0, -1, rows + start))
            start += searcher.n_names
        return np.concatenate(fetched, axis=1)

    def score(self, query: NDArray[np.float32], rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """The cosines of one query with chosen names.

        :returns: *Shape:* (n_rows,), rounded to six decimals as those of :meth:`search`.
        """
        return np.round(self._cosines(query, rows), 6).astype(np.float32)

    def score_parts(
        self, query: NDArray[np.float32], rows: NDArray[np.int64], parts: Sequence[VectorPart]
    ) -> NDArray[np.float32]:
        """As :meth:`score`, and behind it the cosines of some parts of the vectors alone.

        :returns: *Shape:* (n_rows, 1 + n_parts).
        """
        products = self._products(query, rows)
        columns = [products.sum(axis=1)]
        columns += [products[:, part.start : part.stop].sum(axis=1) / max(part.share, _LEAST_SHARE) for part in parts]
        return np.asarray(np.round(np.stack(columns, axis=1), 6), np.float32)

    def _cosines(self, query: NDArray[np.float32], rows: NDArray[np.int64]) -> NDArray[np.float64]:
        return np.asarray(self._products(query, rows).sum(axis=1))

    def _products(self, query: NDArray[np.float32], rows: NDArray[np.int64]) -> NDArray[np.float64]:
        return np.asarray(self.vectors.take(rows).astype(np.float64) * query.astype(np.float64))

    def write(self, folder: Path) -> None:
        """Writes the vectors into an existing folder, in half precision."""
        kept = make_array(folder / VECTORS_FILE, (len(self.vectors), self.width), np.float16)
        start = 0
        for piece in self.vectors.pieces():
            kept[start : start + len(piece)] = piece
            start += len(piece)
        if len(self._removed):
            np.save(folder / REMOVED_FILE, self._removed)
        if isinstance(self._searchers[0], ApproximateSearcher):
            self._searchers[0].write(folder)

    @classmethod
    def read(cls, folder: Path) -> DenseIndex:
        """The index that :meth:`write` left in a folder."""
        vectors = NameVectors.of(np.load(folder / VECTORS_FILE, mmap_mode="r"))
        removed = np.load(folder / REMOVED_FILE) if (folder / REMOVED_FILE).exists() else _NO_ROWS
        return cls(vectors, ApproximateSearcher.read(folder) if (folder / KIND_FILE).exists() else None, removed)

"""The dense index: exact nearest neighbours of unit vectors by inner product (faiss)."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import faiss
import numpy as np
from numpy.typing import NDArray

from medlink.errors import EncoderError
from medlink.index.neighbours import Neighbours, best_rows

# faiss adds up in another order for one query than for many, so two runs differ in the last bits. This many spare
# candidates are fetched and scored again one by one, which makes the k best the same in every batch.
_SPARE = 16


# Below this a part adds nothing to the cosine, and its own cosine is lost.
_LEAST_SHARE = 1e-6


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
    """Nearest names by the cosine of their unit vectors, searched exactly.

    :param vectors: *Shape:* (n_names, width), unit length; kept in half precision, searched in single.
    :raises EncoderError: when a vector is not finite.
    """

    def __init__(self, vectors: NDArray[np.float16] | NDArray[np.float32]) -> None:
        self._half = vectors.astype(np.float16, copy=False)
        single = np.ascontiguousarray(self._half, np.float32)
        if not np.isfinite(single).all():
            bad = int(np.flatnonzero(~np.isfinite(single).all(axis=1))[0])
            raise EncoderError("a name's vector is not finite", where=f"row {bad}", hint="Check the encoder's weights.")
        self._index = faiss.IndexFlatIP(single.shape[1])
        self._index.add(single)

    @property
    def width(self) -> int:
        """Numbers in a vector."""
        return int(self._half.shape[1])

    def search(self, queries: NDArray[np.float32], k: int) -> Neighbours:
        """The ``k`` nearest names of each query with their cosines, the same whatever else is in the batch.

        :param queries: *Shape:* (n_queries, width), unit length.
        """
        found = Neighbours.empty(len(queries), k)
        if not len(queries):
            return found
        n_fetched = min(k + _SPARE, len(self._half))
        _, fetched = self._index.search(np.ascontiguousarray(queries, np.float32), n_fetched)
        for i, rows in enumerate(fetched):
            best, scores = best_rows(rows, self._cosines(queries[i], rows), k=k)
            found.rows[i, : len(best)] = best
            found.scores[i, : len(best)] = scores
        return found

    def score(
        self, query: NDArray[np.float32], rows: NDArray[np.int64], part: VectorPart | None = None
    ) -> NDArray[np.float32]:
        """The cosines of one query with chosen names.

        :param part: the part of the vectors that counts; all of them by default.
        :returns: *Shape:* (n_rows,), rounded to six decimals as those of :meth:`search`.
        """
        if part is None:
            return np.round(self._cosines(query, rows), 6).astype(np.float32)
        some = slice(part.start, part.stop)
        products = self._half[rows, some].astype(np.float64) * query[some].astype(np.float64)
        return np.asarray(np.round(products.sum(axis=1) / max(part.share, _LEAST_SHARE), 6), np.float32)

    def _cosines(self, query: NDArray[np.float32], rows: NDArray[np.int64]) -> NDArray[np.float64]:
        products = self._half[rows].astype(np.float64) * query.astype(np.float64)
        return np.asarray(products.sum(axis=1))

    def write(self, folder: Path) -> None:
        """Writes the vectors into an existing folder, in half precision."""
        np.save(folder / "vectors.npy", self._half)

    @classmethod
    def read(cls, folder: Path) -> DenseIndex:
        """The index that :meth:`write` left in a folder."""
        return cls(np.load(folder / "vectors.npy"))

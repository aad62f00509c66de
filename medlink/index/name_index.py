"""The index of an ontology's names: lexical and dense side by side, rows in the order of the names."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import faiss
import numpy as np
from numpy.typing import NDArray

from medlink.errors import SettingError
from medlink.index.dense import DenseIndex
from medlink.index.neighbours import Neighbours
from medlink.index.ngrams import NgramIndex
from medlink.index.vectors import NameVectors


@dataclass(frozen=True, slots=True)
class NameIndex:
    """Both ways to find a name.

    :param ngrams: by its letters.
    :param dense: by its vector.
    """

    ngrams: NgramIndex
    dense: DenseIndex

    @classmethod
    def build(cls, names: Sequence[str], vectors: NameVectors | NDArray[np.float32]) -> NameIndex:
        """The index of some names.

        :param names: *Shape:* (n_names,), normalised, in the order that gives the rows.
        :param vectors: *Shape:* (n_names, width), unit length.
        :raises SettingError: when there is no name, or not one vector for each.
        """
        if not len(names) or len(vectors) != len(names):
            raise SettingError("an index needs names with one vector each", got=f"{len(names)} and {len(vectors)}")
        return cls(NgramIndex.build(names), DenseIndex(vectors))

    def extended(self, names: Sequence[str], vectors: NDArray[np.float32]) -> NameIndex:
        """The index with more names behind its own; itself where none is given.

        Nothing of its own is built again. What the n-grams of its names weigh stays as it was, so lexical scores
        differ a little from those of an index that was built of all names at once.

        :param names: *Shape:* (n_more,), normalised; their rows follow the index's own.
        :param vectors: *Shape:* (n_more, width), unit length.
        :raises SettingError: when there is not one vector for each name.
        """
        if len(vectors) != len(names):
            raise SettingError("an index needs names with one vector each", got=f"{len(names)} and {len(vectors)}")
        if not len(names):
            return self
        return NameIndex(self.ngrams.extended(names), self.dense.extended(vectors))

    def without(self, rows: Sequence[int]) -> NameIndex:
        """The index in which some names are not found; itself where none is given.

        Nothing is built again, and the other names keep their rows and scores.

        :param rows: of the names to be removed.
        :raises SettingError: when there is no such row.
        """
        chosen = np.unique(np.asarray(rows, np.int64))
        if len(chosen) and not 0 <= chosen[0] <= chosen[-1] < self.ngrams.n_names:
            raise SettingError("no such row", expected=f"0 to {self.ngrams.n_names - 1}", got=str(chosen[[0, -1]]))
        return NameIndex(self.ngrams.without(chosen), self.dense.without(chosen)) if len(chosen) else self

    def search(self, queries: Sequence[str], vectors: NDArray[np.float32], k: int) -> tuple[Neighbours, Neighbours]:
        """The ``k`` nearest names by their letters, of each query, and by their vectors, of each vector.

        Among millions of names both are looked for at once, on two cores.

        :param vectors: of all or some of the queries. *Shape:* (n_vectors, width).
        """
        if not self.dense.is_approximate:
            return self.ngrams.search(queries, k), self.dense.search(vectors, k)
        with ThreadPoolExecutor(1) as beside:
            near = beside.submit(self.dense.search, vectors, k)
            return self.ngrams.search(queries, k), near.result()

    def write(self, folder: Path) -> dict[str, str | int | float | bool]:
        """Writes both parts into an existing folder and returns the facts for its manifest."""
        self.ngrams.write(folder)
        self.dense.write(folder)
        return {"width": self.dense.width, "dtype": "float16", "faiss": faiss.__version__, "numpy": np.__version__}

    @classmethod
    def read(cls, folder: Path) -> NameIndex:
        """The index that :meth:`write` left in a folder."""
        return cls(NgramIndex.read(folder), DenseIndex.read(folder))

"""What finds the rows that may be nearest: all vectors in memory, or an approximate index of faiss in a file."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import faiss
import numpy as np
import torch
from numpy.typing import NDArray

from medlink.index.kinds import FETCHED, KINDS, Kind
from medlink.index.vectors import NameVectors

INDEX_FILE, KIND_FILE = "nearest-{}.faiss", "nearest.json"
# Vectors that codes and lists are learned from, and rounds of it: more of either finds no more.
_N_TRAINING, _N_ROUNDS = 1 << 16, 8
# Scores that are in memory at once: 64 MiB.
_MOST_SCORES = 1 << 24


class Searcher(Protocol):
    """Finds the rows of some vectors that may be nearest to a query; what it finds is scored by others."""

    @property
    def n_names(self) -> int:
        """The number of vectors."""

    def fetch(self, queries: NDArray[np.float32], n_wanted: int) -> NDArray[np.int64]:
        """Distinct rows of each query, the nearest among them. *Shape:* (n_queries, at least n_wanted if there are).

        -1 stands where no row was found.
        """


class FlatSearcher:
    """Looks at all vectors, in single precision: one matrix product for many queries.

    torch's product is 3 times as quick as that of faiss's flat index for 256 queries of 73,000 names on one core, and
    10 times for 32.

    :raises EncoderError: when a vector is not finite.
    """

    def __init__(self, vectors: NameVectors) -> None:
        self._vectors = torch.empty((len(vectors), vectors.width))
        start = 0
        for piece in vectors.pieces():
            self._vectors[start : start + len(piece)] = torch.from_numpy(piece)
            start += len(piece)

    @property
    def n_names(self) -> int:
        """The number of vectors."""
        return len(self._vectors)

    def fetch(self, queries: NDArray[np.float32], n_wanted: int) -> NDArray[np.int64]:
        """The nearest rows of each query."""
        k = min(n_wanted, self.n_names)
        n_block = max(1, _MOST_SCORES // max(self.n_names, 1))
        asked = torch.from_numpy(queries)
        blocks = (asked[start : start + n_block] for start in range(0, len(asked), n_block))
        found = [(block @ self._vectors.T).topk(k, dim=1).indices.numpy() for block in blocks]
        return np.concatenate(found) if found else np.empty((0, k), np.int64)


class ApproximateSearcher:
    """Looks where the nearest vectors are likely to be.

    :param shards: faiss's indexes of the kind, each of some vectors, then of those behind them; they are searched at
        once.
    :param depth: the value of the kind's parameter.
    """

    def __init__(self, shards: Sequence[faiss.Index], kind: Kind, depth: int) -> None:
        self._shards, self.kind, self.depth = tuple(shards), kind, depth
        self._n_fetched = depth if kind.parameter == FETCHED else kind.n_fetched
        self._joined: dict[int, faiss.Index] = {}
        if kind.parameter != FETCHED:
            for shard in shards:
                faiss.ParameterSpace().set_index_parameter(shard, kind.parameter, depth)

    @classmethod
    def build(cls, vectors: NameVectors, kind: Kind, *, seed: int = 0) -> ApproximateSearcher:
        """The searcher of some vectors, the same whenever it is built from the same ones.

        :param seed: of the choice of vectors to learn from.
        :raises EncoderError: when a vector is not finite.
        """
        n_names = len(vectors)
        index = faiss.index_factory(vectors.width, kind.factory(n_names, vectors.width), faiss.METRIC_INNER_PRODUCT)
        chosen = np.random.default_rng(seed).choice(n_names, min(n_names, _N_TRAINING), replace=False)
        with _one_thread():
            if kind.parameter == "nprobe":
                clustering = faiss.extract_index_ivf(index).cp
                clustering.niter, clustering.min_points_per_centroid = _N_ROUNDS, 1
            index.train(vectors.take(np.sort(chosen)).astype(np.float32))
            n_shards = min(kind.n_shards, n_names)
            shards = [index, *(faiss.clone_index(index) for _ in range(n_shards - 1))]
            bounds = [n_names * number // n_shards for number in range(n_shards + 1)]
            _add(shards, bounds, vectors)
        return cls(shards, kind, kind.depths[0])

    @property
    def n_names(self) -> int:
        """The number of vectors."""
        return sum(int(shard.ntotal) for shard in self._shards)

    def deeper(self, depth: int) -> ApproximateSearcher:
        """The same searcher, looking further."""
        return ApproximateSearcher(self._shards, self.kind, depth)

    def fetch(self, queries: NDArray[np.float32], n_wanted: int) -> NDArray[np.int64]:
        """The rows that each query alone finds; together faiss would add up in another order."""
        wanted = min(max(n_wanted, self._n_fetched), self.n_names)
        if not len(queries):
            return np.empty((0, wanted), np.int64)
        index = self._together()
        return np.stack([index.search(queries[i : i + 1], wanted)[1][0] for i in range(len(queries))])

    def _together(self) -> faiss.Index:
        """The shards as one index, which has a thread for each of them; a forked process has none of its parent's."""
        if len(self._shards) == 1:
            return self._shards[0]
        process = os.getpid()
        if process not in self._joined:
            # In threads, with rows that go on from shard to shard.
            joined = faiss.IndexShards(self._shards[0].d, True, True)  # type: ignore[call-arg]
            for shard in self._shards:
                joined.add_shard(shard)
            self._joined[process] = joined  # beside the parent's, whose end would wait for its threads
        return self._joined[process]

    def write(self, folder: Path) -> None:
        """Writes the indexes into an existing folder."""
        for number, shard in enumerate(self._shards):
            faiss.write_index(shard, str(folder / INDEX_FILE.format(number)))
        stated = {"kind": self.kind.name, "depth": self.depth, "n_shards": len(self._shards)}
        (folder / KIND_FILE).write_text(json.dumps(stated), encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> ApproximateSearcher:
        """The searcher that :meth:`write` left in a folder, memory-mapped where faiss can."""
        stated = json.loads((folder / KIND_FILE).read_text(encoding="utf-8"))
        kind = KINDS[stated["kind"]]
        # Lists and graphs can be mapped; codes for registers are read, they are small.
        flags = 0 if kind.name.endswith("pq") else faiss.IO_FLAG_MMAP | faiss.IO_FLAG_READ_ONLY
        files = [folder / INDEX_FILE.format(number) for number in range(stated["n_shards"])]
        return cls([faiss.read_index(str(file), flags) for file in files], kind, stated["depth"])


def _add(shards: Sequence[faiss.Index], bounds: Sequence[int], vectors: NameVectors) -> None:
    """Adds to each shard the vectors between its bounds."""
    start = 0
    for piece in vectors.pieces():
        for shard, low, high in zip(shards, bounds, bounds[1:], strict=False):
            own = piece[max(low - start, 0) : max(high - start, 0)]
            if len(own):
                shard.add(own)
        start += len(piece)


@contextmanager
def _one_thread() -> Iterator[None]:
    """Sums that threads share come out in another order each time."""
    n_threads = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(n_threads)


def faiss_version() -> str:
    """The version that builds and searches."""
    return str(faiss.__version__)

"""Vectors in mapped files: what stays in memory of them."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from medlink.index.dense import DenseIndex
from medlink.index.kinds import KINDS
from medlink.index.name_index import NameIndex
from medlink.index.ngrams import NgramIndex
from medlink.index.searchers import ApproximateSearcher
from medlink.index.vectors import NameVectors

N_NAMES = 4000


def resident_kib(file: Path) -> int:
    """What of a mapped file is in this process's memory, as the kernel says."""
    total, is_ours = 0, False
    for line in Path("/proc/self/smaps").read_text(encoding="utf-8").splitlines():
        if "-" in line.split()[0]:
            is_ours = line.endswith(str(file))
        elif is_ours and line.startswith("Rss:"):
            total += int(line.split()[1])
    return total


@pytest.fixture
def mapped(tmp_path: Path) -> NameVectors:
    drawn = np.random.default_rng(0).normal(size=(N_NAMES, 32))
    np.save(tmp_path / "vectors.npy", (drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).astype(np.float16))
    return NameVectors.of(np.load(tmp_path / "vectors.npy", mmap_mode="r"))


@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux what is resident")
def test_what_is_forgotten_leaves_memory_and_is_read_again(mapped: NameVectors, tmp_path: Path) -> None:
    rows = np.arange(0, N_NAMES, 7)
    before = mapped.take(rows)
    assert resident_kib(tmp_path / "vectors.npy") > 100
    mapped.forget()
    assert resident_kib(tmp_path / "vectors.npy") == 0
    assert mapped.take(rows).tobytes() == before.tobytes()


@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux what is resident")
def test_approximate_search_leaves_no_vectors_in_memory(mapped: NameVectors, tmp_path: Path) -> None:
    index = DenseIndex(mapped, ApproximateSearcher.build(mapped, KINDS["pq"]))
    found = index.search(mapped.take(np.arange(9)).astype(np.float32), 5)
    assert found.rows[:, 0].tolist() == list(range(9))
    assert resident_kib(tmp_path / "vectors.npy") == 0


@pytest.mark.parametrize("kind", ["exact", "pq"])
def test_both_searches_at_once_find_what_each_finds(mapped: NameVectors, kind: str) -> None:
    searcher = ApproximateSearcher.build(mapped, KINDS[kind]) if kind in KINDS else None
    dense, ngrams = DenseIndex(mapped, searcher), NgramIndex.build([f"name {number}" for number in range(N_NAMES)])
    queries, vectors = ["name 12", "name 7", "nam 3999"], mapped.take(np.array([5, 17])).astype(np.float32)
    alike, near = NameIndex(ngrams, dense).search(queries, vectors, 6)
    for ours, alone in ((alike, ngrams.search(queries, 6)), (near, dense.search(vectors, 6))):
        assert ours.rows.tolist() == alone.rows.tolist()
        assert ours.scores.tobytes() == alone.scores.tobytes()

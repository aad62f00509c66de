"""Approximate kinds against brute force, and what is stored of them against what was built."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from medlink.errors import SettingError
from medlink.index.dense import DenseIndex
from medlink.index.kinds import FEW, KINDS, NAMES, choose_kind
from medlink.index.recall import ENOUGH, exact_nearest, look_far_enough, measure_recall, sample_queries
from medlink.index.searchers import INDEX_FILE, ApproximateSearcher
from medlink.index.vectors import NameVectors

N_NAMES = 3000


@pytest.fixture(scope="module")
def vectors() -> NameVectors:
    """Vectors in heaps, as names of like concepts are."""
    random = np.random.default_rng(0)
    drawn = random.normal(size=(100, 16))[random.integers(0, 100, N_NAMES)] + 0.7 * random.normal(size=(N_NAMES, 16))
    single = (drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).astype(np.float32)
    return NameVectors.of(single[:, :8], single[:, 8:])


@pytest.fixture(scope="module")
def queries(vectors: NameVectors) -> NDArray[np.float32]:
    return sample_queries(vectors, n_queries=50, seed=7)


@pytest.fixture(params=sorted(KINDS))
def searcher(request: pytest.FixtureRequest, vectors: NameVectors) -> ApproximateSearcher:
    return ApproximateSearcher.build(vectors, KINDS[request.param])


def test_approximate_index_finds_enough_and_scores_exactly(
    searcher: ApproximateSearcher, vectors: NameVectors, queries: NDArray[np.float32]
) -> None:
    deeper, recall = look_far_enough(vectors, searcher)
    assert ENOUGH <= recall.value <= 1.0
    found, exact = DenseIndex(vectors, deeper).search(queries, 10), DenseIndex(vectors).search(queries, 10)
    hits = 0
    for i in range(len(queries)):
        scores = dict(zip(exact.rows[i].tolist(), exact.scores[i].tolist(), strict=True))
        ours = dict(zip(found.rows[i].tolist(), found.scores[i].tolist(), strict=True))
        hits += len(scores.keys() & ours.keys())
        assert all(ours[row] == scores[row] for row in scores.keys() & ours.keys())
        assert found.scores[i].tolist() == sorted(found.scores[i].tolist(), reverse=True)
    assert hits >= 0.95 * found.rows.size


def test_approximate_search_does_not_depend_on_the_batch(
    searcher: ApproximateSearcher, vectors: NameVectors, queries: NDArray[np.float32]
) -> None:
    index = DenseIndex(vectors, searcher)
    together = index.search(queries, 10)
    for i in range(len(queries)):
        alone = index.search(queries[i : i + 1], 10)
        assert alone.rows.tobytes() == together.rows[i].tobytes()
        assert alone.scores.tobytes() == together.scores[i].tobytes()


def test_approximate_index_is_built_the_same_again_and_read_as_written(
    searcher: ApproximateSearcher, vectors: NameVectors, queries: NDArray[np.float32], tmp_path: Path
) -> None:
    again = ApproximateSearcher.build(vectors, searcher.kind)
    for folder, built in (("first", searcher), ("again", again)):
        (tmp_path / folder).mkdir()
        DenseIndex(vectors, built).write(tmp_path / folder)
    for number in range(searcher.kind.n_shards):
        file = INDEX_FILE.format(number)
        assert (tmp_path / "first" / file).read_bytes() == (tmp_path / "again" / file).read_bytes()
    read, index = DenseIndex.read(tmp_path / "first"), DenseIndex(vectors, searcher)
    assert read.search(queries, 10).rows.tobytes() == index.search(queries, 10).rows.tobytes()


def test_shards_find_what_one_index_finds(vectors: NameVectors, queries: NDArray[np.float32]) -> None:
    kind = KINDS["pq"]
    assert kind.n_shards > 1
    several = ApproximateSearcher.build(vectors, kind)
    one = ApproximateSearcher.build(vectors, replace(kind, n_shards=1))
    for n_wanted in (50, N_NAMES, N_NAMES + 1):
        pairs = zip(several.fetch(queries, n_wanted), one.fetch(queries, n_wanted), strict=True)
        for found, expected in pairs:  # of codes that are equally near either may be the last
            assert len(set(found) & set(expected)) >= min(n_wanted, N_NAMES) - 3


@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork.*:DeprecationWarning")
def test_shards_are_searched_in_a_forked_process(vectors: NameVectors, queries: NDArray[np.float32]) -> None:
    searcher = ApproximateSearcher.build(vectors, KINDS["pq"])
    expected = searcher.fetch(queries[:2], 50)
    child = os.fork()
    if not child:
        os._exit(0 if searcher.fetch(queries[:2], 50).tobytes() == expected.tobytes() else 1)
    assert os.waitpid(child, 0)[1] == 0


def test_approximate_index_is_extended(
    searcher: ApproximateSearcher, vectors: NameVectors, queries: NDArray[np.float32], tmp_path: Path
) -> None:
    extended = DenseIndex(vectors, searcher).extended(queries[:5])
    for index in (extended, _written(extended, tmp_path)):
        assert index.search(queries[:5], 3).rows[:, 0].tolist() == [N_NAMES + i for i in range(5)]


def _written(index: DenseIndex, folder: Path) -> DenseIndex:
    index.write(folder)
    return DenseIndex.read(folder)


def test_exact_nearest_agrees_with_brute_force(vectors: NameVectors, queries: NDArray[np.float32]) -> None:
    cosines = queries @ vectors.take(np.arange(N_NAMES)).astype(np.float32).T
    nearest = exact_nearest(queries, vectors)
    assert np.take_along_axis(cosines, nearest, 1) == pytest.approx(-np.sort(-cosines, axis=1)[:, :10], abs=1e-5)
    assert measure_recall(DenseIndex(vectors), queries, nearest).value == 1.0


def test_approximate_index_of_few_names(vectors: NameVectors) -> None:
    few = NameVectors.of(vectors.take(np.arange(40)))
    for kind in ("ivf-sq", "hnsw"):
        found = DenseIndex(few, ApproximateSearcher.build(few, KINDS[kind])).search(sample_queries(few), 50)
        assert (found.rows[:, 40:] == -1).all()


@pytest.mark.parametrize(
    ("n_names", "wanted", "name"), [(FEW, "auto", "exact"), (FEW + 1, "auto", "pq"), (10, "hnsw", "hnsw")]
)
def test_choose_kind_says_why(n_names: int, wanted: str, name: str) -> None:
    choice = choose_kind(n_names, wanted)
    assert choice.name == name
    assert ("asked for" in choice.reason) == (wanted != "auto")


def test_choose_kind_names_the_known_ones() -> None:
    with pytest.raises(SettingError, match=", ".join(NAMES)):
        choose_kind(10, "annoy")

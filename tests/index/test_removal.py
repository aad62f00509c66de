"""An index without some names against one that never had them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from medlink.errors import SettingError
from medlink.index.dense import DenseIndex
from medlink.index.kinds import KINDS
from medlink.index.name_index import NameIndex
from medlink.index.ngrams import NgramIndex
from medlink.index.searchers import ApproximateSearcher
from medlink.index.vectors import NameVectors

NAMES = tuple(f"{first} {second}" for first in ("renal", "hepatic", "cardiac") for second in ("cyst", "cysts", "pain"))
ROWS = st.lists(st.integers(0, len(NAMES) - 1), max_size=len(NAMES))


def unit(n: int, width: int, seed: int) -> NDArray[np.float32]:
    drawn = np.random.default_rng(seed).normal(size=(n, width))
    return np.asarray(drawn / np.linalg.norm(drawn, axis=1, keepdims=True), np.float32)


VECTORS = unit(len(NAMES), 8, 0)
INDEX = NameIndex.build(NAMES, VECTORS)


@settings(deadline=None)
@given(ROWS, ROWS, st.integers(1, 12))
def test_what_is_left_is_found_as_before(first: list[int], second: list[int], k: int) -> None:
    index = INDEX.without(first).without(second)
    gone = {*first, *second}
    before, after = INDEX.dense.search(VECTORS, len(NAMES)), index.dense.search(VECTORS, k)
    for i in range(len(NAMES)):
        pairs = zip(before.rows[i].tolist(), before.scores[i].tolist(), strict=True)
        expected = [pair for pair in pairs if pair[0] not in gone][:k]
        found = zip(after.rows[i].tolist(), after.scores[i].tolist(), strict=True)
        assert [pair for pair in found if pair[0] >= 0] == expected
    for query in ("renal cyst", "cardiac"):
        for few in (1, 1000):
            whole = INDEX.ngrams.search([query], len(NAMES), few=few)
            pairs = zip(whole.rows[0].tolist(), whole.scores[0].tolist(), strict=True)
            expected = [pair for pair in pairs if pair[0] not in gone and pair[0] >= 0][:k]
            less = index.ngrams.search([query], k, few=few)
            found = zip(less.rows[0].tolist(), less.scores[0].tolist(), strict=True)
            assert [pair for pair in found if pair[0] >= 0] == expected
        assert index.ngrams.score(query, np.array(sorted(gone), np.int64)).tolist() == [0.0] * len(gone)


def test_nothing_is_taken_from_the_index_itself() -> None:
    assert INDEX.without([0]).ngrams.search(["renal cyst"], 1).rows[0, 0] == 1
    assert INDEX.ngrams.search(["renal cyst"], 1).rows[0, 0] == 0
    assert INDEX.without([]) is INDEX


def test_more_names_follow_and_can_be_removed(tmp_path: Path) -> None:
    index = INDEX.without([0]).extended(["renal cystlet"], unit(1, 8, 7)).without([1])
    index.write(tmp_path)
    for one in (index, NameIndex.read(tmp_path)):
        assert one.ngrams.search(["renal cyst"], 2).rows[0].tolist() == [len(NAMES), 2]
        assert not {0, 1} & set(one.dense.search(VECTORS[:2], len(NAMES) + 1).rows.ravel().tolist())
        assert one.dense.search(unit(1, 8, 7), 1).rows[0, 0] == len(NAMES)


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_names_are_removed_from_every_kind(kind: str) -> None:
    vectors = NameVectors.of(unit(2000, 16, 1))
    index = DenseIndex(vectors, ApproximateSearcher.build(vectors, KINDS[kind]))
    queries = vectors.take(np.arange(30)).astype(np.float32)
    assert index.search(queries, 1).rows[:, 0].tolist() == list(range(30))
    fewer = index.without(np.arange(30))
    found, left = fewer.search(queries, 5).rows, index.search(queries, 35).rows
    assert (found >= 30).all()
    for i in range(30):
        near = [row for row in left[i].tolist() if row >= 30][:5]
        assert len(set(near) & set(found[i].tolist())) >= 4


@pytest.mark.parametrize("rows", [[len(NAMES)], [-1], [0, 99]])
def test_rows_that_are_not_there_are_refused(rows: list[int]) -> None:
    with pytest.raises(SettingError, match="no such row"):
        INDEX.without(rows)


def test_many_names_are_searched_without_some_of_them() -> None:
    names = [f"name {number}" for number in range(9000)]
    index = NgramIndex.build(names).without(np.arange(0, 9000, 2))
    found, _ = index.search_telling("name 44", 10, n_followed=1 << 40)
    assert (found % 2 == 1).all()
    assert len(found) == 10

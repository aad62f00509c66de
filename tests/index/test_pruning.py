"""The search by rare n-grams against the one by all of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medlink.index.ngrams import NgramIndex
from medlink.index.postings import NgramCounts, Postings, build_postings, count_ngrams
from medlink.index.recall import measure_ngram_recall

WORDS = st.text("abcdé", min_size=1, max_size=5)
TEXTS = st.lists(WORDS, min_size=1, max_size=4).map(" ".join)


def telling(index: NgramIndex, query: str, k: int, n_followed: int) -> list[tuple[int, float]]:
    rows, scores = index.search_telling(query, k, n_followed=n_followed)
    return list(zip(rows.tolist(), scores.tolist(), strict=True))


def fully(index: NgramIndex, query: str, k: int) -> list[tuple[int, float]]:
    rows, scores = index.search_fully(query, k)
    return list(zip(rows.tolist(), scores.tolist(), strict=True))


@settings(max_examples=60, deadline=None)
@given(names=st.lists(TEXTS, min_size=1, max_size=30, unique=True), more=st.lists(TEXTS, max_size=5), query=TEXTS)
def test_search_telling_is_exact_where_all_postings_are_followed(names: list[str], more: list[str], query: str) -> None:
    index = NgramIndex.build(names).extended(more)
    expected = dict(fully(index, query, 40))
    found = dict(telling(index, query, 40, n_followed=10_000))
    assert found == pytest.approx(expected, abs=2e-6)


@settings(deadline=None)
@given(names=st.lists(TEXTS, min_size=1, max_size=30, unique=True), query=TEXTS, n_followed=st.integers(1, 40))
def test_search_telling_scores_exactly_whatever_it_finds(names: list[str], query: str, n_followed: int) -> None:
    index = NgramIndex.build(names)
    expected = dict(fully(index, query, 40))
    found = telling(index, query, 40, n_followed=n_followed)
    assert dict(found) == pytest.approx({row: expected[row] for row, _ in found}, abs=2e-6)
    assert found == sorted(found, key=lambda pair: (-pair[1], pair[0]))
    assert bool(found) == bool(expected)


def test_search_telling_loses_nothing_that_holds_a_rare_ngram() -> None:
    names = [f"disease of kind {number}" for number in range(500)] + ["xylophone disease", "disease"]
    index = NgramIndex.build(names)
    found = telling(index, "xylophone disease", 3, n_followed=30)
    assert found[0] == (500, 1.0)


def test_search_telling_takes_the_best_of_many_that_hold_the_ngrams() -> None:
    names = [f"renal {'cyst' if number % 9 else 'cysts'} {number:04}" for number in range(9000)]
    index = NgramIndex.build(names)
    for query in ("renal cysts 0333", "renal cyst 8999", "cysts", "0001"):
        assert telling(index, query, 10, n_followed=1 << 40) == fully(index, query, 10)


def test_index_of_many_names_is_searched_by_rare_ngrams() -> None:
    index = NgramIndex.build([f"name {number}" for number in range(300)])
    found = index.search(["name 250", "日本"], 2, few=100)
    assert found.rows[0, 0] == 250
    assert found.rows[1].tolist() == [-1, -1]
    assert measure_ngram_recall(index, [f"name {number}" for number in range(300)]).value > 0.9


def test_postings_built_in_a_folder_are_those_built_in_memory(tmp_path: Path) -> None:
    counts = count_ngrams([f"name {number} of {number % 7}" for number in range(300)])
    frequency = counts.document_frequency()
    idf = np.ones(len(frequency), np.float32)
    built = build_postings(counts, frequency, idf)
    build_postings(counts, frequency, idf, tmp_path)
    for ours, theirs in zip(built.arrays, Postings.read(tmp_path).arrays, strict=True):
        assert (ours.dtype, ours.tobytes()) == (theirs.dtype, theirs.tobytes())


def test_count_ngrams_counts_a_word_as_often_as_it_stands_there() -> None:
    counts: NgramCounts = count_ngrams(["ab ab cab", "ab"])
    first, second = next(counts.blocks()).toarray()
    column = counts.ngrams.index("ab")
    assert (first[column], second[column]) == (3, 1)
    assert counts.document_frequency()[column] == 2
    assert counts.largest >= 3

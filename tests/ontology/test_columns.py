"""Columns and relations against plain lists, dictionaries and sets."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medlink.ontology.columns import Chained, Edges, Moved, StringColumn, digest_of, find_sorted

TEXTS = st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=8), max_size=12)
PAIRS = st.lists(st.tuples(st.integers(0, 8), st.integers(0, 8)), max_size=20)


@given(TEXTS)
def test_column_is_read_as_it_was_written(texts: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        StringColumn.of(texts).write(Path(folder), "texts")
        column = StringColumn.read(Path(folder), "texts")
        assert column == texts
        assert list(column) == [column[place] for place in range(len(column))] == texts
        assert [column[place] for place in range(-len(texts), 0)] == texts
        assert column[1:5:2] == tuple(texts[1:5:2])


@given(TEXTS, TEXTS)
def test_chained_are_both_one_after_the_other(first: list[str], then: list[str]) -> None:
    chained = Chained(StringColumn.of(first), then)
    assert chained == [*first, *then]
    assert list(chained) == [chained[place] for place in range(len(chained))]
    assert chained[len(first) :] == tuple(then)
    assert chained != [*first, *then, "more"]


@pytest.mark.parametrize("strings", [StringColumn.of(["a", "b"]), Chained(["a"], ["b"])], ids=["column", "chained"])
@pytest.mark.parametrize("place", [2, -3])
def test_a_place_that_is_not_there_is_an_index_error(strings: StringColumn | Chained, place: int) -> None:
    with pytest.raises(IndexError):
        _ = strings[place]


@given(TEXTS, TEXTS)
def test_equal_strings_have_equal_digests_and_others_have_others(one: list[str], other: list[str]) -> None:
    assert digest_of(one) == digest_of(tuple(one)) == digest_of(StringColumn.of(one)) == digest_of(Chained(one, []))
    assert (digest_of(one) == digest_of(other)) == (one == other)
    assert digest_of(["ab", "c"]) != digest_of(["a", "bc"])


def test_long_columns_are_iterated_in_blocks() -> None:
    texts = [f"{number:x}" for number in range(10_000)]
    assert list(StringColumn.of(texts)) == texts


def test_bounds_of_other_bytes_are_refused() -> None:
    with pytest.raises(ValueError, match="bounds of 3 bytes"):
        StringColumn(np.zeros(3, np.uint8), np.array([0, 2], np.int64))


@given(TEXTS, st.text(max_size=3))
def test_find_sorted_is_index(texts: list[str], wanted: str) -> None:
    ordered = sorted(texts)
    for text in (*texts, wanted):
        assert find_sorted(StringColumn.of(ordered), text) == (ordered.index(text) if text in ordered else None)


@given(PAIRS)
def test_edges_are_the_pairs_in_both_directions(pairs: list[tuple[int, int]]) -> None:
    edges = Edges.of(pairs)
    for place in range(9):
        assert edges.targets_of(place) == sorted({target for source, target in pairs if source == place})
        assert edges.reversed().targets_of(place) == sorted({source for source, target in pairs if target == place})


@given(PAIRS)
def test_reached_is_the_closure_without_itself(pairs: list[tuple[int, int]]) -> None:
    closure = set(pairs)
    for _ in range(9):
        closure |= {(a, d) for a, b in closure for c, d in closure if b == c}
    for place in range(9):
        assert Edges.of(pairs).reached(place) == {target for source, target in closure if source == place} - {place}


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("xyz"))))
def test_moved_is_a_mapping_to_all_that_an_id_leads_to(pairs: list[tuple[str, str]]) -> None:
    ordered = sorted(pairs)
    moved = Moved(StringColumn.of(a for a, _ in ordered), StringColumn.of(b for _, b in ordered))
    expected = {a: tuple(b for c, b in ordered if c == a) for a, _ in ordered}
    assert dict(moved) == expected
    assert len(moved) == len(expected)
    assert "d" not in moved

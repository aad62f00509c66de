"""Subsets counted by hand."""

from __future__ import annotations

import pytest

from medlink.evaluation.comparison import compare_systems
from medlink.evaluation.subsets import make_subsets
from tests.evaluation.tiny_set import make_query

QUERIES = (
    make_query("a", "Cyst", "D2"),  # 0
    make_query("a", "cyst", "D2"),  # 1: the same pair as 0
    make_query("b", "cyst", "D3"),  # 2: the same surface, another concept
    make_query("b", "cold", "D4|D5"),  # 3
    make_query("c", "cold", "D5|D4"),  # 4: the same pair as 3
    make_query("c", "colds and cysts", "D2+D4"),  # 5
    make_query("d", "cyst", "D2"),  # 6: the same pair as 0 and 1
)
SEEN = (make_query("z", "COLD", "D9"), make_query("z", "something", "D2|D8"))


def test_make_subsets_counted_by_hand() -> None:
    whole, pairs, surfaces, concepts = make_subsets(QUERIES, SEEN)
    assert (whole.name, whole.n, whole.rows) == ("all mentions", 7, tuple(range(7)))
    assert (pairs.name, pairs.n) == ("unique pairs", 4)
    assert pairs.weights == pytest.approx((1 / 3, 1 / 3, 1, 1 / 2, 1 / 2, 1, 1 / 3))
    # "cold" was seen, whatever it meant there; D2 was seen as one of two alternatives.
    assert (surfaces.name, surfaces.n, surfaces.rows) == ("unseen surfaces", 5, (0, 1, 2, 5, 6))
    assert (concepts.name, concepts.n, concepts.rows) == ("unseen concepts", 3, (2, 3, 4))


def test_make_subsets_without_seen_files_are_two() -> None:
    assert [subset.name for subset in make_subsets(QUERIES)] == ["all mentions", "unique pairs"]


def test_a_pair_that_is_ranked_by_document_counts_the_mean_of_its_mentions() -> None:
    ranks = {"one": [1, 0, 1, 1, 1, 0, 0], "two": [0] * 7}
    documents = [query.doc_id for query in QUERIES]
    _, pairs = compare_systems(ranks, documents, make_subsets(QUERIES), challenger="one", rivals=["two"])
    assert (pairs.n, pairs.n_documents) == (4, 4)
    assert pairs.systems["one"].acc1.value == pytest.approx((1 / 3 + 1 + 1 + 0) / 4)
    assert pairs.differences[0].acc1.value == pytest.approx(pairs.systems["one"].acc1.value)


def test_an_empty_subset_has_no_figures() -> None:
    subsets = make_subsets(QUERIES, QUERIES)
    documents = [query.doc_id for query in QUERIES]
    ranks = {"one": [1] * 7, "two": [2] * 7}
    *_, surfaces, concepts = compare_systems(ranks, documents, subsets, challenger="one", rivals=["two"])
    for subset in (surfaces, concepts):
        assert (subset.n, subset.n_documents, dict(subset.systems), subset.differences) == (0, 0, {}, ())

"""The kinds of misses: each by an example that was judged by hand, and nothing lost on any annotations."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medlink.evaluation.annotation_scores import mentions_of
from medlink.evaluation.annotations import Annotation
from medlink.evaluation.misses import Kind, Miss, count_kinds, find_misses

TEXT = "Renal cysts and MI with large, cystic kidneys; no fits."


def mark(surface: str, *concepts: str) -> Annotation:
    start = TEXT.index(surface)
    return Annotation("d", start, start + len(surface), surface, frozenset(concepts))


def related(one: str, other: str) -> bool:
    return {one, other} == {"CYST", "KIDNEY"}


def misses_of(gold: list[Annotation], predicted: list[Annotation]) -> tuple[Miss, ...]:
    return find_misses(gold, predicted, ["d"], related=related)


@pytest.mark.parametrize(
    ("kind", "gold", "predicted"),
    [
        (Kind.ABBREVIATION, [mark("MI", "HEART")], []),
        (Kind.ABBREVIATION, [], [mark("MI", "HEART")]),
        (Kind.ABBREVIATION, [mark("MI", "HEART")], [mark("MI", "BRAIN")]),
        (Kind.COORDINATION, [mark("large, cystic kidneys", "LARGE")], []),
        (Kind.COORDINATION, [mark("large, cystic kidneys", "LARGE")], [mark("cystic kidneys", "CYST")]),
        (Kind.BOUNDARY, [mark("cystic kidneys", "CYST")], [mark("kidneys", "CYST")]),
        (Kind.PARENT_OR_CHILD, [mark("cystic kidneys", "CYST")], [mark("kidneys", "KIDNEY")]),
        (Kind.WRONG_CONCEPT, [mark("cystic kidneys", "CYST")], [mark("cystic kidneys", "HEART")]),
        (Kind.MISSED, [mark("fits", "FIT")], []),
        (Kind.SPURIOUS, [], [mark("fits", "FIT")]),
    ],
)
def test_find_misses_tells_the_kind(kind: Kind, gold: list[Annotation], predicted: list[Annotation]) -> None:
    (miss,) = misses_of(gold, predicted)
    assert miss.kind is kind
    assert (miss.gold is not None, miss.predicted is not None) == (bool(gold), bool(predicted))


def test_find_misses_leaves_out_what_is_right() -> None:
    assert misses_of([mark("fits", "FIT")], [mark("fits", "FIT"), mark("fits", "FIT")]) == ()


def test_find_misses_gives_each_gold_mention_its_nearest_prediction() -> None:
    gold = [mark("cystic kidneys", "CYST"), mark("kidneys", "KIDNEY")]
    found = misses_of(gold, [mark("kidneys", "CYST"), mark("cystic kidneys", "HEART")])
    pairs = [(miss.kind, miss.gold and miss.gold.concept, miss.predicted and miss.predicted.concept) for miss in found]
    assert pairs == [(Kind.BOUNDARY, "CYST", "CYST"), (Kind.WRONG_CONCEPT, "KIDNEY", "HEART")]


def test_find_misses_of_a_composite_pairs_each_part() -> None:
    found = misses_of([mark("cystic kidneys", "CYST", "LARGE")], [mark("cystic kidneys", "CYST")])
    assert [(miss.kind, miss.gold and miss.gold.concept) for miss in found] == [(Kind.MISSED, "LARGE")]


def test_count_kinds_counts_both_sides_and_names_the_empty_ones() -> None:
    counts = count_kinds(
        misses_of([mark("fits", "FIT"), mark("cystic kidneys", "CYST")], [mark("kidneys", "CYST"), mark("MI", "A")])
    )
    assert list(counts) == list(Kind)
    assert {kind: pair for kind, pair in counts.items() if any(pair)} == {
        Kind.ABBREVIATION: (0, 1),
        Kind.BOUNDARY: (1, 1),
        Kind.MISSED: (1, 0),
    }


MARKS = st.lists(
    st.builds(
        lambda start, length, concept: Annotation("d", start, start + length, "x" * length, frozenset({concept})),
        st.integers(0, 12),
        st.integers(1, 6),
        st.sampled_from(["CYST", "KIDNEY", "FIT"]),
    ),
    max_size=10,
)


@given(MARKS, MARKS)
def test_find_misses_holds_every_error_once(gold: list[Annotation], predicted: list[Annotation]) -> None:
    found = misses_of(gold, predicted)
    left = [(one.start, one.end, one.concept) for one in (miss.gold for miss in found) if one]
    right = [(one.start, one.end, one.concept) for one in (miss.predicted for miss in found) if one]
    assert sorted(left) == sorted(mentions_of(gold) - mentions_of(predicted))
    assert sorted(right) == sorted(mentions_of(predicted) - mentions_of(gold))
    for miss in found:
        if miss.gold and miss.predicted:
            assert max(miss.gold.start, miss.predicted.start) < min(miss.gold.end, miss.predicted.end)

"""Precision, recall and F of annotations: counted by hand, and against slow loops on any annotations."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medlink.evaluation.annotation_scores import compare_annotations, score_annotations
from medlink.evaluation.annotations import Annotation
from medlink.evaluation.metrics import Retrieval

LEVELS = ("document", "mention", "span", "overlap")


def mark(doc_id: str, start: int, end: int, *concepts: str) -> Annotation:
    return Annotation(doc_id, start, end, "x" * (end - start), frozenset(concepts))


GOLD = (
    mark("a", 0, 5, "C1"),  # found
    mark("a", 10, 20, "C2", "C3"),  # C2 found, C3 not
    mark("a", 12, 15, "C1"),  # nested, only its document pair is found
    mark("a", 30, 35),  # no concept: a span, found
    mark("b", 0, 4, "C1"),  # another span
    mark("b", 8, 9, "C4"),  # nothing there
)
PREDICTED = (
    mark("a", 0, 5, "C1"),
    mark("a", 0, 5, "C1"),  # again
    mark("a", 10, 20, "C2"),
    mark("a", 30, 35, "C9"),
    mark("b", 2, 7, "C1"),
    mark("b", 20, 25),  # NIL
    mark("c", 0, 5, "C1"),  # of a document that nobody asked for
)


def shares(retrieval: Retrieval) -> tuple[float, float]:
    return retrieval.precision.value, retrieval.recall.value


def test_score_annotations_counted_by_hand() -> None:
    scores = score_annotations(GOLD, PREDICTED, ["a", "b"])
    # a: C1 C2 C9 against C1 C2 C3; b: C1 against C1 C4.
    assert (scores.document.n_predicted, scores.document.n_gold) == (4, 5)
    assert shares(scores.document) == (3 / 4, 3 / 5)
    # Right are (a, 0, 5, C1) and (a, 10, 20, C2).
    assert (scores.mention.n_predicted, scores.mention.n_gold) == (4, 6)
    assert shares(scores.mention) == (2 / 4, 2 / 6)
    assert (scores.span.n_predicted, scores.span.n_gold) == (4, 6)
    assert shares(scores.span) == (3 / 4, 3 / 6)
    # [12, 15) of a shares characters with [10, 20), and [0, 4) of b with [2, 7).
    assert shares(scores.overlap) == (4 / 4, 5 / 6)
    assert scores.document.f.value == pytest.approx(2 * (3 / 4) * (3 / 5) / (3 / 4 + 3 / 5))


def test_score_annotations_of_nothing_predicted_is_nothing() -> None:
    scores = score_annotations(GOLD, (), ["a", "b"])
    assert all(shares(getattr(scores, level)) == (0.0, 0.0) for level in LEVELS)
    assert scores.document.f.value == 0.0


def test_score_annotations_does_not_join_spans_that_only_touch() -> None:
    scores = score_annotations([mark("a", 0, 5, "C1")], [mark("a", 5, 9, "C1")], ["a"])
    assert shares(scores.overlap) == (0.0, 0.0)
    assert shares(scores.document) == (1.0, 1.0)


SPANS = st.tuples(st.integers(0, 12), st.integers(1, 6)).map(lambda pair: (pair[0], pair[0] + pair[1]))
ANNOTATIONS = st.lists(
    st.builds(
        lambda doc_id, span, concepts: mark(doc_id, *span, *concepts),
        st.sampled_from("ab"),
        SPANS,
        st.sets(st.sampled_from(["C1", "C2", "C3"]), max_size=2),
    ),
    max_size=12,
)


def slow_overlap(some: Sequence[Annotation], others: Sequence[Annotation]) -> tuple[int, int]:
    """How many distinct spans of some share a character with one of the others, and how many there are."""
    spans = {(one.doc_id, one.start, one.end) for one in some}
    hit = {
        (doc_id, start, end)
        for doc_id, start, end in spans
        for other in others
        if doc_id == other.doc_id and set(range(start, end)) & set(range(other.start, other.end))
    }
    return len(hit), len(spans)


@given(ANNOTATIONS, ANNOTATIONS)
def test_score_annotations_agrees_with_slow_loops(gold: list[Annotation], predicted: list[Annotation]) -> None:
    scores = score_annotations(gold, predicted, ["a", "b"])
    said = [one for one in predicted if one.concepts]
    pairs, said_pairs = ({(one.doc_id, c) for one in side for c in one.concepts} for side in (gold, said))
    assert shares(scores.document) == pytest.approx(
        (ratio(len(pairs & said_pairs), len(said_pairs)), ratio(len(pairs & said_pairs), len(pairs)))
    )
    assert shares(scores.overlap) == pytest.approx((ratio(*slow_overlap(said, gold)), ratio(*slow_overlap(gold, said))))


@given(ANNOTATIONS, ANNOTATIONS)
def test_score_annotations_swapped_swaps_precision_and_recall(
    gold: list[Annotation], predicted: list[Annotation]
) -> None:
    gold, predicted = ([one for one in side if one.concepts] for side in (gold, predicted))
    there, back = score_annotations(gold, predicted, "ab"), score_annotations(predicted, gold, "ab")
    for level in LEVELS:
        assert shares(getattr(there, level)) == shares(getattr(back, level))[::-1]


@given(ANNOTATIONS)
def test_score_annotations_of_itself_is_perfect_in_any_order(gold: list[Annotation]) -> None:
    gold = [one for one in gold if one.concepts]
    scores = score_annotations(gold, gold[::-1], ["a", "b"])
    assert all(shares(getattr(scores, level)) == ((1.0, 1.0) if gold else (0.0, 0.0)) for level in LEVELS)


def ratio(part: int, whole: int) -> float:
    return part / whole if whole else 0.0


def test_compare_annotations_is_the_difference_of_the_scores() -> None:
    gains = compare_annotations(GOLD, PREDICTED, PREDICTED[:2], ["a", "b"])
    ours, theirs = (score_annotations(GOLD, side, ["a", "b"]) for side in (PREDICTED, PREDICTED[:2]))
    for level in LEVELS:
        expected = getattr(ours, level).f.value - getattr(theirs, level).f.value
        assert gains[level].value == pytest.approx(expected)

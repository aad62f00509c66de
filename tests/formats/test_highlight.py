from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from medlink.formats.highlight import Run, nested_runs

TEXT = "abcdefghij"
SPANS = st.lists(st.tuples(st.integers(0, 9), st.integers(1, 10)).filter(lambda span: span[0] < span[1]), max_size=6)


def _covering(runs: list[Run]) -> list[set[int]]:
    """For every character the spans that are open around it, by playing the runs back."""
    stack: list[int] = []
    covering = []
    for run in runs:
        del stack[len(stack) - run.n_closed :]
        stack.extend(run.opened)
        covering.extend([set(stack) for _ in run.text])
    assert stack == [], "all is closed at the end"
    return covering


@settings(max_examples=50, deadline=None)
@given(spans=SPANS)
def test_nested_runs_cover_exactly_the_spans(spans: list[tuple[int, int]]) -> None:
    runs = list(nested_runs(TEXT, spans))
    assert "".join(run.text for run in runs) == TEXT
    expected = [{i for i, (start, end) in enumerate(spans) if start <= at < end} for at in range(len(TEXT))]
    assert _covering(runs) == expected


@settings(max_examples=50, deadline=None)
@given(spans=SPANS)
def test_nested_runs_open_every_span_afresh_once(spans: list[tuple[int, int]]) -> None:
    runs = list(nested_runs(TEXT, spans))
    fresh = [i for run in runs for i in run.opened if i not in run.resumed]
    assert sorted(fresh) == list(range(len(spans)))


def test_nested_runs_resume_the_inner_of_two_that_cross() -> None:
    assert list(nested_runs("abc", [(0, 2), (1, 3)])) == [
        Run(0, (0,), frozenset(), "a"),
        Run(0, (1,), frozenset(), "b"),
        Run(2, (1,), frozenset({1}), "c"),
        Run(1, (), frozenset(), ""),
    ]


def test_nested_runs_keep_equal_spans_in_order() -> None:
    assert [run.opened for run in nested_runs("ab", [(0, 2), (0, 2)])] == [(0, 1), ()]


def test_nested_runs_of_plain_and_empty_text() -> None:
    assert list(nested_runs("ab", [])) == [Run(0, (), frozenset(), "ab")]
    assert list(nested_runs("", [])) == []

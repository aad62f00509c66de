"""Overlapping spans of a text as properly nested runs, for formats that nest tags."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile


@dataclass(frozen=True, slots=True)
class Run:
    """A stretch of text that the same spans cover.

    :param n_closed: how many open spans end before it, the innermost first.
    :param opened: the indexes of the spans that open before it, the outermost first.
    :param resumed: those among them that were open already and were only closed to keep the nesting proper.
    """

    n_closed: int
    opened: tuple[int, ...]
    resumed: frozenset[int]
    text: str


def nested_runs(text: str, spans: Sequence[tuple[int, int]]) -> Iterator[Run]:
    """The text in runs, each with the spans to close and open before it; a last empty run closes what is open.

    Spans that start earlier lie outside, of those the longer, of equal ones the first. Where two cross, the inner one
    is closed at the outer one's end and resumed behind it.

    >>> [(run.n_closed, run.opened, run.text) for run in nested_runs("abcde", [(0, 3), (1, 2)])]
    [(0, (0,), 'a'), (0, (1,), 'b'), (1, (), 'c'), (1, (), 'de')]
    """
    outermost_first = sorted(range(len(spans)), key=lambda i: (spans[i][0], -spans[i][1], i))
    bounds = sorted({0, len(text), *(bound for span in spans for bound in span)})
    stack: list[int] = []
    seen: set[int] = set()
    waiting = 0
    for start, end in zip(bounds, [*bounds[1:], bounds[-1]], strict=True):
        wanted = [i for i in stack if spans[i][1] > start]
        while waiting < len(spans) and spans[outermost_first[waiting]][0] <= start:
            wanted.append(outermost_first[waiting])
            waiting += 1
        n_kept = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(stack, wanted, strict=False)))
        opened = tuple(wanted[n_kept:])
        run = Run(len(stack) - n_kept, opened, frozenset(seen.intersection(opened)), text[start:end])
        if run.n_closed or run.opened or run.text:
            yield run
        seen.update(opened)
        stack = wanted

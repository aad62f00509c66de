"""Seconds and memory of the process that a tool runs in, and what it says of a span."""

from __future__ import annotations

import resource
from collections.abc import Iterable


def peak_mib() -> int:
    """The most memory that this process has held so far, in MiB."""
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def concept_at(start: int, end: int, found: Iterable[tuple[int, int, str]]) -> tuple[str | None, bool]:
    """What was found at a span, and whether exactly there: else what shares most with it, the earliest of equals.

    >>> concept_at(5, 15, [(0, 8, "A"), (4, 15, "B"), (20, 25, "C")])
    ('B', False)
    >>> concept_at(5, 15, [(20, 25, "C")])
    (None, False)
    """
    overlapping = [one for one in found if one[0] < end and start < one[1]]
    if not overlapping:
        return None, False
    best = max(overlapping, key=lambda one: (_shared(start, end, one), -one[0]))
    return best[2], best[:2] == (start, end)


def _shared(start: int, end: int, one: tuple[int, int, str]) -> float:
    return (min(end, one[1]) - max(start, one[0])) / (max(end, one[1]) - min(start, one[0]))

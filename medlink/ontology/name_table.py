"""Normalised names and who bears them: a sparse matrix in rows, light enough for millions of names."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from medlink.records import Concept
from medlink.text import normalise


@dataclass(frozen=True, slots=True)
class NameTable:
    """Which concepts bear which normalised name.

    The entries of ``names[row]`` are ``bearers[i], spellings[i]`` for i in ``[starts[row], starts[row + 1])``.

    :param names: unique, in sorted runs; *length* n_names.
    :param starts: *length* n_names + 1.
    :param bearers: the place of the concept among all; *length* n_entries.
    :param spellings: which of that concept's ``names`` it is; *length* n_entries.
    :param runs: the first row of each run in which the names are sorted: one run, but for tables that were extended.
    """

    names: tuple[str, ...]
    starts: array[int]
    bearers: array[int]
    spellings: array[int]
    runs: tuple[int, ...] = (0,)

    def __post_init__(self) -> None:
        if len(self.starts) != len(self.names) + 1 or not len(self.bearers) == len(self.spellings) == self.starts[-1]:
            raise ValueError(
                f"name table: expected {len(self.names)} names, one start more and as many entries as the last start "
                f"says, got {len(self.starts)} starts and {len(self.bearers)} and {len(self.spellings)} entries"
            )

    def row_of(self, name: str) -> int | None:
        """The row of a normalised name."""
        for start, end in zip(self.runs, (*self.runs[1:], len(self.names)), strict=True):
            row = bisect_left(self.names, name, start, end)
            if row < end and self.names[row] == name:
                return row
        return None

    def entries(self, row: int) -> list[tuple[int, int]]:
        """The (place of the concept, which of its names) of a row."""
        span = slice(self.starts[row], self.starts[row + 1])
        return list(zip(self.bearers[span], self.spellings[span], strict=True))

    def extended(self, entries: Mapping[str, Sequence[tuple[int, int]]]) -> NameTable:
        """The table with other entries for some names: rows keep their place, new names follow sorted, as a run.

        :param entries: the (place of the concept, which of its names) of each name, all of them and in their order.
        """
        new = sorted(name for name in entries if self.row_of(name) is None)
        changed = sorted((row, name) for name in entries if (row := self.row_of(name)) is not None)
        starts, bearers, spellings = array("I"), array("I"), array("I")

        def copy(first: int, last: int) -> None:
            """Takes over the rows [first, last)."""
            span, moved = slice(self.starts[first], self.starts[last]), len(bearers) - self.starts[first]
            starts.extend(self.starts[first:last] if not moved else [n + moved for n in self.starts[first:last]])
            bearers.extend(self.bearers[span])
            spellings.extend(self.spellings[span])

        def add(name: str) -> None:
            starts.append(len(bearers))
            bearers.extend(place for place, _ in entries[name])
            spellings.extend(spelling for _, spelling in entries[name])

        done = 0
        for row, name in changed:
            copy(done, row)
            add(name)
            done = row + 1
        copy(done, len(self.names))
        for name in new:
            add(name)
        starts.append(len(bearers))
        runs = (*self.runs, len(self.names)) if new else self.runs
        return NameTable((*self.names, *new), starts, bearers, spellings, runs)


def find_runs(names: Sequence[str]) -> tuple[int, ...]:
    """The first place of each run in which some names ascend."""
    return (0, *(row for row, (before, after) in enumerate(pairwise(names), 1) if after < before))


def tabulate(concepts: Sequence[Concept]) -> NameTable:
    """The table of the concepts' names; names that normalise to nothing are left out.

    A row's entries come by (scope rank, place), each concept once, with its most trusted spelling.

    :param concepts: sorted by id, so that ties break by id.
    """
    entries: list[tuple[str, int, int, int]] = []
    for place, concept in enumerate(concepts):
        seen = set[str]()
        by_trust = sorted(enumerate(concept.names), key=lambda p: (p[1].scope.rank, p[1].text, p[1].kind))
        for spelling, name in by_trust:
            key = normalise(name.text)
            if key and key not in seen:
                seen.add(key)
                entries.append((key, name.scope.rank, place, spelling))
    entries.sort()
    names, starts = list[str](), array("I")
    for number, entry in enumerate(entries):
        if not names or names[-1] != entry[0]:
            names.append(entry[0])
            starts.append(number)
    starts.append(len(entries))
    return NameTable(tuple(names), starts, array("I", [e[2] for e in entries]), array("I", [e[3] for e in entries]))

"""Normalised names and who bears them: a sparse matrix in rows, light enough for millions of names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from operator import itemgetter

import numpy as np
from numpy.typing import NDArray

from medlink.ontology.columns import Chained, find_sorted
from medlink.records import Concept
from medlink.text import normalise


@dataclass(frozen=True, slots=True, eq=False)
class NameTable:
    """Which concepts bear which normalised name.

    The entries of ``names[row]`` are ``bearers[i], spellings[i]`` for i in ``[starts[row], starts[row + 1])``, but for
    the rows in ``changed``, those behind the last start among them.

    :param names: unique, in sorted runs; *length* n_names.
    :param starts: *Shape:* (n_stored + 1,), of the first rows, or of all.
    :param bearers: the place of the concept among all. *Shape:* (n_entries,).
    :param spellings: which of that concept's ``names`` it is. *Shape:* (n_entries,).
    :param runs: the first row of each run in which the names are sorted: one run, but for tables that were extended.
    :param changed: the (place of the concept, which of its names) of rows that were changed or added.
    """

    names: Sequence[str]
    starts: NDArray[np.int64]
    bearers: NDArray[np.int32]
    spellings: NDArray[np.int32]
    runs: tuple[int, ...] = (0,)
    changed: Mapping[int, Sequence[tuple[int, int]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        n_stored = len(self.starts) - 1
        added = sum(row >= n_stored for row in self.changed)
        if n_stored + added != len(self.names) or not len(self.bearers) == len(self.spellings) == self.starts[-1]:
            raise ValueError(
                f"name table: expected {len(self.names)} names, one start more and as many entries as the last start "
                f"says, got {n_stored + 1} starts, {added} added names, and {len(self.bearers)} and "
                f"{len(self.spellings)} entries"
            )

    def row_of(self, name: str) -> int | None:
        """The row of a normalised name."""
        for start, end in zip(self.runs, (*self.runs[1:], len(self.names)), strict=True):
            if (row := find_sorted(self.names, name, start, end)) is not None:
                return row
        return None

    def entries(self, row: int) -> Sequence[tuple[int, int]]:
        """The (place of the concept, which of its names) of a row."""
        if row in self.changed:
            return self.changed[row]
        span = slice(self.starts.item(row), self.starts.item(row + 1))
        return list(zip(self.bearers[span].tolist(), self.spellings[span].tolist(), strict=True))

    def extended(self, entries: Mapping[str, Sequence[tuple[int, int]]]) -> NameTable:
        """The table with other entries for some names: rows keep their place, new names follow sorted, as a run.

        :param entries: the (place of the concept, which of its names) of each name, all of them and in their order.
        """
        rows = {name: self.row_of(name) for name in entries}
        new = sorted(name for name, row in rows.items() if row is None)
        changed = dict(self.changed) | {row: entries[name] for name, row in rows.items() if row is not None}
        changed |= {row: entries[name] for row, name in enumerate(new, len(self.names))}
        runs = (*self.runs, len(self.names)) if new else self.runs
        names = Chained(self.names, tuple(new)) if new else self.names
        return replace(self, names=names, runs=runs, changed=changed)

    def flattened(self) -> NameTable:
        """The same with no row in ``changed``."""
        if not self.changed:
            return self
        entries = [self.entries(row) for row in range(len(self.names))]
        return _table(self.names, entries, self.runs)


def _table(
    names: Sequence[str], entries: Sequence[Sequence[tuple[int, int]]], runs: tuple[int, ...] = (0,)
) -> NameTable:
    starts = np.zeros(len(names) + 1, np.int64)
    np.cumsum([len(row) for row in entries], out=starts[1:])
    flat = np.array([pair for row in entries for pair in row], np.int32).reshape(-1, 2)
    return NameTable(names, starts, flat[:, 0].copy(), flat[:, 1].copy(), runs)


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
    grouped = [(name, list(rows)) for name, rows in groupby(entries, key=itemgetter(0))]
    names = tuple(name for name, _ in grouped)
    return _table(names, [[(place, spelling) for _, _, place, spelling in rows] for _, rows in grouped])

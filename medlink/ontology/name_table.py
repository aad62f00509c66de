"""Normalised names and who bears them: a sparse matrix in rows, light enough for millions of names."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

from medlink.records import Concept
from medlink.text import normalise


@dataclass(frozen=True, slots=True)
class NameTable:
    """Which concepts bear which normalised name.

    The entries of ``names[row]`` are ``bearers[i], spellings[i]`` for i in ``[starts[row], starts[row + 1])``.

    :param names: unique, sorted; *length* n_names.
    :param starts: *length* n_names + 1.
    :param bearers: the place of the concept among all; *length* n_entries.
    :param spellings: which of that concept's ``names`` it is; *length* n_entries.
    """

    names: tuple[str, ...]
    starts: array[int]
    bearers: array[int]
    spellings: array[int]

    def __post_init__(self) -> None:
        if len(self.starts) != len(self.names) + 1 or not len(self.bearers) == len(self.spellings) == self.starts[-1]:
            raise ValueError(
                f"name table: expected {len(self.names)} names, one start more and as many entries as the last start "
                f"says, got {len(self.starts)} starts and {len(self.bearers)} and {len(self.spellings)} entries"
            )

    def row_of(self, name: str) -> int | None:
        """The row of a normalised name."""
        row = bisect_left(self.names, name)
        return row if row < len(self.names) and self.names[row] == name else None

    def entries(self, row: int) -> list[tuple[int, int]]:
        """The (place of the concept, which of its names) of a row."""
        span = slice(self.starts[row], self.starts[row + 1])
        return list(zip(self.bearers[span], self.spellings[span], strict=True))


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

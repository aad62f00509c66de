"""Many strings, and relations between places, in arrays that may be mapped from files: no object for each of them."""

from __future__ import annotations

import hashlib
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, groupby, pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medlink.ontology.lazy import Lazy

# Strings that an iteration decodes at once.
_BLOCK = 4096


class StringColumn(Lazy[str]):
    """Strings one after the other in UTF-8.

    :param data: all bytes. *Shape:* (n_bytes,), uint8.
    :param bounds: where each string begins, and the last one ends. *Shape:* (n_strings + 1,), int64.
    :raises ValueError: when the bounds are not those of the bytes.
    """

    def __init__(self, data: NDArray[np.uint8], bounds: NDArray[np.int64]) -> None:
        if not len(bounds) or bounds[0] != 0 or bounds[-1] != len(data):
            raise ValueError(f"the bounds of {len(data)} bytes do not begin at 0 and end there")
        self._data, self._bounds = data.data, bounds

    @classmethod
    def of(cls, strings: Iterable[str]) -> StringColumn:
        """The column of some strings."""
        encoded = [string.encode() for string in strings]
        bounds = np.zeros(len(encoded) + 1, np.int64)
        np.cumsum([len(piece) for piece in encoded], out=bounds[1:])
        return cls(np.frombuffer(b"".join(encoded), np.uint8), bounds)

    def __reduce__(self) -> tuple[type[StringColumn], tuple[NDArray[np.uint8], NDArray[np.int64]]]:
        return StringColumn, (np.frombuffer(self._data, np.uint8), np.asarray(self._bounds))

    def write(self, folder: Path, name: str) -> list[Path]:
        """Write ``NAME.npy`` and ``NAME-bounds.npy``, and say so."""
        data, bounds = folder / f"{name}.npy", folder / f"{name}-bounds.npy"
        np.save(data, np.frombuffer(self._data, np.uint8))
        np.save(bounds, self._bounds)
        return [data, bounds]

    @classmethod
    def read(cls, folder: Path, name: str) -> StringColumn:
        """The column that :meth:`write` wrote, mapped.

        :raises OSError: when a file is missing.
        :raises ValueError: when one is damaged.
        """
        return cls(read_array(folder / f"{name}.npy"), read_array(folder / f"{name}-bounds.npy"))

    @cached_property
    def digest(self) -> str:
        """See :func:`digest_of`."""
        return hashlib.sha256(hashlib.sha256(self._data).digest() + self._bounds.tobytes()).hexdigest()

    def __len__(self) -> int:
        return len(self._bounds) - 1

    def _at(self, place: int) -> str:
        return str(self._data[self._bounds.item(place) : self._bounds.item(place + 1)], "utf-8")

    def __iter__(self) -> Iterator[str]:
        for first in range(0, len(self), _BLOCK):
            bounds = self._bounds[first : first + _BLOCK + 1].tolist()
            data = bytes(self._data[bounds[0] : bounds[-1]])
            for start, end in pairwise(bounds):
                yield data[start - bounds[0] : end - bounds[0]].decode()


class Chained(Lazy[str]):
    """Some strings behind others."""

    def __init__(self, first: Sequence[str], then: Sequence[str]) -> None:
        self._first, self._then, self._n_first = first, then, len(first)

    def __len__(self) -> int:
        return self._n_first + len(self._then)

    def _at(self, place: int) -> str:
        return self._first[place] if place < self._n_first else self._then[place - self._n_first]

    def __iter__(self) -> Iterator[str]:
        return chain(self._first, self._then)


def digest_of(strings: Sequence[str]) -> str:
    """The hex sha256 of some strings in their order; that of a column takes a second for a gigabyte, and that once."""
    return strings.digest if isinstance(strings, StringColumn) else StringColumn.of(strings).digest


def find_sorted(strings: Sequence[str], wanted: str, start: int = 0, end: int | None = None) -> int | None:
    """The first place of a string among sorted ones."""
    stop = len(strings) if end is None else end
    place = bisect_left(strings, wanted, start, stop)
    return place if place < stop and strings[place] == wanted else None


@dataclass(frozen=True, slots=True, eq=False)
class Edges:
    """A relation between places.

    :param sources: ascending. *Shape:* (n_edges,), int32.
    :param targets: those of one source ascend. *Shape:* (n_edges,), int32.
    """

    sources: NDArray[np.int32]
    targets: NDArray[np.int32]

    @classmethod
    def of(cls, pairs: Iterable[tuple[int, int]]) -> Edges:
        """The relation of some (source, target)."""
        table = np.array(sorted(set(pairs)), np.int32).reshape(-1, 2)
        return cls(np.ascontiguousarray(table[:, 0]), np.ascontiguousarray(table[:, 1]))

    def reversed(self) -> Edges:
        """The relation the other way round."""
        order = np.lexsort((self.sources, self.targets))
        return Edges(self.targets[order], self.sources[order])

    def targets_of(self, source: int) -> list[int]:
        """Where the edges of a place lead."""
        low, high = np.searchsorted(self.sources, np.array((source, source + 1), self.sources.dtype))
        found: list[int] = self.targets[low:high].tolist()
        return found

    def reached(self, source: int) -> set[int]:
        """All places that edges lead to from one, through any number of others; not itself."""
        found, waiting = set[int](), [source]
        while waiting:
            new = [place for place in self.targets_of(waiting.pop()) if place not in found]
            found.update(new)
            waiting.extend(new)
        return found - {source}


class Moved(Mapping[str, Sequence[str]]):
    """Where ids lead.

    :param old: sorted, one for each place that it leads to.
    :param new: where it leads.
    """

    def __init__(self, old: Sequence[str], new: Sequence[str]) -> None:
        self._old, self._new = old, new

    def __getitem__(self, concept_id: str) -> Sequence[str]:
        low, high = bisect_left(self._old, concept_id), bisect_right(self._old, concept_id)
        if low == high:
            raise KeyError(concept_id)
        return self._new[low:high]

    def __iter__(self) -> Iterator[str]:
        return (old for old, _ in groupby(self._old))

    def __len__(self) -> int:
        return sum(1 for _ in self)


def read_array(path: Path) -> NDArray[Any]:
    """An array that numpy wrote, mapped; an empty one is read.

    :raises OSError: when the file is missing.
    :raises ValueError: when it is damaged.
    """
    try:
        return np.asarray(np.load(path, mmap_mode="r", allow_pickle=False))
    except (EOFError, IndexError) as error:
        raise ValueError(f"{path.name} is no array") from error

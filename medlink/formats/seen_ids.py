"""Which ids were there before, in sixteen bytes each: of tens of millions of notes a set of strings takes gigabytes."""

from __future__ import annotations

import hashlib
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

# Ids that are kept one by one before they are sorted into a run.
_RECENT = 1 << 16
# Both halves of each key, by the first one.
_Run: TypeAlias = tuple[NDArray[np.uint64], NDArray[np.uint64]]


class SeenIds:
    """A set of ids that only grows.

    What it keeps are hashes of 128 bits: that two of a billion ids have the same has a chance of 10**-21. They lie in
    sorted runs, each longer than the one behind it, so there are few of them.
    """

    def __init__(self, *, recent: int = _RECENT) -> None:
        self._most_recent = recent
        self._recent = set[bytes]()
        self._runs: list[_Run] = []

    def __len__(self) -> int:
        return len(self._recent) + sum(len(first) for first, _ in self._runs)

    def add(self, doc_id: str) -> bool:
        """Takes an id, and says whether it is new."""
        key = hashlib.blake2b(doc_id.encode("utf-8", "surrogatepass"), digest_size=16).digest()
        if key in self._recent or any(_holds(run, key) for run in self._runs):
            return False
        self._recent.add(key)
        if len(self._recent) >= self._most_recent:
            self._sort_in()
        return True

    def _sort_in(self) -> None:
        halves = np.frombuffer(b"".join(self._recent), np.uint64).reshape(-1, 2)
        run = _sorted(halves[:, 0], halves[:, 1])
        self._recent.clear()
        while self._runs and len(self._runs[-1][0]) <= len(run[0]):
            before = self._runs.pop()
            run = _sorted(np.concatenate([before[0], run[0]]), np.concatenate([before[1], run[1]]))
        self._runs.append(run)


def _sorted(first: NDArray[np.uint64], second: NDArray[np.uint64]) -> _Run:
    order = np.argsort(first, kind="stable")
    return first[order], second[order]


def _holds(run: _Run, key: bytes) -> bool:
    first, second = np.frombuffer(key, np.uint64)
    place = int(np.searchsorted(run[0], first))
    while place < len(run[0]) and run[0][place] == first:
        if run[1][place] == second:
            return True
        place += 1
    return False

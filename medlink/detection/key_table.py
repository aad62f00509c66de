"""One table of order-free name keys, in which any number of text windows are looked up at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medlink.detection.words import Words, content_words_of, hash_stem, stem
from medlink.ontology.columns import read_array
from medlink.text import FUNCTION_WORDS

# Slots of the presence filter per name: one window in sixteen that is no name passes it by chance.
_SLOTS_PER_NAME = 16


@dataclass(frozen=True, slots=True)
class KeyTable:
    """The names of a lexicon by the sum of their content words' hashes.

    The sum is taken modulo 2**64. It does not depend on the order of the words, and the sum of any window of a text is
    a difference of two prefix sums: looking up all windows of a text costs the same for one name and for a million.
    Equal words give equal keys; unequal words do so with a chance of 2**-64 a pair, so whoever uses a row compares
    the words.

    :param keys: in ascending order. *Shape:* (n_keys,).
    :param rows: the name's row in the lexicon, for each key. *Shape:* (n_keys,).
    :param lengths: the numbers of content words that names have, ascending.
    :param present: whether a key with these low bits exists. *Shape:* (a power of two,).
    """

    keys: NDArray[np.uint64]
    rows: NDArray[np.int64]
    lengths: tuple[int, ...]
    present: NDArray[np.bool_]

    @classmethod
    def build(cls, names: Iterable[tuple[int, str]], *, written: Callable[[int], Iterable[str]]) -> KeyTable:
        """The table of normalised names, each with its row; those of function words alone are left out.

        :param names: normal forms, as :func:`medlink.text.normalise` gives them.
        :param written: gives the ways in which the ontology writes the name of a row; asked only where the normal form
            does not tell "A" from "a".
        """
        return _EMPTY.extended(names, written=written)

    def extended(self, names: Iterable[tuple[int, str]], *, written: Callable[[int], Iterable[str]]) -> KeyTable:
        """The table with other names, or other ways to write one; see :meth:`build`."""
        keyed: set[tuple[int, int]] = set()
        lengths = set(self.lengths)
        for row, name in names:
            texts = {content_words_of(text).norms for text in written(row)} if " a " in f"{name} " else {_content(name)}
            for words in filter(None, texts):
                stems = tuple(map(stem, words))
                keyed.add((_key(stems), row))
                lengths.add(len(stems))
        if len(self.keys):
            keyed = {(key, row) for key, row in keyed if row not in self._rows_of(key)}
        ordered = sorted(keyed)
        new = np.array([key for key, _ in ordered], np.uint64)
        at = np.searchsorted(self.keys, new, side="right")
        keys, rows = np.insert(self.keys, at, new), np.insert(self.rows, at, [row for _, row in ordered])
        return KeyTable(keys, rows, tuple(sorted(lengths)), self._with_present(new))

    def _with_present(self, new: NDArray[np.uint64]) -> NDArray[np.bool_]:
        n_slots = 1 << max(8, (_SLOTS_PER_NAME * (len(self.keys) + len(new))).bit_length())
        present = np.array(self.present) if len(self.keys) else np.zeros(n_slots, dtype=np.bool_)
        present[new & np.uint64(len(present) - 1)] = True
        return present

    def _rows_of(self, key: int) -> list[int]:
        return next((rows for _, rows in self.lookup(np.array([key], np.uint64))), [])

    def write(self, folder: Path) -> None:
        """Write its files into a folder."""
        for name, values in self._arrays().items():
            np.save(folder / f"{name}.npy", values)

    def _arrays(self) -> dict[str, NDArray[Any]]:
        lengths = np.array(self.lengths, np.int64)
        return {"keys": self.keys, "key-rows": self.rows, "key-lengths": lengths, "keys-present": self.present}

    @classmethod
    def read(cls, folder: Path) -> KeyTable:
        """The table of a folder, mapped.

        :raises OSError: when a file is missing.
        :raises ValueError: when one is damaged.
        """
        names = ("keys", "key-rows", "key-lengths", "keys-present")
        keys, rows, lengths, present = (read_array(folder / f"{name}.npy") for name in names)
        return cls(keys, rows, tuple(lengths.tolist()), present)

    def lookup(self, keys: NDArray[np.uint64]) -> Iterator[tuple[int, list[int]]]:
        """The keys that are there, each by its place in what was asked, with its rows.

        :param keys: *Shape:* (n_asked,).
        """
        possible = np.flatnonzero(self.present[keys & np.uint64(len(self.present) - 1)])
        lows = np.searchsorted(self.keys, keys[possible], side="left")
        highs = np.searchsorted(self.keys, keys[possible], side="right")
        for place, low, high in zip(possible.tolist(), lows.tolist(), highs.tolist(), strict=True):
            if low < high:
                yield place, self.rows[low:high].tolist()

    def windows(self, words: Words) -> Iterator[tuple[int, int, list[int]]]:
        """The windows ``[first, last)`` of a text's content words that cross no break, each with the rows of its key.

        Shortest first, then from left to right.
        """
        if not words.norms or not len(self.keys):
            return
        sums, segments = words.prefix_sums(), words.segments()
        longest = int(np.bincount(segments).max())
        for n_words in self.lengths:
            if n_words > longest:
                return
            unbroken = np.flatnonzero(segments[n_words - 1 :] == segments[: len(segments) - n_words + 1])
            for place, rows in self.lookup((sums[n_words:] - sums[:-n_words])[unbroken]):
                first = int(unbroken[place])
                yield first, first + n_words, rows


_EMPTY = KeyTable(np.empty(0, np.uint64), np.empty(0, np.int64), (), np.zeros(1, np.bool_))


def _content(name: str) -> tuple[str, ...]:
    return tuple(word for word in name.split() if word not in FUNCTION_WORDS)


def _key(stems: Iterable[str]) -> int:
    return sum(map(hash_stem, stems)) % 2**64

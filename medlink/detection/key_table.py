"""One table of order-free name keys, in which any number of text windows are looked up at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from medlink.detection.words import Words, content_words_of, hash_stem, stem
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
    def build(cls, names: Sequence[str], *, written: Callable[[int], Iterable[str]]) -> KeyTable:
        """The table of normalised names; those of function words alone are left out.

        :param names: normal forms, as :func:`medlink.text.normalise` gives them.
        :param written: gives the ways in which the ontology writes the name of a row; asked only where the normal form
            does not tell "A" from "a".
        """
        named = (
            (words, row)
            for row, name in enumerate(names)
            for words in (
                {content_words_of(text).norms for text in written(row)} if " a " in f"{name} " else {_content(name)}
            )
            if words
        )
        return cls.of_pairs((tuple(map(stem, words)), row) for words, row in named)

    @classmethod
    def of_pairs(cls, pairs: Iterable[tuple[Sequence[str], int]]) -> KeyTable:
        """The table of some stems and the rows that they stand for."""
        keyed: set[tuple[int, int]] = set()
        lengths: set[int] = set()
        for stems, row in pairs:
            keyed.add((_key(stems), row))
            lengths.add(len(stems))
        ordered = sorted(keyed)
        keys = np.array([key for key, _ in ordered], dtype=np.uint64)
        present = np.zeros(1 << max(8, (_SLOTS_PER_NAME * len(ordered)).bit_length()), dtype=np.bool_)
        present[keys & np.uint64(len(present) - 1)] = True
        rows = np.array([row for _, row in ordered], dtype=np.int64)
        return cls(keys, rows, tuple(sorted(lengths)), present)

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


def _content(name: str) -> tuple[str, ...]:
    return tuple(word for word in name.split() if word not in FUNCTION_WORDS)


def _key(stems: Iterable[str]) -> int:
    return sum(map(hash_stem, stems)) % 2**64

"""Names as words, and words as n-grams: what it takes to score a few of millions of names by all their n-grams."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medlink.index.arrays import map_array

Integers = NDArray[np.integer[Any]]


@dataclass(frozen=True, slots=True, eq=False)
class Spelling:
    """The words of names and their n-grams. N-grams do not cross words, so what words have of them adds up.

    The words of a name are ``words[i]`` for i in ``[name_starts[row], name_starts[row + 1])``, the n-grams of a word
    ``ngrams[i]``, each ``counts[i]`` times, for i in ``[word_starts[word], word_starts[word + 1])``.

    :param name_starts: *Shape:* (n_names + 1,).
    :param words: one that a name holds twice is there twice. *Shape:* (n_words_of_names,).
    :param word_starts: *Shape:* (n_words + 1,).
    :param ngrams: *Shape:* (n_ngrams_of_words,).
    :param counts: *Shape:* (n_ngrams_of_words,).
    """

    name_starts: Integers
    words: Integers
    word_starts: Integers
    ngrams: Integers
    counts: Integers

    def add_up(self, weights: NDArray[np.float64], rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """What some names have of weighted n-grams, each as often as they hold it. *Shape:* (n_rows,).

        :param weights: of each n-gram. *Shape:* (n_ngrams,).
        """
        if not len(rows):
            return np.zeros(0)
        places, firsts = _ranges(self.name_starts, rows)
        words, which = np.unique(self.words[places], return_inverse=True)
        spelled, word_firsts = _ranges(self.word_starts, words)
        # Every name has a word, and every word an n-gram: no range is empty.
        of_words = np.add.reduceat(weights[self.ngrams[spelled]] * self.counts[spelled], word_firsts)
        return np.asarray(np.add.reduceat(of_words[which], firsts))

    def write(self, folder: Path) -> None:
        """Write the arrays into an existing folder."""
        for field in fields(self):
            np.save(folder / f"spelling_{field.name}.npy", getattr(self, field.name))

    @classmethod
    def read(cls, folder: Path) -> Spelling:
        """The memory-mapped arrays of a folder."""
        return cls(*(map_array(folder / f"spelling_{field.name}.npy") for field in fields(cls)))


def join_spellings(parts: Sequence[Spelling]) -> Spelling:
    """The spelling of some names and those behind them as one; words of several parts are there several times."""
    if len(parts) == 1:
        return parts[0]
    n_words = np.cumsum([0, *(len(part.word_starts) - 1 for part in parts)])
    words = [part.words + first for part, first in zip(parts, n_words, strict=False)]
    return Spelling(
        _join_starts([part.name_starts for part in parts]),
        np.concatenate(words).astype(np.int32),
        _join_starts([part.word_starts for part in parts]),
        np.concatenate([part.ngrams for part in parts]),
        np.concatenate([part.counts for part in parts]),
    )


def _join_starts(parts: Sequence[Integers]) -> Integers:
    lengths = np.concatenate([np.diff(part) for part in parts])
    return np.asarray(np.concatenate([[0], np.cumsum(lengths)]), parts[0].dtype)


def _ranges(starts: Integers, rows: Integers) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """All places of some rows, one row after the other, and where each row's begin among them."""
    own = starts[rows].astype(np.int64)
    lengths = starts[np.asarray(rows, np.int64) + 1] - own
    ends = np.cumsum(lengths)
    firsts = ends - lengths
    return np.arange(ends[-1]) + np.repeat(own - firsts, lengths), firsts

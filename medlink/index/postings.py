"""Which names hold which n-gram: counted by word, kept in arrays that may be memory-mapped files."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray
from scipy import sparse

from medlink.index.arrays import make_array, map_array
from medlink.index.spelling import Spelling, join_spellings

# The setting behind the TF-IDF rows of the field's tables: n-grams that do not cross word borders.
NGRAM_LENGTHS = (2, 3, 4)
# Names whose n-grams are counted at a time: bounds memory, changes no figure.
_BLOCK = 1 << 16
_FILES = ("ngram_starts.npy", "ngram_rows.npy", "ngram_counts.npy", "ngram_lengths.npy")


@dataclass(frozen=True, slots=True)
class Postings:
    """For each n-gram the names that hold it: those of ``rows[i]`` for i in ``[starts[column], starts[column + 1])``.

    :param starts: *Shape:* (n_ngrams + 1,), int64.
    :param rows: *Shape:* (n_postings,), int32, ascending for each n-gram.
    :param counts: how often the name holds it. *Shape:* (n_postings,), unsigned integers.
    :param lengths: the length of each name's vector of counts times idf, infinite where the name is to score nothing.
        *Shape:* (n_names,), float64.
    :param spelling: the same the other way round.
    """

    starts: NDArray[np.int64]
    rows: NDArray[np.int32]
    counts: NDArray[np.uint8] | NDArray[np.uint16]
    lengths: NDArray[np.float64]
    spelling: Spelling

    @property
    def arrays(self) -> tuple[NDArray[np.generic], ...]:
        """The first four, in their order."""
        return self.starts, self.rows, self.counts, self.lengths

    def with_ngrams(self, n_ngrams: int) -> Postings:
        """The same postings beside n-grams that none of these names holds."""
        more = np.full(n_ngrams + 1 - len(self.starts), self.starts[-1])
        return replace(self, starts=np.concatenate([self.starts, more]))

    def weights(self) -> NDArray[np.float64]:
        """The counts over the lengths of their names. *Shape:* (n_postings,)."""
        return np.asarray(self.counts / self.lengths[self.rows])

    def write(self, folder: Path) -> None:
        """Writes the arrays into an existing folder."""
        for file, values in zip(_FILES, self.arrays, strict=True):
            np.save(folder / file, values)
        self.spelling.write(folder)

    @classmethod
    def read(cls, folder: Path) -> Postings:
        """The memory-mapped postings of a folder."""
        starts, rows, counts, lengths = (map_array(folder / file) for file in _FILES)
        return cls(starts, rows, counts, lengths, Spelling.read(folder))


@dataclass(frozen=True, slots=True)
class NgramCounts:
    """How often names hold n-grams, by way of their words: n-grams do not cross words, so the counts of words add.

    :param ngrams: sorted.
    :param words: *Shape:* (n_names, n_words), CSR, int32; a word that a name holds twice has two entries.
    :param spelled: *Shape:* (n_words, n_ngrams), CSR, int32.
    """

    ngrams: tuple[str, ...]
    words: sparse.csr_matrix
    spelled: sparse.csr_matrix

    def blocks(self) -> Iterator[sparse.csr_matrix]:
        """The counts of some thousand names after the other. *Shape:* (n_names, n_ngrams), CSR, columns ascending."""
        for start in range(0, self.words.shape[0], _BLOCK):
            counts = sparse.csr_matrix(self.words[start : start + _BLOCK] @ self.spelled)
            counts.sort_indices()
            yield counts

    @property
    def spelling(self) -> Spelling:
        """The words of the names and their n-grams."""
        spelled = self.spelled
        counts = spelled.data.astype(np.min_scalar_type(int(spelled.data.max(initial=0))))
        return Spelling(self.words.indptr, self.words.indices, spelled.indptr, spelled.indices, counts)

    @property
    def largest(self) -> int:
        """What no count exceeds."""
        n_words = np.diff(self.words.indptr).max(initial=0)
        return int(self.spelled.data.max(initial=0)) * int(n_words)

    def document_frequency(self) -> NDArray[np.int64]:
        """In how many names each n-gram is. *Shape:* (n_ngrams,)."""
        frequency = np.zeros(len(self.ngrams), np.int64)
        for counts in self.blocks():
            frequency += np.bincount(counts.indices, minlength=len(self.ngrams))
        return frequency


def count_ngrams(names: Sequence[str], known: Mapping[str, int] | None = None) -> NgramCounts:
    """The n-grams of some names.

    :param names: normalised.
    :param known: columns of n-grams that come first and in this order, whether or not the names hold them.
    """
    vocabulary: dict[str, int] = {}
    ids, ends = array("i"), array("q", [0])
    for name in names:
        ids.extend([vocabulary.setdefault(word, len(vocabulary)) for word in name.split()])
        ends.append(len(ids))
    first = known or {}
    new = sorted({ngram for word in vocabulary for ngram in ngrams_of_word(word) if ngram not in first})
    columns = {**first, **{ngram: column for column, ngram in enumerate(new, len(first))}}
    indices, counts, word_ends = array("i"), array("i"), array("q", [0])
    for word in vocabulary:
        spelling = Counter(ngrams_of_word(word))
        indices.extend([columns[ngram] for ngram in spelling])
        counts.extend(spelling.values())
        word_ends.append(len(indices))
    words = (np.ones(len(ids), np.int32), np.array(ids, np.int32), np.array(ends, np.int64))
    spelled = (np.array(counts, np.int32), np.array(indices, np.int32), np.array(word_ends, np.int64))
    return NgramCounts(
        tuple(columns),
        sparse.csr_matrix(words, shape=(len(names), len(vocabulary))),
        sparse.csr_matrix(spelled, shape=(len(vocabulary), len(columns))),
    )


def build_postings(
    counts: NgramCounts, frequency: NDArray[np.int64], idf: NDArray[np.float32], folder: Path | None = None
) -> Postings:
    """The postings of counted n-grams, put together block by block.

    :param frequency: in how many names each n-gram is. *Shape:* (n_ngrams,).
    :param idf: *Shape:* (n_ngrams,).
    :param folder: where to write them as they are built, so that they are never in memory as a whole.
    """
    starts = np.concatenate([[0], np.cumsum(frequency)]).astype(np.int64)
    n_names, n_postings = counts.words.shape[0], int(starts[-1])
    postings = Postings(
        starts,
        _make("ngram_rows.npy", n_postings, np.int32, folder),
        _make("ngram_counts.npy", n_postings, np.min_scalar_type(counts.largest), folder),
        np.empty(n_names, np.float64),
        counts.spelling,
    )
    cursor, first = starts[:-1].copy(), 0
    for block in counts.blocks():
        names = np.repeat(np.arange(block.shape[0]), np.diff(block.indptr))
        squares = np.bincount(
            names, (block.data * idf[block.indices].astype(np.float64)) ** 2, minlength=block.shape[0]
        )
        postings.lengths[first : first + block.shape[0]] = np.sqrt(squares)
        by_ngram = sparse.csc_matrix(block)
        here = np.diff(by_ngram.indptr)
        places = np.repeat(cursor - by_ngram.indptr[:-1], here) + np.arange(by_ngram.nnz)
        postings.rows[places] = by_ngram.indices + first
        postings.counts[places] = by_ngram.data
        cursor += here
        first += block.shape[0]
    if folder is not None:
        for file, values in zip(_FILES, postings.arrays, strict=True):
            if not (folder / file).exists():
                np.save(folder / file, values)
        postings.spelling.write(folder)
    return postings


def join_postings(blocks: Sequence[Postings]) -> Postings:
    """The postings of some names and those behind them as one.

    :param blocks: over the same n-grams, at least one.
    """
    if len(blocks) == 1:
        return blocks[0]
    firsts = np.cumsum([0, *(len(block.lengths) for block in blocks)])
    columns = [np.repeat(np.arange(len(block.starts) - 1), np.diff(block.starts)) for block in blocks]
    order = np.argsort(np.concatenate(columns), kind="stable")
    rows = np.concatenate([block.rows + np.int32(first) for block, first in zip(blocks, firsts[:-1], strict=True)])
    return Postings(
        np.sum([block.starts for block in blocks], axis=0),
        rows[order],
        np.concatenate([block.counts for block in blocks])[order],
        np.concatenate([block.lengths for block in blocks]),
        join_spellings([block.spelling for block in blocks]),
    )


def _make(file: str, n: int, dtype: DTypeLike, folder: Path | None) -> NDArray[Any]:
    if folder is None or not n:
        return np.empty(n, dtype)
    return make_array(folder / file, (n,), dtype)


@lru_cache(maxsize=1 << 15)
def ngrams_of_word(word: str) -> tuple[str, ...]:
    """All 2- to 4-grams of a word between two spaces, as often as they occur.

    >>> ngrams_of_word("mi")
    (' m', 'mi', 'i ', ' mi', 'mi ', ' mi ')
    """
    padded = f" {word} "
    return tuple(padded[i : i + n] for n in NGRAM_LENGTHS for i in range(len(padded) - n + 1))

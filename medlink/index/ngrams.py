"""The lexical index: TF-IDF over character n-grams of words, searched exactly by sparse products."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Container, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from medlink.index.neighbours import Neighbours, best_rows

# The setting behind the TF-IDF rows of the field's tables: n-grams that do not cross word borders.
NGRAM_LENGTHS = (2, 3, 4)
# Queries that share one sparse product: bounds the memory of its result, changes no figure.
_BLOCK = 64


class NgramIndex:
    """Nearest names by the cosine of TF-IDF-weighted character 2- to 4-grams, each within one word.

    An n-gram's weight in a text is its count times ``ln((1 + n_names) / (1 + df)) + 1``, ``df`` being the number of
    names that hold it (the smooth idf of scikit-learn's ``TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 4))``).

    :param columns: the column of each n-gram of the names.
    :param idf: *Shape:* (n_ngrams,), float32.
    :param postings: for each n-gram the names that hold it, some names' beside those of the names before them.
        *Shape* of each: (n_ngrams, n_names), CSR, float32.
    """

    def __init__(self, columns: Mapping[str, int], idf: NDArray[np.float32], *postings: sparse.csr_matrix) -> None:
        self._columns = columns
        self._idf = idf
        self._postings = postings

    @classmethod
    def build(cls, names: Sequence[str]) -> NgramIndex:
        """The index of some normalised names; their order gives the rows.

        :param names: *Shape:* (n_names,), not empty.
        """
        frequency = _document_frequency(names)
        columns = {ngram: column for column, ngram in enumerate(sorted(frequency))}
        idf = _smooth_idf([frequency[ngram] for ngram in columns], len(names))
        weights = _weigh(names, columns, idf)
        return cls(columns, idf, sparse.csr_matrix(weights.T))

    @property
    def n_names(self) -> int:
        """The number of names."""
        return sum(postings.shape[1] for postings in self._postings)

    def extended(self, names: Sequence[str]) -> NgramIndex:
        """The index with more names behind its own; itself where none is given.

        Its own n-grams keep their idf; those that only the new names hold get theirs among all names.

        :param names: *Shape:* (n_more,), normalised.
        """
        if not names:
            return self
        frequency = _document_frequency(names, but=self._columns)
        columns = {**self._columns, **{g: place for place, g in enumerate(sorted(frequency), len(self._columns))}}
        new = [frequency[ngram] for ngram in sorted(frequency)]
        idf = np.concatenate([self._idf, _smooth_idf(new, self.n_names + len(names))])
        more = sparse.csr_matrix(_weigh(names, columns, idf).T)
        return NgramIndex(columns, idf, *(_with_rows(postings, len(idf)) for postings in self._postings), more)

    def search(self, queries: Sequence[str], k: int) -> Neighbours:
        """The ``k`` nearest names of each query, with cosines in (0, 1]; names that share no n-gram are left out.

        :param queries: *Shape:* (n_queries,), normalised.
        """
        found = Neighbours.empty(len(queries), k)
        for start in range(0, len(queries), _BLOCK):
            block = _weigh(queries[start : start + _BLOCK], self._columns, self._idf)
            scores = [sparse.csr_matrix(block @ postings) for postings in self._postings]
            for offset in range(block.shape[0]):
                rows, best = _shortlist(*_nonzero(scores, offset), k)
                found.rows[start + offset, : len(rows)] = rows
                found.scores[start + offset, : len(rows)] = best
        return found

    def score(self, query: str, names: Sequence[str]) -> NDArray[np.float32]:
        """The cosines of one query with any normalised names, indexed or not.

        *Shape:* (n_names,), in [0, 1], rounded to six decimals as those of :meth:`search`.
        """
        if not names:
            return np.zeros(0, np.float32)
        weights = _weigh([query, *names], self._columns, self._idf)
        cosines = (weights[1:] @ weights[0].T).toarray()[:, 0]
        return np.asarray(np.round(cosines.astype(np.float64), 6), np.float32)

    def write(self, folder: Path) -> None:
        """Writes the index into an existing folder."""
        (folder / "ngrams.json").write_text(json.dumps(list(self._columns), ensure_ascii=False), encoding="utf-8")
        np.save(folder / "ngram_idf.npy", self._idf)
        postings = self._postings[0] if len(self._postings) == 1 else sparse.hstack(self._postings, "csr")
        sparse.save_npz(folder / "ngram_postings.npz", postings, compressed=False)

    @classmethod
    def read(cls, folder: Path) -> NgramIndex:
        """The index that :meth:`write` left in a folder."""
        ngrams = json.loads((folder / "ngrams.json").read_text(encoding="utf-8"))
        columns = {ngram: column for column, ngram in enumerate(ngrams)}
        postings = sparse.csr_matrix(sparse.load_npz(folder / "ngram_postings.npz"))
        return cls(columns, np.load(folder / "ngram_idf.npy"), postings)


def _ngrams(text: str) -> Iterator[str]:
    for word in text.split():
        yield from _ngrams_of_word(word)


@lru_cache(maxsize=1 << 15)
def _ngrams_of_word(word: str) -> tuple[str, ...]:
    """All 2- to 4-grams of a word between two spaces, as often as they occur.

    >>> _ngrams_of_word("mi")
    (' m', 'mi', 'i ', ' mi', 'mi ', ' mi ')
    """
    padded = f" {word} "
    return tuple(padded[i : i + n] for n in NGRAM_LENGTHS for i in range(len(padded) - n + 1))


def _weigh(texts: Sequence[str], columns: Mapping[str, int], idf: NDArray[np.float32]) -> sparse.csr_matrix:
    """The TF-IDF vectors of some texts, unit length; zero for a text without a known n-gram.

    *Shape:* (n_texts, n_ngrams), CSR, float32, columns ascending in each row.
    """
    indices: list[int] = []
    counts: list[int] = []
    ends = [0]
    for text in texts:
        known = Counter(column for ngram in _ngrams(text) if (column := columns.get(ngram)) is not None)
        for column in sorted(known):
            indices.append(column)
            counts.append(known[column])
        ends.append(len(indices))
    values = np.array(counts, np.float64) * idf[np.array(indices, np.int64)]
    lengths = np.diff(ends)
    rows = np.repeat(np.arange(len(texts)), lengths)
    norms = np.sqrt(np.bincount(rows, values**2, minlength=len(texts)))
    unit = (values / np.repeat(norms, lengths)).astype(np.float32)
    return sparse.csr_matrix((unit, np.array(indices, np.int32), np.array(ends)), shape=(len(texts), len(idf)))


def _document_frequency(names: Sequence[str], but: Container[str] = ()) -> Counter[str]:
    """In how many names each n-gram is, but for some n-grams."""
    frequency: Counter[str] = Counter()
    for name in names:
        frequency.update({ngram for ngram in _ngrams(name) if ngram not in but})
    return frequency


def _smooth_idf(frequencies: Sequence[int], n_names: int) -> NDArray[np.float32]:
    return np.asarray(np.log((1 + n_names) / (1 + np.array(frequencies, np.float64))) + 1, np.float32)


def _with_rows(postings: sparse.csr_matrix, n_rows: int) -> sparse.csr_matrix:
    """The same matrix with empty rows below it; its entries are not copied."""
    ends = np.concatenate([postings.indptr, np.full(n_rows - postings.shape[0], postings.indptr[-1])])
    return sparse.csr_matrix((postings.data, postings.indices, ends), shape=(n_rows, postings.shape[1]), copy=False)


def _nonzero(blocks: Sequence[sparse.csr_matrix], row: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The columns that are not zero, and the scores there, in one row of matrices that stand side by side."""
    rows, scores, start = [], [], 0
    for block in blocks:
        span = slice(block.indptr[row], block.indptr[row + 1])
        rows.append(block.indices[span].astype(np.int64) + start)
        scores.append(block.data[span].astype(np.float64))
        start += block.shape[1]
    return np.concatenate(rows), np.concatenate(scores)


def _shortlist(
    rows: NDArray[np.int64], scores: NDArray[np.float64], k: int
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Sorts only what can be among the best: everything that reaches the k-th best rounded score."""
    if len(rows) > k:
        floor = np.partition(scores, len(scores) - k)[len(scores) - k] - 1e-6
        rows, scores = rows[scores >= floor], scores[scores >= floor]
    return best_rows(rows, scores, k=k)

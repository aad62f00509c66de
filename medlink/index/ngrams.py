"""The lexical index: TF-IDF over character n-grams of words; all of them, or the telling ones first."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from medlink.index.neighbours import Neighbours, best_rows
from medlink.index.postings import Postings, build_postings, count_ngrams, join_postings, ngrams_of_word
from medlink.index.pruning import N_FOLLOWED, Asked, search_telling

# Queries that share one sparse product: bounds the memory of its result, changes no figure.
_BLOCK = 64
# Up to so many names every n-gram is followed to all names that hold it; a query of 80,000 names takes a millisecond.
FEW = 1 << 18
_NGRAMS, _IDF = "ngrams.json", "ngram_idf.npy"


class NgramIndex:
    """Nearest names by the cosine of TF-IDF-weighted character 2- to 4-grams, each within one word.

    An n-gram's weight in a text is its count times ``ln((1 + n_names) / (1 + df)) + 1``, ``df`` being the number of
    names that hold it (the smooth idf of scikit-learn's ``TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 4))``).

    Among more than :data:`FEW` names the search follows rare n-grams only and scores what it finds by all: see
    :func:`medlink.index.pruning.search_telling`.

    :param columns: the column of each n-gram of the names.
    :param idf: *Shape:* (n_ngrams,), float32.
    :param postings: of some names, then of those behind them.
    """

    def __init__(self, columns: Mapping[str, int], idf: NDArray[np.float32], *postings: Postings) -> None:
        self._columns = columns
        self._idf = idf
        self._postings = postings
        self._matrices: tuple[sparse.csr_matrix, ...] | None = None

    @classmethod
    def build(cls, names: Sequence[str], folder: Path | None = None) -> NgramIndex:
        """The index of some normalised names; their order gives the rows.

        :param names: *Shape:* (n_names,), not empty.
        :param folder: an existing one to write it into while it is built, which bounds memory.
        """
        counts = count_ngrams(names)
        frequency = counts.document_frequency()
        idf = _smooth_idf(frequency, len(names))
        columns = {ngram: column for column, ngram in enumerate(counts.ngrams)}
        index = cls(columns, idf, build_postings(counts, frequency, idf, folder))
        if folder is not None:
            index._write_ngrams(folder)
        return index

    @property
    def n_names(self) -> int:
        """The number of names."""
        return sum(len(postings.lengths) for postings in self._postings)

    def extended(self, names: Sequence[str]) -> NgramIndex:
        """The index with more names behind its own; itself where none is given.

        Its own n-grams keep their idf; those that only the new names hold get theirs among all names.

        :param names: *Shape:* (n_more,), normalised.
        """
        if not names:
            return self
        counts = count_ngrams(names, known=self._columns)
        frequency = counts.document_frequency()
        new = _smooth_idf(frequency[len(self._idf) :], self.n_names + len(names))
        idf = np.concatenate([self._idf, new])
        columns = {ngram: column for column, ngram in enumerate(counts.ngrams)}
        more = build_postings(counts, frequency, idf)
        return NgramIndex(columns, idf, *(postings.with_ngrams(len(idf)) for postings in self._postings), more)

    def search(self, queries: Sequence[str], k: int, *, few: int = FEW) -> Neighbours:
        """The ``k`` nearest names of each query, with cosines in (0, 1]; names that share no n-gram are left out.

        :param queries: *Shape:* (n_queries,), normalised.
        :param few: the number of names up to which all n-grams are followed.
        """
        if self.n_names <= few:
            return self.search_fully(queries, k)
        found = Neighbours.empty(len(queries), k)
        for i, query in enumerate(queries):
            rows, best = self.search_telling(query, k)
            found.rows[i, : len(rows)] = rows
            found.scores[i, : len(rows)] = best
        return found

    def search_telling(
        self, query: str, k: int, *, n_followed: int = N_FOLLOWED
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """The ``k`` nearest names of one query and their cosines, by its rare n-grams.

        :param n_followed: postings to follow; see :func:`medlink.index.pruning.search_telling`.
        """
        weights = _weigh([query], self._columns, self._idf)
        asked = Asked(weights.indices, weights.data.astype(np.float64) * self._idf[weights.indices])
        return search_telling(asked, self._postings, k=k, n_followed=n_followed)

    def search_fully(self, queries: Sequence[str], k: int) -> Neighbours:
        """As :meth:`search`, by all n-grams whatever the number of names: exact, and slow among millions."""
        found = Neighbours.empty(len(queries), k)
        for start in range(0, len(queries), _BLOCK):
            block = _weigh(queries[start : start + _BLOCK], self._columns, self._idf)
            scores = [sparse.csr_matrix(block @ matrix) for matrix in self._weights()]
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
        self._write_ngrams(folder)
        join_postings(self._postings).write(folder)

    def _write_ngrams(self, folder: Path) -> None:
        (folder / _NGRAMS).write_text(json.dumps(list(self._columns), ensure_ascii=False), encoding="utf-8")
        np.save(folder / _IDF, self._idf)

    @classmethod
    def read(cls, folder: Path) -> NgramIndex:
        """The index that :meth:`write` left in a folder; its large arrays stay there, memory-mapped."""
        ngrams = json.loads((folder / _NGRAMS).read_text(encoding="utf-8"))
        columns = {ngram: column for column, ngram in enumerate(ngrams)}
        return cls(columns, np.load(folder / _IDF), Postings.read(folder))

    def _weights(self) -> tuple[sparse.csr_matrix, ...]:
        if self._matrices is None:
            self._matrices = tuple(postings.matrix(self._idf) for postings in self._postings)
        return self._matrices


def _ngrams(text: str) -> Iterator[str]:
    for word in text.split():
        yield from ngrams_of_word(word)


def _smooth_idf(frequency: NDArray[np.int64], n_names: int) -> NDArray[np.float32]:
    return np.asarray(np.log((1 + n_names) / (1 + frequency.astype(np.float64))) + 1, np.float32)


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

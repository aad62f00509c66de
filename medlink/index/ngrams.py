"""The lexical index: TF-IDF over character n-grams of words; all of them, or the telling ones first."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from medlink.index.neighbours import Neighbours
from medlink.index.postings import Postings, build_postings, count_ngrams, join_postings, ngrams_of_word
from medlink.index.pruning import Asked, enough_postings, score_names, search_fully, search_telling

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

    def without(self, rows: NDArray[np.int64]) -> NgramIndex:
        """The index in which some names are not found, and score 0; all others keep rows and scores.

        :param rows: *Shape:* (n_removed,).
        """
        blocks, first = [], 0
        for postings in self._postings:
            lengths = np.array(postings.lengths)
            lengths[rows[(rows >= first) & (rows < first + len(lengths))] - first] = np.inf
            blocks.append(replace(postings, lengths=lengths))
            first += len(lengths)
        return NgramIndex(self._columns, self._idf, *blocks)

    def search(self, queries: Sequence[str], k: int, *, few: int = FEW) -> Neighbours:
        """The ``k`` nearest names of each query, with cosines in (0, 1]; names that share no n-gram are left out.

        :param queries: *Shape:* (n_queries,), normalised.
        :param few: the number of names up to which all n-grams are followed.
        """
        search_one = self.search_fully if self.n_names <= few else self.search_telling
        found = Neighbours.empty(len(queries), k)
        for i, query in enumerate(queries):
            rows, best = search_one(query, k)
            found.rows[i, : len(rows)] = rows
            found.scores[i, : len(rows)] = best
        return found

    def search_telling(
        self, query: str, k: int, *, n_followed: int | None = None
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """The ``k`` nearest names of one query and their cosines, by its rare n-grams.

        :param n_followed: postings to follow; by default :func:`medlink.index.pruning.enough_postings`.
        """
        n_followed = enough_postings(self.n_names) if n_followed is None else n_followed
        return search_telling(self._ask(query), self._postings, self._inverses, k=k, n_followed=n_followed)

    def search_fully(self, query: str, k: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """The same by all n-grams whatever the number of names: exact, and slow among millions."""
        return search_fully(self._ask(query), self._postings, self._weights, k=k)

    def score(self, query: str, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """The cosines of one query with chosen names.

        *Shape:* (n_rows,), in [0, 1], rounded to six decimals as those of :meth:`search`.
        """
        return np.asarray(np.round(score_names(self._ask(query), self._postings, rows), 6), np.float32)

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

    @cached_property
    def _weights(self) -> tuple[NDArray[np.float64], ...]:
        return tuple(postings.weights() for postings in self._postings)

    @cached_property
    def _inverses(self) -> tuple[NDArray[np.float32], ...]:
        return tuple((1 / postings.lengths).astype(np.float32) for postings in self._postings)

    def _ask(self, query: str) -> Asked:
        counts = Counter(column for ngram in _ngrams(query) if (column := self._columns.get(ngram)) is not None)
        columns = np.array(sorted(counts), np.int32)
        idf = self._idf[columns].astype(np.float64)
        values = np.array([counts[column] for column in columns.tolist()], np.float64) * idf
        return Asked(columns, values / max(float(np.sqrt(values @ values)), 1e-12) * idf)


def _ngrams(text: str) -> Iterator[str]:
    for word in text.split():
        yield from ngrams_of_word(word)


def _smooth_idf(frequency: NDArray[np.int64], n_names: int) -> NDArray[np.float32]:
    return np.asarray(np.log((1 + n_names) / (1 + frequency.astype(np.float64))) + 1, np.float32)

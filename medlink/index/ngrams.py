"""The lexical index: TF-IDF over character n-grams of words, searched exactly by sparse products."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.feature_extraction.text import TfidfVectorizer

from medlink.index.neighbours import Neighbours, best_rows

# The setting behind the TF-IDF rows of the field's tables: n-grams that do not cross word borders.
NGRAM_RANGE = (2, 4)
# Queries that share one sparse product: bounds the memory of its result, changes no figure.
_BLOCK = 64


class NgramIndex:
    """Nearest names by the cosine of TF-IDF-weighted character 2- to 4-grams, each within one word.

    :param vectorizer: fitted on the names.
    :param postings: *Shape:* (n_ngrams, n_names), CSR: for each n-gram the names that hold it.
    """

    def __init__(self, vectorizer: TfidfVectorizer, postings: sparse.csr_matrix) -> None:
        self._vectorizer = vectorizer
        self._postings = postings

    @classmethod
    def build(cls, names: Sequence[str]) -> NgramIndex:
        """The index of some normalised names; their order gives the rows.

        :param names: *Shape:* (n_names,), not empty.
        """
        vectorizer = _make_vectorizer()
        weights = vectorizer.fit_transform(names)
        return cls(vectorizer, sparse.csr_matrix(weights.T))

    def search(self, queries: Sequence[str], k: int) -> Neighbours:
        """The ``k`` nearest names of each query, with cosines in (0, 1]; names that share no n-gram are left out.

        :param queries: *Shape:* (n_queries,), normalised.
        """
        found = Neighbours.empty(len(queries), k)
        for start in range(0, len(queries), _BLOCK):
            block = self._vectorizer.transform(queries[start : start + _BLOCK])
            scores = sparse.csr_matrix(block @ self._postings)
            for offset in range(scores.shape[0]):
                rows, values = _nonzero(scores, offset)
                rows, best = _shortlist(rows, values, k)
                found.rows[start + offset, : len(rows)] = rows
                found.scores[start + offset, : len(rows)] = best
        return found

    def score(self, query: str, names: Sequence[str]) -> NDArray[np.float32]:
        """The cosines of one query with any normalised names, indexed or not.

        *Shape:* (n_names,), in [0, 1], rounded to six decimals as those of :meth:`search`.
        """
        if not names:
            return np.zeros(0, np.float32)
        weights = self._vectorizer.transform([query, *names])
        cosines = (weights[1:] @ weights[0].T).toarray()[:, 0]
        return np.asarray(np.round(cosines.astype(np.float64), 6), np.float32)

    def write(self, folder: Path) -> None:
        """Writes the index into an existing folder."""
        vocabulary = sorted(self._vectorizer.vocabulary_, key=self._vectorizer.vocabulary_.__getitem__)
        (folder / "ngrams.json").write_text(json.dumps(vocabulary, ensure_ascii=False), encoding="utf-8")
        np.save(folder / "ngram_idf.npy", self._vectorizer.idf_.astype(np.float32))
        sparse.save_npz(folder / "ngram_postings.npz", self._postings, compressed=False)

    @classmethod
    def read(cls, folder: Path) -> NgramIndex:
        """The index that :meth:`write` left in a folder."""
        vocabulary = json.loads((folder / "ngrams.json").read_text(encoding="utf-8"))
        vectorizer = _make_vectorizer({ngram: column for column, ngram in enumerate(vocabulary)})
        vectorizer.idf_ = np.load(folder / "ngram_idf.npy")
        return cls(vectorizer, sparse.csr_matrix(sparse.load_npz(folder / "ngram_postings.npz")))


def _make_vectorizer(vocabulary: dict[str, int] | None = None) -> TfidfVectorizer:
    return TfidfVectorizer(analyzer="char_wb", ngram_range=NGRAM_RANGE, dtype=np.float32, vocabulary=vocabulary)


def _nonzero(scores: sparse.csr_matrix, row: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    span = slice(scores.indptr[row], scores.indptr[row + 1])
    return scores.indices[span].astype(np.int64), scores.data[span].astype(np.float64)


def _shortlist(
    rows: NDArray[np.int64], scores: NDArray[np.float64], k: int
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Sorts only what can be among the best: everything that reaches the k-th best rounded score."""
    if len(rows) > k:
        floor = np.partition(scores, len(scores) - k)[len(scores) - k] - 1e-6
        rows, scores = rows[scores >= floor], scores[scores >= floor]
    return best_rows(rows, scores, k=k)

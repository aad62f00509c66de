"""Both indexes against brute force, and what is stored against what was built."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from medlink.errors import EncoderError, SettingError
from medlink.index.dense import DenseIndex
from medlink.index.name_index import NameIndex
from medlink.index.ngrams import NgramIndex

NAMES = ("cleft lip", "cleft palate", "heart attack", "kidney cyst", "myocardial infarction", "renal cyst", "seizure")


def ngrams_of(name: str) -> Counter[str]:
    """The 2- to 4-grams of each word with a space on either side, written from the definition."""
    grams: Counter[str] = Counter()
    for word in name.split():
        padded = f" {word} "
        for n in (2, 3, 4):
            if n > len(padded):
                break
            grams.update(padded[i : i + n] for i in range(len(padded) - n + 1))
    return grams


def tfidf_cosine(query: str, name: str, names: Sequence[str]) -> float:
    """Cosine of counts times smooth idf, ln((1 + n) / (1 + df)) + 1, over the n-grams that the names have."""
    documents = [set(ngrams_of(other)) for other in names]

    def weigh(text: str) -> dict[str, float]:
        weights = {}
        for gram, count in ngrams_of(text).items():
            df = sum(gram in document for document in documents)
            if df:
                weights[gram] = count * (math.log((1 + len(names)) / (1 + df)) + 1)
        return weights

    a, b = weigh(query), weigh(name)
    norm = math.sqrt(sum(w * w for w in a.values())) * math.sqrt(sum(w * w for w in b.values()))
    return sum(a[gram] * b[gram] for gram in a.keys() & b.keys()) / norm if norm else 0.0


def unit(vectors: NDArray[np.float64]) -> NDArray[np.float32]:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)


@pytest.fixture
def vectors() -> NDArray[np.float32]:
    return unit(np.random.default_rng(0).normal(size=(200, 16)))


@pytest.mark.parametrize("query", ["renal cysts", "cleft", "infarct myocardial", "seizures", "q", "kidney cyst"])
def test_ngram_search_agrees_with_the_formula(query: str) -> None:
    found = NgramIndex.build(NAMES).search([query], len(NAMES))
    expected = {row: tfidf_cosine(query, name, NAMES) for row, name in enumerate(NAMES)}
    best = sorted((row for row in expected if expected[row] > 0), key=lambda row: (-round(expected[row], 6), row))
    rows = [row for row in found.rows[0].tolist() if row >= 0]
    assert rows == best
    assert found.scores[0, : len(rows)] == pytest.approx([expected[row] for row in rows], abs=2e-6)


def test_ngram_score_agrees_with_search() -> None:
    index = NgramIndex.build(NAMES)
    found = index.search(["kidney cysts"], 3)
    scores = index.score("kidney cysts", found.rows[0])
    assert scores == pytest.approx(found.scores[0], abs=2e-6)


def test_ngram_search_knows_nothing_of_foreign_letters() -> None:
    found = NgramIndex.build(NAMES).search(["日本語"], 2)
    assert found.rows.tolist() == [[-1, -1]]


def test_ngram_search_breaks_ties_by_row() -> None:
    found = NgramIndex.build(["b a", "a b", "c"]).search(["a b"], 2)
    assert found.rows.tolist() == [[0, 1]]
    assert found.scores[0, 0] == found.scores[0, 1]


@settings(max_examples=30, deadline=None)
@given(queries=st.lists(st.text("abcdeinrst ", max_size=20), max_size=8), k=st.integers(1, 9))
def test_ngram_search_does_not_depend_on_the_batch(queries: list[str], k: int) -> None:
    index = NgramIndex.build(NAMES)
    together = index.search(queries, k)
    for i, query in enumerate(queries):
        alone = index.search([query], k)
        assert alone.rows[0].tolist() == together.rows[i].tolist()
        assert alone.scores[0].tobytes() == together.scores[i].tobytes()


def test_dense_search_agrees_with_brute_force(vectors: NDArray[np.float32]) -> None:
    queries = unit(np.random.default_rng(1).normal(size=(40, 16)))
    found = DenseIndex(vectors).search(queries, 5)
    cosines = np.round(queries.astype(np.float64) @ vectors.astype(np.float16).astype(np.float64).T, 6)
    for i, row in enumerate(cosines):
        expected = sorted(range(len(row)), key=lambda j: (-row[j], j))[:5]
        assert found.rows[i].tolist() == expected
        assert found.scores[i] == pytest.approx(row[expected], abs=1e-6)


def test_dense_search_does_not_depend_on_the_batch(vectors: NDArray[np.float32]) -> None:
    queries = unit(np.random.default_rng(2).normal(size=(64, 16)))
    index = DenseIndex(vectors)
    together = index.search(queries, 10)
    for i in range(len(queries)):
        alone = index.search(queries[i : i + 1], 10)
        assert alone.rows[0].tolist() == together.rows[i].tolist()
        assert alone.scores[0].tobytes() == together.scores[i].tobytes()


def test_dense_search_fills_up_when_names_are_few(vectors: NDArray[np.float32]) -> None:
    found = DenseIndex(vectors[:2]).search(vectors[:1], 4)
    assert found.rows[0, 0] == 0
    assert found.rows[0, 2:].tolist() == [-1, -1]


def test_dense_search_of_no_query_is_empty(vectors: NDArray[np.float32]) -> None:
    assert DenseIndex(vectors).search(np.zeros((0, 16), np.float32), 3).rows.shape == (0, 3)


def test_dense_index_refuses_vectors_that_are_not_finite(vectors: NDArray[np.float32]) -> None:
    vectors[7, 3] = np.nan
    with pytest.raises(EncoderError, match="row 7"):
        DenseIndex(vectors)


def test_name_index_reads_what_it_wrote(tmp_path: Path, vectors: NDArray[np.float32]) -> None:
    index = NameIndex.build(NAMES, vectors[: len(NAMES)])
    facts = index.write(tmp_path)
    assert (facts["width"], facts["dtype"]) == (16, "float16")
    again = NameIndex.read(tmp_path)
    for query in ("renal cysts", "cleft"):
        before, after = index.ngrams.search([query], 5), again.ngrams.search([query], 5)
        assert before.rows.tolist() == after.rows.tolist()
        assert before.scores.tobytes() == after.scores.tobytes()
    before, after = index.dense.search(vectors[:9], 5), again.dense.search(vectors[:9], 5)
    assert before.scores.tobytes() == after.scores.tobytes()


@pytest.mark.parametrize("n_vectors", [0, 3])
def test_name_index_wants_one_vector_for_each_name(vectors: NDArray[np.float32], n_vectors: int) -> None:
    with pytest.raises(SettingError, match="one vector each"):
        NameIndex.build(NAMES[: n_vectors and 2], vectors[:n_vectors])

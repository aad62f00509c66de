"""An index with more names behind its own against one that was built of all names."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from medlink.errors import EncoderError, SettingError
from medlink.index.name_index import NameIndex
from medlink.index.neighbours import Neighbours
from medlink.index.vectors import NameVectors

NAMES = ("cleft lip", "cleft palate", "heart attack", "kidney cyst", "myocardial infarction", "renal cyst", "seizure")
MORE = ("fits and turns", "heart trouble", "xylophonist's wrist")
QUERIES = ("xylophone wrist", "heart attacks", "funny turn", "cleft", "kidney cysts")


def by_row(found: Neighbours) -> dict[int, float]:
    return dict(zip(found.rows[0].tolist(), found.scores[0].tolist(), strict=True))


@pytest.fixture
def vectors() -> NDArray[np.float32]:
    drawn = np.random.default_rng(0).normal(size=(len(NAMES) + len(MORE), 12))
    return np.asarray(drawn / np.linalg.norm(drawn, axis=1, keepdims=True), np.float32)


@pytest.fixture
def base(vectors: NDArray[np.float32]) -> NameIndex:
    return NameIndex.build(NAMES, NameVectors.of(vectors[: len(NAMES), :5], vectors[: len(NAMES), 5:]))


def test_extended_index_finds_what_one_built_at_once_finds(base: NameIndex, vectors: NDArray[np.float32]) -> None:
    built = NameIndex.build((*NAMES, *MORE), vectors)
    extended = base.extended(MORE[:1], vectors[len(NAMES) : len(NAMES) + 1])
    extended = extended.extended(MORE[1:], vectors[len(NAMES) + 1 :])
    near, expected = extended.dense.search(vectors, 4), built.dense.search(vectors, 4)
    assert near.rows.tolist() == expected.rows.tolist()
    assert near.scores.tobytes() == expected.scores.tobytes()
    rows = np.array([9, 0, 7, 3])
    assert extended.dense.score(vectors[2], rows).tobytes() == built.dense.score(vectors[2], rows).tobytes()
    for query in QUERIES:
        alike, wanted = extended.ngrams.search([query], 10), built.ngrams.search([query], 10)
        assert alike.rows[0, 0] == wanted.rows[0, 0]
        # The idf among 7 names is at most ln(11 / 8) less than that among 10.
        assert by_row(alike) == pytest.approx(by_row(wanted), abs=0.1)


def test_extended_index_scores_what_it_finds(base: NameIndex, vectors: NDArray[np.float32]) -> None:
    extended = base.extended(MORE, vectors[len(NAMES) :])
    for query in QUERIES:
        found = extended.ngrams.search([query], 4)
        rows = [row for row in found.rows[0].tolist() if row >= 0]
        scores = extended.ngrams.score(query, np.array(rows, np.int64))
        assert scores == pytest.approx(found.scores[0, : len(rows)], abs=2e-6)


def test_index_is_left_as_it_was(base: NameIndex, vectors: NDArray[np.float32]) -> None:
    before = base.ngrams.search(QUERIES, 5), base.dense.search(vectors, 5)
    base.extended(MORE, vectors[len(NAMES) :])
    after = base.ngrams.search(QUERIES, 5), base.dense.search(vectors, 5)
    for old, new in zip(before, after, strict=True):
        assert (old.rows.tobytes(), old.scores.tobytes()) == (new.rows.tobytes(), new.scores.tobytes())


def test_index_extended_by_nothing_is_itself(base: NameIndex, vectors: NDArray[np.float32]) -> None:
    assert base.extended((), vectors[:0]) is base


def test_extended_index_is_read_as_it_was_written(
    base: NameIndex, vectors: NDArray[np.float32], tmp_path: Path
) -> None:
    extended = base.extended(MORE, vectors[len(NAMES) :])
    extended.write(tmp_path)
    again = NameIndex.read(tmp_path)
    assert again.dense.search(vectors, 5).scores.tobytes() == extended.dense.search(vectors, 5).scores.tobytes()
    assert again.ngrams.search(QUERIES, 5).scores.tobytes() == extended.ngrams.search(QUERIES, 5).scores.tobytes()


def test_extended_wants_one_vector_for_each_name(base: NameIndex, vectors: NDArray[np.float32]) -> None:
    with pytest.raises(SettingError, match="one vector each"):
        base.extended(MORE, vectors[:1])
    with pytest.raises(SettingError, match="another width"):
        base.extended(MORE, vectors[:3, :5])


def test_extended_refuses_vectors_that_are_not_finite(base: NameIndex, vectors: NDArray[np.float32]) -> None:
    vectors[1, 3] = np.inf
    with pytest.raises(EncoderError, match="row 8"):
        base.extended(MORE, vectors[: len(MORE)])

"""The vector cache: the bits that went in, the newest of them, for several writers at once."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from medlink.errors import StoreError
from medlink.store.database import open_database
from medlink.store.migrations import known_migrations
from medlink.store.vectors import VECTORS, VectorStore

ROOT = Path(__file__).parents[2]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "workspace" / "vectors.sqlite"


def vectors_of(texts: list[str], width: int = 4) -> NDArray[np.float32]:
    return np.array([[len(text), *range(1, width)] for text in texts], np.float32) / np.float32(3)


def test_what_was_added_is_found_bit_for_bit(path: Path) -> None:
    store, texts = VectorStore(path), [f"text {number}" for number in range(1200)]
    store.add("e", texts, vectors_of(texts))
    found = VectorStore(path).find("e", [*texts, "another"], width=4)
    assert found.keys() == set(texts)
    assert np.stack([found[text] for text in texts]).tobytes() == vectors_of(texts).tobytes()


def test_vectors_of_another_encoder_or_width_are_not_found(path: Path) -> None:
    store = VectorStore(path)
    store.add("e", ["a"], vectors_of(["a"]))
    assert store.find("f", ["a"], width=4) == {}
    assert store.find("e", ["a"], width=3) == {}


@settings(max_examples=20, deadline=None)
@given(st.lists(st.lists(st.integers(0, 30), max_size=9), max_size=8))
def test_the_newest_stay(tmp_path_factory: pytest.TempPathFactory, batches: list[list[int]]) -> None:
    store, expected = VectorStore(tmp_path_factory.mktemp("v") / "v.sqlite", capacity=10), list[str]()
    for batch in batches:
        texts = list(dict.fromkeys(map(str, batch)))
        store.add("e", texts, vectors_of(texts))
        expected = [*expected, *(text for text in texts if text not in expected)][-10:]
        assert store.find("e", list(map(str, range(31))), width=4).keys() == set(expected)
    assert len(store) == len(expected)
    store.close()


WRITER = """
import sys, numpy as np
from pathlib import Path
from medlink.store.vectors import VectorStore
store = VectorStore(Path(sys.argv[1]), patience=60)
for number in range(40):
    texts = [f"{sys.argv[2]} {number} {i}" for i in range(5)] + [f"shared {number}"]
    store.add("e", texts, np.full((6, 4), number, np.float32))
    assert len(store.find("e", texts, width=4)) == 6
"""


def test_several_processes_write_at_once(path: Path) -> None:
    children = [subprocess.Popen([sys.executable, "-c", WRITER, str(path), str(n)], cwd=ROOT) for n in range(3)]
    assert [child.wait() for child in children] == [0, 0, 0]
    assert len(VectorStore(path)) == 3 * 40 * 5 + 40


def test_locked_file_is_named(path: Path) -> None:
    store = VectorStore(path, patience=0.05)
    store.add("e", ["a"], vectors_of(["a"]))
    connection = open_database(path, VECTORS)
    connection.execute("BEGIN IMMEDIATE")
    assert store.find("e", ["a"], width=4).keys() == {"a"}, "readers never wait"
    with pytest.raises(StoreError, match="another process is writing"):
        store.add("e", ["b"], vectors_of(["b"]))
    connection.execute("ROLLBACK")
    store.add("e", ["b"], vectors_of(["b"]))
    connection.close()


def test_file_that_is_no_cache_is_named(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"no database " * 500)
    with pytest.raises(StoreError, match="this is no vector cache"):
        VectorStore(path).find("e", ["a"], width=4)


def test_released_steps_are_never_edited() -> None:
    assert {step.name: step.digest[:16] for step in known_migrations("vectors")} == {"0001_vectors": "e90fc09b216bfa43"}

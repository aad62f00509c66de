"""Vectors by tower: what the workspace has is not encoded again, and a killed build goes on."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from medlink.encoder.combined import CombinedEncoder, Tower
from medlink.errors import EncoderError
from medlink.linking.indexes import name_vectors
from medlink.linking.name_vectors import Shelf, obtain_vectors
from medlink.store.workspace import Workspace
from tests.linking.counting import CountingEncoder

ROOT = Path(__file__).parents[2]
NAMES = tuple(f"name {number}" for number in range(40))


@pytest.fixture
def encoder(tmp_path: Path) -> CountingEncoder:
    return CountingEncoder(tmp_path / "log")


@pytest.fixture
def shelf(tmp_path: Path, encoder: CountingEncoder) -> Shelf:
    return Shelf(tmp_path / "vectors", "tiny", Tower(encoder, 1.0))


def kept(shelf: Shelf) -> list[str]:
    return sorted(path.name for path in shelf.folder.iterdir() if not path.name.endswith(".lock"))


def test_obtain_vectors_encodes_once(shelf: Shelf, encoder: CountingEncoder) -> None:
    first = obtain_vectors(NAMES, shelf)
    assert sorted(encoder.encoded()) == sorted(NAMES)
    assert first.tobytes() == encoder.encode(NAMES).astype(np.float16).tobytes()
    encoder.encoded()
    assert obtain_vectors(NAMES, shelf).tobytes() == first.tobytes()
    assert encoder.encoded() == []
    assert kept(shelf) == [shelf.place_of(NAMES).name]


@pytest.mark.parametrize("chunk", [1, 7, 40])
def test_obtain_vectors_do_not_depend_on_the_chunks(shelf: Shelf, encoder: CountingEncoder, chunk: int) -> None:
    vectors = obtain_vectors(NAMES, shelf, chunk=chunk)
    assert vectors.tobytes() == encoder.encode(NAMES).astype(np.float16).tobytes()


def test_obtain_vectors_encodes_only_new_names(shelf: Shelf, encoder: CountingEncoder) -> None:
    obtain_vectors(NAMES[:20], shelf)
    obtain_vectors(NAMES[15:30], Shelf(shelf.folder, "other", shelf.tower))
    encoder.encoded()
    names = ("brand new", *NAMES[::-1])
    vectors = obtain_vectors(names, shelf)
    assert sorted(encoder.encoded()) == sorted(["brand new", *NAMES[30:]])
    assert vectors.tobytes() == encoder.encode(names).astype(np.float16).tobytes()


def test_obtain_vectors_takes_nothing_from_damaged_folders(shelf: Shelf, encoder: CountingEncoder) -> None:
    obtain_vectors(NAMES[:20], shelf)
    obtain_vectors(NAMES[20:30], shelf)
    os.truncate(shelf.place_of(NAMES[:20]) / "vectors.npy", 200)
    (shelf.place_of(NAMES[20:30]) / "manifest.json").write_text("{", encoding="utf-8")
    encoder.encoded()
    obtain_vectors(NAMES, shelf)
    assert sorted(encoder.encoded()) == sorted(NAMES)


def test_obtain_vectors_of_no_name(shelf: Shelf) -> None:
    assert obtain_vectors((), shelf).shape == (0, 8)


def test_towers_are_kept_apart(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    semantic = CountingEncoder(tmp_path / "semantic", seed=1)
    before, after = (CountingEncoder(tmp_path / f"surface {seed}", seed=seed) for seed in (2, 3))
    parent = CombinedEncoder(before, semantic, 0.3)
    vectors = name_vectors(NAMES, parent, workspace, label="tiny")
    assert vectors.take(np.arange(40)).tobytes() == parent.encode(NAMES).astype(np.float16).tobytes()
    for tower in (semantic, before):
        tower.encoded()
    child = CombinedEncoder(after, semantic, 0.3)
    refined = name_vectors(NAMES, child, workspace, label="tiny")
    assert (semantic.encoded(), before.encoded()) == ([], [])
    assert sorted(after.encoded()) == sorted(NAMES)
    assert refined.take(np.arange(40)).tobytes() == child.encode(NAMES).astype(np.float16).tobytes()


@dataclass
class Interfering(CountingEncoder):
    """An encoder under which somebody deletes a folder."""

    encoder: CountingEncoder
    folder: Path

    def __post_init__(self) -> None:
        super().__init__(self.encoder.log)

    def encode(self, texts: Sequence[str], *, show_progress: bool = False) -> NDArray[np.float32]:
        shutil.rmtree(self.folder, ignore_errors=True)
        return super().encode(texts)


def test_obtain_vectors_survives_deletion_under_its_hands(shelf: Shelf, encoder: CountingEncoder) -> None:
    hurt = Shelf(shelf.folder, "tiny", Tower(Interfering(encoder, shelf.folder), 1.0))
    vectors = obtain_vectors(NAMES, hurt)
    assert sorted(encoder.encoded()) == sorted(NAMES)
    assert vectors.tobytes() == encoder.encode(NAMES).astype(np.float16).tobytes()
    assert obtain_vectors(NAMES, shelf).tobytes() == vectors.tobytes()


class Broken(CountingEncoder):
    """An encoder with damaged weights."""

    def encode(self, texts: Sequence[str], *, show_progress: bool = False) -> NDArray[np.float32]:
        return super().encode(texts) * np.float32(np.nan)


def test_obtain_vectors_refuses_vectors_that_are_not_finite(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "vectors", "tiny", Tower(Broken(tmp_path / "log"), 1.0))
    with pytest.raises(EncoderError, match="not finite"):
        obtain_vectors(NAMES, shelf)
    assert not shelf.place_of(NAMES).exists()


BUILD = """
import sys, time
from pathlib import Path
from medlink.encoder.combined import Tower
from medlink.linking.name_vectors import Shelf, obtain_vectors
from tests.linking.counting import CountingEncoder
class Slow(CountingEncoder):
    def encode(self, texts, *, show_progress=False):
        time.sleep(0.05)
        return super().encode(texts)
root = Path(sys.argv[1])
shelf = Shelf(root / "vectors", "tiny", Tower(Slow(root / "log"), 1.0))
obtain_vectors([f"name {number}" for number in range(40)], shelf, chunk=1)
"""


def test_killed_build_goes_on_where_it_stopped(tmp_path: Path, shelf: Shelf, encoder: CountingEncoder) -> None:
    builder = subprocess.Popen([sys.executable, "-c", BUILD, str(tmp_path)], cwd=ROOT)
    while len(encoder.log.read_text(encoding="utf-8").splitlines()) < 2:
        time.sleep(0.01)
    builder.send_signal(signal.SIGKILL)
    builder.wait(10)
    before = encoder.encoded()
    assert not shelf.place_of(NAMES).exists()
    vectors = obtain_vectors(NAMES, shelf)
    after = encoder.encoded()
    assert 0 < len(after) < len(NAMES)
    assert set(before) | set(after) == set(NAMES)
    assert len(set(before) & set(after)) <= len(before[1:])
    assert vectors.tobytes() == encoder.encode(NAMES).astype(np.float16).tobytes()
    assert kept(shelf) == [shelf.place_of(NAMES).name]

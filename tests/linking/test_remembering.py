"""Remembered vectors are the same bits; a cache that fails changes nothing."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from medlink.encoder.combined import CombinedEncoder
from medlink.encoder.ngram_features import FeatureSettings
from medlink.encoder.surface import SurfaceEncoder, write_surface
from medlink.encoder.transformer import TransformerEncoder
from medlink.linking.assemble import load_linker
from medlink.linking.recipe import Recipe
from medlink.linking.remembering import RememberingEncoder, remember
from medlink.linking.workers import annotate
from medlink.records import Document
from medlink.store.database import open_database
from medlink.store.vectors import VECTORS, VectorStore
from medlink.store.workspace import Workspace

TEXTS = ["renal cysts", "fit", "renal cysts", "seizure of the whole body", ""]


@pytest.fixture
def transformer(encoder_folder: Path) -> TransformerEncoder:
    return TransformerEncoder(encoder_folder)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "vectors.sqlite"


def test_remembered_vectors_are_the_same_bits(transformer: TransformerEncoder, path: Path) -> None:
    plain = transformer.encode(TEXTS).tobytes()
    assert RememberingEncoder(transformer, VectorStore(path)).encode(TEXTS).tobytes() == plain
    again = RememberingEncoder(transformer, VectorStore(path))
    assert again.encode([*TEXTS[::-1], "kidney"])[:5][::-1].tobytes() == plain
    assert len(VectorStore(path)) == 5
    assert again.encode([]).shape == (0, transformer.width)


def test_what_is_known_is_taken_from_the_store(transformer: TransformerEncoder, path: Path) -> None:
    store, key = VectorStore(path), f"{transformer.fingerprint} {transformer.arithmetic}"
    planted = np.full((1, transformer.width), 0.5, np.float32)
    store.add(key, ["fit"], planted)
    assert (RememberingEncoder(transformer, store).encode(["fit", "renal"])[0] == planted).all()


def lock(path: Path) -> None:
    connection = open_database(path, VECTORS)
    connection.execute("BEGIN IMMEDIATE")
    HELD.append(connection)


def spoil(path: Path) -> None:
    path.write_bytes(b"no database " * 500)


def shut(path: Path) -> None:
    path.mkdir()


HELD: list[object] = []


@pytest.mark.parametrize("break_it", [lock, spoil, shut])
def test_cache_that_fails_is_named_once_and_changes_nothing(
    transformer: TransformerEncoder, path: Path, break_it: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    break_it(path)
    encoder = RememberingEncoder(transformer, VectorStore(path, patience=0.01))
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            assert encoder.encode(TEXTS).tobytes() == transformer.encode(TEXTS).tobytes()
    assert len(caplog.records) == 1
    assert "vectors.sqlite" in caplog.text
    assert "renal" not in caplog.text
    HELD.clear()


def test_only_the_transformer_remembers(transformer: TransformerEncoder, path: Path) -> None:
    features = FeatureSettings(bits=6)
    write_surface(path.parent / "surface", np.ones((64, 8), np.float32), features)
    surface, store = SurfaceEncoder(path.parent / "surface"), VectorStore(path)
    assert remember(surface, store) is surface
    both = CombinedEncoder(surface, transformer, 0.25)
    remembering = remember(both, store)
    assert (remembering.fingerprint, remembering.towers) == (both.fingerprint, both.towers)
    for _ in range(2):
        assert remembering.encode(TEXTS).tobytes() == both.encode(TEXTS).tobytes()
    assert len(store) == 4


NOTES = [Document(str(i), f"Renal cystss {i % 7}, fits. Seizuress and palate cleft {i % 5}.") for i in range(40)]


@pytest.mark.parametrize("n_workers", [1, pytest.param(3, marks=pytest.mark.slow)])
def test_links_are_the_same_with_and_without_memory(recipe: Recipe, tmp_path: Path, n_workers: int) -> None:
    load_linker(recipe)
    workspace = tmp_path / "workspace"
    workspace.mkdir()
    for part in ("indexes", "lexicons"):
        (workspace / part).symlink_to(recipe.workspace / part)
    plain = list(annotate(NOTES, recipe))
    remembering = replace(recipe, workspace=workspace, remembers=True)
    for _ in range(2):
        assert list(annotate(NOTES, remembering, n_workers=n_workers)) == plain
    assert len(VectorStore(Workspace(workspace).vectors)) > 0

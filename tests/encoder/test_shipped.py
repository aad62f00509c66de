"""The encoders that come with medlink, and the pruning that makes one of them small."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from medlink.encoder.default import named_folder
from medlink.encoder.loading import load_encoder
from medlink.encoder.pruning import halve_weights, prune_vocabulary
from medlink.encoder.transformer import TransformerEncoder
from medlink.store.artifacts import read_manifest

NAMES = ["myocardial infarction", "heart attack", "renal cyst"]


@pytest.mark.parametrize("name", ["surface", "semantic", "both"])
def test_shipped_encoders_bring_synonyms_together(name: str) -> None:
    vectors = load_encoder(name).encode(NAMES)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.ones(3), abs=1e-5)
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2]


def test_shipped_weights_are_those_of_their_manifest() -> None:
    folder = named_folder("both")
    assert folder is not None
    read_manifest(folder, kind="default-encoder.v1")
    assert sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) < 50e6


def test_prune_vocabulary_keeps_the_vectors_of_the_texts_that_it_was_pruned_for(tmp_path: Path) -> None:
    whole = load_encoder("minilm")
    assert isinstance(whole, TransformerEncoder)
    n_pieces = prune_vocabulary(whole.folder, NAMES, tmp_path / "pruned", least=1)
    vocabulary = json.loads((tmp_path / "pruned" / "tokenizer.json").read_text(encoding="utf-8"))["model"]["vocab"]
    assert n_pieces == len(vocabulary) < 30_522
    pruned = TransformerEncoder(tmp_path / "pruned").encode(NAMES)
    assert pruned == pytest.approx(whole.encode(NAMES), abs=1e-6)
    halve_weights(tmp_path / "pruned", tmp_path / "half")
    assert (TransformerEncoder(tmp_path / "half").encode(NAMES) * pruned).sum(axis=1) == pytest.approx(1, abs=1e-3)

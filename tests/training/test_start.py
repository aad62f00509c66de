"""With what a training starts: each kind of encoder, anew or from a folder, and what is refused."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch

from medlink.encoder.surface import SurfaceEncoder
from medlink.encoder.surface_tower import SurfaceTower
from medlink.encoder.trainable import TrainableEncoder
from medlink.encoder.transformer_tower import TransformerTower
from medlink.errors import EncoderError, SettingError
from medlink.ontology.lexicon import Lexicon
from medlink.training.corpus import build_corpus
from medlink.training.recipe import check_recipe
from medlink.training.start import make_encoder
from tests.training.conftest import SURFACE


@pytest.fixture
def make(tiny_lexicon: Lexicon) -> Any:  # noqa: ANN401
    corpus = build_corpus([tiny_lexicon], scopes=("EXACT",), dev_share=0.0)

    def encoder(section: Mapping[str, Any], **train: object) -> TrainableEncoder:
        settings = {"encoder": section, "objective": {"name": "supcon"}, "train": train}
        return make_encoder(check_recipe(settings, where="test"), corpus, device="cpu")

    return encoder


def test_make_encoder_makes_either_kind(make: Any, encoder_folder: Path) -> None:  # noqa: ANN401
    surface, transformer = make(SURFACE), make({"name": str(encoder_folder), "frozen": 1})
    assert isinstance(surface, SurfaceTower) and isinstance(transformer, TransformerTower)
    for encoder in (surface, transformer):
        assert encoder(["seizure", "renal cyst"]).shape == (2, encoder.width) == (2, 32)
        assert encoder.depths().keys() == dict(encoder.module.named_parameters()).keys()
        assert encoder.sparse <= encoder.depths().keys()
    frozen = {transformer.depths()[name] for name, p in transformer.named_parameters() if not p.requires_grad}
    assert 0 in frozen


def test_make_encoder_goes_on_from_a_surface_tower(make: Any, tmp_path: Path) -> None:  # noqa: ANN401
    make(SURFACE, seed=1).save(tmp_path)
    again = make({**SURFACE, "name": str(tmp_path)})
    stored = torch.from_numpy(SurfaceEncoder(tmp_path).encode(["seizure", "renal cyst"]))
    assert torch.allclose(again(["seizure", "renal cyst"]), stored, atol=1e-6)


@pytest.mark.parametrize("changed", [{"width": 16}, {"features": {"bits": 11}}], ids=["width", "features"])
def test_make_encoder_refuses_a_surface_tower_of_another_make(
    make: Any,  # noqa: ANN401
    tmp_path: Path,
    changed: dict[str, Any],
) -> None:
    make(SURFACE).save(tmp_path)
    with pytest.raises(EncoderError, match="other features or another width"):
        make({**SURFACE, "name": str(tmp_path), **changed})


def test_make_encoder_refuses_another_kind(make: Any, encoder_folder: Path, tmp_path: Path) -> None:  # noqa: ANN401
    make(SURFACE).save(tmp_path)
    with pytest.raises(EncoderError, match="trains a transformer"):
        make({"name": str(tmp_path)})
    with pytest.raises(EncoderError, match="trains a surface tower"):
        make({**SURFACE, "name": str(encoder_folder)})


def test_make_encoder_refuses_a_surface_tower_in_half_precision(make: Any) -> None:  # noqa: ANN401
    with pytest.raises(SettingError, match=r"train\.dtype"):
        make(SURFACE, dtype="bfloat16")

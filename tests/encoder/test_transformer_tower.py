"""The trainable transformer: the same vectors as the one in use, gradients, depths, and to disk and back."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from medlink.encoder.transformer import EncoderSettings, TransformerEncoder
from medlink.encoder.transformer_tower import TowerSettings, TransformerTower
from medlink.errors import EncoderError, SettingError

# More than a block, of unlike lengths, with a duplicate and an empty one.
TEXTS = ["seizure", "", "renal cyst", "seizure", *(f"{'x' * (n % 7 + 1)} {n}" for n in range(90))]


@pytest.mark.parametrize("pooling", ["mean", "first"])
def test_forward_agrees_with_the_transformer_encoder(encoder_folder: Path, pooling: str) -> None:
    expected = TransformerEncoder(encoder_folder, EncoderSettings(pooling=pooling, max_length=32)).encode(TEXTS)
    encoder = TransformerTower(encoder_folder, TowerSettings(pooling=pooling)).eval()
    vectors = torch.nn.functional.normalize(encoder(TEXTS), dim=1)
    assert vectors.detach().numpy() == pytest.approx(expected, abs=1e-5)


def test_forward_in_bfloat16_is_close_and_its_gradients_are_float32(encoder_folder: Path) -> None:
    exact, rounded = (
        TransformerTower(encoder_folder, TowerSettings(dtype=dtype)).eval() for dtype in ("float32", "bfloat16")
    )
    assert torch.cosine_similarity(exact(TEXTS), rounded(TEXTS)).min() > 0.999
    for encoder in (exact, rounded):
        encoder(TEXTS).square().mean().backward()
    for (name, one), other in zip(exact.named_parameters(), rounded.parameters(), strict=True):
        assert (one.grad is None) == (other.grad is None), name
        if one.grad is not None and other.grad is not None and one.grad.norm() > 1e-4:
            assert other.dtype == other.grad.dtype == torch.float32
            assert torch.cosine_similarity(one.grad.flatten(), other.grad.flatten(), dim=0) > 0.97, name


def test_save_gives_what_the_transformer_encoder_loads(encoder_folder: Path, tmp_path: Path) -> None:
    TransformerTower(encoder_folder, TowerSettings()).save(tmp_path)
    before, after = (TransformerEncoder(folder).encode(TEXTS) for folder in (encoder_folder, tmp_path))
    assert after.tobytes() == before.tobytes()


def test_freeze_counts_the_embeddings_as_the_lowest_layer(encoder_folder: Path) -> None:
    encoder = TransformerTower(encoder_folder, TowerSettings())
    encoder.freeze(1)
    assert {encoder.depths()[name] for name, p in encoder.named_parameters() if p.requires_grad} == {1, 2}
    encoder.freeze(2)
    assert {encoder.depths()[name] for name, p in encoder.named_parameters() if p.requires_grad} == {2}
    with pytest.raises(SettingError, match="nothing is left"):
        encoder.freeze(3)


def test_encoder_says_when_a_folder_holds_none(tmp_path: Path) -> None:
    with pytest.raises(EncoderError, match="holds no encoder"):
        TransformerTower(tmp_path, TowerSettings())


@pytest.mark.parametrize("settings", [{"pooling": "max"}, {"dtype": "float16"}])
def test_settings_refuse_what_there_is_not(settings: dict[str, str]) -> None:
    with pytest.raises(SettingError, match="no such"):
        TowerSettings(**settings)  # type: ignore[arg-type]

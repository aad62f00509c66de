"""Two towers in one vector: unit length, and cosines that add."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medlink.encoder.combined import CombinedEncoder, read_weight, write_weight
from medlink.encoder.loading import load_encoder, open_encoder
from medlink.encoder.ngram_features import FeatureSettings
from medlink.encoder.surface import SurfaceEncoder, write_surface
from medlink.encoder.transformer import EncoderSettings, TransformerEncoder
from medlink.errors import EncoderError, SettingError

TEXTS = ("seizure", "renal cyst", "kidney cyst", "", "short pr interval", "seizure")


@pytest.fixture(scope="module")
def towers(tmp_path_factory: pytest.TempPathFactory, encoder_folder: Path) -> tuple[SurfaceEncoder, TransformerEncoder]:
    folder = tmp_path_factory.mktemp("pair")
    features = FeatureSettings(bits=10)
    table = np.random.default_rng(0).normal(size=(features.n_buckets, 16)).astype(np.float32)
    write_surface(folder / "surface", table, features)
    shutil.copytree(encoder_folder, folder / "semantic")
    write_weight(folder, 0.3)
    settings = EncoderSettings(n_threads=1)
    return SurfaceEncoder(folder / "surface"), TransformerEncoder(folder / "semantic", settings)


@settings(max_examples=25, deadline=None)
@given(weight=st.floats(0, 1), texts=st.lists(st.sampled_from(TEXTS), max_size=5))
def test_cosines_add(towers: tuple[SurfaceEncoder, TransformerEncoder], weight: float, texts: list[str]) -> None:
    vectors = CombinedEncoder(*towers, weight).encode(texts)
    surface, semantic = (tower.encode(texts) for tower in towers)
    expected = weight * surface @ surface.T + (1 - weight) * semantic @ semantic.T
    assert vectors.shape == (len(texts), 16 + 32)
    assert vectors @ vectors.T == pytest.approx(expected, abs=1e-5)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1.0, abs=1e-5)


@pytest.mark.parametrize("weight", [0.0, 1.0])
def test_one_tower_alone_leaves_the_other_zero(
    towers: tuple[SurfaceEncoder, TransformerEncoder], weight: float
) -> None:
    encoder = CombinedEncoder(*towers, weight)
    parts = encoder.split(encoder.encode(TEXTS))
    alone, silent = parts if weight else parts[::-1]
    assert alone.tobytes() == towers[0 if weight else 1].encode(TEXTS).tobytes()
    assert not silent.any()


def test_split_gives_each_towers_cosine(towers: tuple[SurfaceEncoder, TransformerEncoder]) -> None:
    encoder = CombinedEncoder(*towers, 0.3)
    surface, semantic = encoder.split(encoder.encode(TEXTS))
    assert surface @ surface.T / 0.3 == pytest.approx(towers[0].encode(TEXTS) @ towers[0].encode(TEXTS).T, abs=1e-5)
    assert semantic @ semantic.T / 0.7 == pytest.approx(towers[1].encode(TEXTS) @ towers[1].encode(TEXTS).T, abs=1e-5)


def test_encode_gives_each_text_the_same_bits_in_any_company(
    towers: tuple[SurfaceEncoder, TransformerEncoder],
) -> None:
    encoder = CombinedEncoder(*towers, 0.3)
    assert encoder.encode(TEXTS[::-1])[::-1].tobytes() == encoder.encode(TEXTS).tobytes()
    assert encoder.encode(TEXTS[1:2]).tobytes() == encoder.encode(TEXTS)[1:2].tobytes()


def test_load_encoder_opens_both_towers(towers: tuple[SurfaceEncoder, TransformerEncoder]) -> None:
    folder = towers[0].folder.parent
    encoder = load_encoder(str(folder), EncoderSettings(n_threads=1))
    expected = CombinedEncoder(*towers, 0.3)
    assert isinstance(encoder, CombinedEncoder)
    assert encoder.encode(TEXTS).tobytes() == expected.encode(TEXTS).tobytes()
    assert (encoder.fingerprint, encoder.width) == (expected.fingerprint, 48)


def test_fingerprint_follows_weight_and_towers(towers: tuple[SurfaceEncoder, TransformerEncoder]) -> None:
    surface, semantic = towers
    first = EncoderSettings(pooling="first")
    encoders = (
        CombinedEncoder(surface, semantic, 0.3),
        CombinedEncoder(surface, semantic, 0.4),
        CombinedEncoder(surface, TransformerEncoder(semantic.folder, first), 0.3),
        CombinedEncoder(semantic, surface, 0.3),
    )
    assert len({encoder.fingerprint for encoder in encoders}) == len(encoders)


@pytest.mark.parametrize("weight", [-0.1, 1.1, float("nan")])
def test_combined_refuses_other_weights(towers: tuple[SurfaceEncoder, TransformerEncoder], weight: float) -> None:
    with pytest.raises(SettingError, match="0 to 1"):
        CombinedEncoder(*towers, weight)


def test_read_weight_gives_what_was_written(tmp_path: Path) -> None:
    write_weight(tmp_path, 0.123456789)
    assert read_weight(tmp_path) == 0.123456789


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ('{"medlink_encoder": "surface.v9"}', "kind that this version does not know"),
        ('{"medlink_encoder": "combined.v1", "weight": 0.5}', "no surface tower"),
        ("{", "not JSON"),
        ('["a"]', "holds no encoder"),
        ('{"hidden_size": 3}', "holds no encoder"),
    ],
)
def test_open_encoder_refuses_what_is_no_encoder(tmp_path: Path, config: str, message: str) -> None:
    (tmp_path / "config.json").write_text(config, encoding="utf-8")
    with pytest.raises(EncoderError, match=message):
        open_encoder(tmp_path)


def test_open_encoder_refuses_a_pair_without_a_weight(
    towers: tuple[SurfaceEncoder, TransformerEncoder], tmp_path: Path
) -> None:
    shutil.copytree(towers[0].folder.parent, tmp_path, dirs_exist_ok=True)
    (tmp_path / "config.json").write_text('{"medlink_encoder": "combined.v1"}', encoding="utf-8")
    with pytest.raises(EncoderError, match="no pair of towers"):
        open_encoder(tmp_path)

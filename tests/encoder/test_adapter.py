"""The query adapter: the formula, the same bits in any company, nothing moved where its output is zero."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from safetensors.numpy import save_file

from medlink.encoder.adapter import WEIGHTS, AdaptedEncoder, Adapter, read_adapter, write_adapter
from medlink.encoder.combined import CombinedEncoder
from medlink.encoder.ngram_features import FeatureSettings
from medlink.encoder.surface import SurfaceEncoder, write_surface
from medlink.encoder.transformer import EncoderSettings, TransformerEncoder
from medlink.errors import EncoderError

Vectors = NDArray[np.float32]
TEXTS = ("seizure", "renal cyst", "kidney cyst", "", "short pr interval", "seizure")


def random_adapter(width: int, n_hidden: int, seed: int = 0) -> Adapter:
    numbers = np.random.default_rng(seed)
    w_in = numbers.normal(size=(width, n_hidden)).astype(np.float32)
    return Adapter(w_in, (numbers.normal(size=(n_hidden, width)) * 0.3).astype(np.float32))


def unit_vectors(n: int, width: int, seed: int = 1) -> Vectors:
    rows = np.random.default_rng(seed).normal(size=(n, width))
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory, encoder_folder: Path) -> CombinedEncoder:
    folder = tmp_path_factory.mktemp("surface")
    features = FeatureSettings(bits=10)
    write_surface(folder, np.random.default_rng(0).normal(size=(1024, 16)).astype(np.float32), features)
    return CombinedEncoder(
        SurfaceEncoder(folder), TransformerEncoder(encoder_folder, EncoderSettings(n_threads=1)), 0.3
    )


def test_apply_is_the_formula() -> None:
    adapter, vectors = random_adapter(6, 4), unit_vectors(5, 6)
    for given_row, row in zip(vectors.tolist(), adapter.apply(vectors), strict=True):
        w_in, w_out = adapter.w_in.tolist(), adapter.w_out.tolist()
        hidden = [math.tanh(sum(q * w_in[i][j] for i, q in enumerate(given_row))) for j in range(4)]
        moved = [q + sum(h * w_out[j][i] for j, h in enumerate(hidden)) for i, q in enumerate(given_row)]
        length = math.sqrt(sum(x * x for x in moved))
        assert row == pytest.approx([x / length for x in moved], abs=1e-6)


def test_apply_gives_unit_vectors() -> None:
    moved = random_adapter(384, 256).apply(unit_vectors(300, 384))
    assert moved.dtype == np.float32
    assert np.linalg.norm(moved, axis=1) == pytest.approx(1.0, abs=1e-6)


@settings(max_examples=30, deadline=None)
@given(rows=st.lists(st.integers(0, 299), max_size=20))
def test_apply_gives_each_row_the_same_bits_in_any_company(rows: list[int]) -> None:
    adapter, vectors = random_adapter(24, 17), unit_vectors(300, 24)
    assert adapter.apply(vectors[rows]).tobytes() == adapter.apply(vectors)[rows].tobytes()


def test_apply_leaves_what_it_was_given_as_it_was() -> None:
    vectors = unit_vectors(3, 6)
    before = vectors.tobytes()
    random_adapter(6, 4).apply(vectors)
    assert vectors.tobytes() == before


def test_identity_moves_no_bit() -> None:
    vectors = unit_vectors(300, 384)
    assert Adapter.identity().apply(vectors).tobytes() == vectors.tobytes()


def test_apply_takes_no_vector() -> None:
    assert random_adapter(6, 4).apply(np.empty((0, 6), np.float32)).shape == (0, 6)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.5])
def test_adapted_encoder_is_bit_identical_with_the_identity(encoder: CombinedEncoder, share: float) -> None:
    base = CombinedEncoder(encoder.surface, encoder.semantic, 1 - share)
    adapted = AdaptedEncoder(base, Adapter.identity(32, 8))
    assert adapted.encode(TEXTS).tobytes() == base.encode(TEXTS).tobytes()


def test_adapted_encoder_moves_the_semantic_part_alone(encoder: CombinedEncoder) -> None:
    adapter = random_adapter(32, 8)
    surface, semantic = encoder.split(encoder.encode(TEXTS))
    surface_after, semantic_after = encoder.split(AdaptedEncoder(encoder, adapter).encode(TEXTS))
    assert surface_after.tobytes() == surface.tobytes()
    expected = adapter.apply(encoder.semantic.encode(TEXTS))
    assert semantic_after / np.sqrt(0.7) == pytest.approx(expected, abs=1e-5)
    assert np.abs(semantic_after - semantic).max() > 0.01


def test_adapted_encoder_gives_each_text_the_same_bits_in_any_company(encoder: CombinedEncoder) -> None:
    adapted = AdaptedEncoder(encoder, random_adapter(32, 8))
    assert adapted.encode(TEXTS[::-1])[::-1].tobytes() == adapted.encode(TEXTS).tobytes()
    assert adapted.encode(TEXTS[1:2]).tobytes() == adapted.encode(TEXTS)[1:2].tobytes()
    assert adapted.encode([]).shape == (0, encoder.width)


def test_adapted_encoder_serves_one_tower(encoder: CombinedEncoder) -> None:
    adapter = random_adapter(32, 8)
    adapted = AdaptedEncoder(encoder.semantic, adapter)
    assert adapted.encode(TEXTS).tobytes() == adapter.apply(encoder.semantic.encode(TEXTS)).tobytes()


def test_fingerprint_follows_encoder_and_adapter(encoder: CombinedEncoder) -> None:
    other = CombinedEncoder(encoder.surface, encoder.semantic, 0.4)
    adapters = (random_adapter(32, 8), random_adapter(32, 8, seed=5), Adapter.identity(32, 8))
    found = {AdaptedEncoder(one, adapter).fingerprint for one in (encoder, other) for adapter in adapters}
    assert len(found | {encoder.fingerprint, other.fingerprint}) == 8
    again = AdaptedEncoder(encoder, random_adapter(32, 8)).fingerprint
    assert again == AdaptedEncoder(encoder, adapters[0]).fingerprint


def test_adapted_encoder_refuses_another_width(encoder: CombinedEncoder) -> None:
    with pytest.raises(EncoderError, match="expected width 32; got width 384"):
        AdaptedEncoder(encoder, Adapter.identity())


def test_read_adapter_gives_what_was_written(tmp_path: Path) -> None:
    adapter = random_adapter(6, 4)
    write_adapter(tmp_path / "deep", adapter)
    again = read_adapter(tmp_path / "deep")
    assert again.fingerprint == adapter.fingerprint
    assert [path.name for path in (tmp_path / "deep").iterdir()] == [WEIGHTS]


ZEROS = np.zeros((4, 2), np.float32)


@pytest.mark.parametrize(
    ("stored", "message"),
    [
        ({"w_in": ZEROS}, "cannot be read.*KeyError"),
        ({"w_in": ZEROS, "w_out": ZEROS}, "do not fit each other"),
        ({"w_in": ZEROS, "w_out": np.zeros((2, 4), np.float64)}, "another dtype"),
        ({"w_in": ZEROS, "w_out": np.full((2, 4), np.nan, np.float32)}, "not finite"),
    ],
    ids=["one missing", "shapes", "dtype", "NaN"],
)
def test_read_adapter_refuses_what_is_none(tmp_path: Path, stored: dict[str, Vectors], message: str) -> None:
    save_file(stored, tmp_path / WEIGHTS)
    with pytest.raises(EncoderError, match=f"{WEIGHTS}.*{message}"):
        read_adapter(tmp_path)


@pytest.mark.parametrize("content", [None, b"", b"\x08\0\0\0\0\0\0\0{}      "])
def test_read_adapter_refuses_missing_and_damaged_files(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / WEIGHTS).write_bytes(content)
    with pytest.raises(EncoderError, match="the adapter cannot be read"):
        read_adapter(tmp_path)

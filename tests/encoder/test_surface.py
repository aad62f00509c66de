"""The surface tower: unit vectors, the same in any batch, the same after writing and reading."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from medlink.encoder.loading import load_encoder
from medlink.encoder.ngram_features import FeatureSettings, extract_features
from medlink.encoder.quantisation import dequantise, quantise
from medlink.encoder.surface import SurfaceEncoder, embed, write_surface
from medlink.encoder.surface_tower import SurfaceTower
from medlink.errors import EncoderError, SettingError
from medlink.ontology.lexicon import Lexicon

FEATURES = FeatureSettings(bits=10)
WIDTH = 32
TEXTS = ("seizure", "renal cyst", "kidney cyst", "a", "", "short pr interval", "seizure", "🫀", "e\u0301", "x" * 300)
Table = NDArray[np.float32]


@pytest.fixture(scope="module")
def table() -> Table:
    return np.random.default_rng(0).normal(size=(FEATURES.n_buckets, WIDTH)).astype(np.float32)


@pytest.fixture(scope="module", params=[8, 4], ids=["8 bits", "4 bits"])
def encoder(request: pytest.FixtureRequest, table: Table, tmp_path_factory: pytest.TempPathFactory) -> SurfaceEncoder:
    folder = tmp_path_factory.mktemp("surface")
    write_surface(folder, table, FEATURES, bits=request.param)
    return SurfaceEncoder(folder)


def test_encode_is_the_unit_sum_of_bucket_vectors(encoder: SurfaceEncoder) -> None:
    buckets = extract_features(["renal cyst"], FEATURES).buckets
    total = encoder.table[buckets].astype(np.float64).sum(axis=0)
    assert encoder.encode(["renal cyst"])[0] == pytest.approx(total / np.linalg.norm(total), abs=1e-6)


def test_encode_gives_unit_vectors(encoder: SurfaceEncoder) -> None:
    vectors = encoder.encode(TEXTS)
    assert vectors.shape == (len(TEXTS), encoder.width)
    assert vectors.dtype == np.float32
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1.0, abs=1e-6)


def test_encode_of_no_text_is_empty(encoder: SurfaceEncoder) -> None:
    assert encoder.encode([]).shape == (0, WIDTH)


def test_encode_of_a_text_without_features_is_the_first_axis(encoder: SurfaceEncoder) -> None:
    assert encoder.encode(["", "seizure"])[0].tolist() == [1.0] + [0.0] * (WIDTH - 1)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.text("abcdefgh ", max_size=12), min_size=1, max_size=40), st.randoms(use_true_random=False))
def test_encode_gives_each_text_the_same_bits_in_any_company(table: Table, texts: list[str], random: object) -> None:
    together = embed(texts, table, FEATURES)
    shuffled = list(range(len(texts)))
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert embed([texts[i] for i in shuffled], table, FEATURES).tobytes() == together[shuffled].tobytes()
    assert embed(texts[:1], table, FEATURES).tobytes() == together[:1].tobytes()


def test_encode_gives_the_same_bits_across_blocks(table: Table) -> None:
    texts = [f"name {i}" for i in range(4200)]
    assert embed(texts, table, FEATURES)[4090:].tobytes() == embed(texts[4090:], table, FEATURES).tobytes()


def test_encode_does_not_need_torch(encoder: SurfaceEncoder) -> None:
    code = (
        "import sys; from pathlib import Path; from medlink.encoder.surface import SurfaceEncoder;"
        "SurfaceEncoder(Path(sys.argv[1])).encode(['seizure']); print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(encoder.folder)], capture_output=True, check=True)
    assert done.stdout == b"False\n"


@pytest.mark.parametrize(("bits", "bound"), [(8, 0.9999), (4, 0.98)])
def test_quantised_vectors_stay_close_to_the_exact_ones(table: Table, tmp_path: Path, bits: int, bound: float) -> None:
    write_surface(tmp_path, table, FEATURES, bits=bits)
    cosines = (SurfaceEncoder(tmp_path).encode(TEXTS) * embed(TEXTS, table, FEATURES)).sum(axis=1)
    assert cosines.min() > bound


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 1000), st.floats(1e-6, 1e4))
def test_quantise_in_8_bits_errs_by_half_a_step_at_most(seed: int, size: float) -> None:
    rows = (np.random.default_rng(seed).normal(size=(5, 8)) * size).astype(np.float32)
    rows[0] = 0
    quantised = quantise(rows, 8)
    error = np.abs(dequantise(quantised) - rows).max(axis=1)
    assert (error <= quantised.scale * 0.5001).all()
    assert not dequantise(quantised)[0].any()


def test_quantise_in_4_bits_beats_cutting_nowhere(table: Table) -> None:
    plain = np.abs(table).max(axis=1, keepdims=True) / 7
    loss = np.square(np.rint(table / plain) * plain - table).sum()
    assert np.square(dequantise(quantise(table, 4)) - table).sum() < loss


def test_quantise_of_what_was_quantised_changes_nothing(table: Table) -> None:
    once = dequantise(quantise(table, 8))
    assert dequantise(quantise(once, 8)) == pytest.approx(once, rel=1e-5)


@pytest.mark.parametrize(("bits", "width"), [(3, 4), (4, 5), (16, 4)])
def test_quantise_refuses_other_bits(bits: int, width: int) -> None:
    with pytest.raises(SettingError, match="no such quantisation"):
        quantise(np.ones((2, width), np.float32), bits)


def test_write_refuses_what_is_not_finite(table: Table, tmp_path: Path) -> None:
    bad = table.copy()
    bad[3, 3] = np.nan
    with pytest.raises(EncoderError, match="not finite"):
        write_surface(tmp_path, bad, FEATURES)
    assert not list(tmp_path.iterdir())


def test_write_refuses_a_table_for_other_buckets(table: Table, tmp_path: Path) -> None:
    with pytest.raises(EncoderError, match="expected 1024; got 1023"):
        write_surface(tmp_path, table[1:], FEATURES)


def test_load_encoder_reads_the_same_vectors_and_fingerprint(encoder: SurfaceEncoder) -> None:
    again = load_encoder(str(encoder.folder))
    assert isinstance(again, SurfaceEncoder)
    assert again.encode(TEXTS).tobytes() == encoder.encode(TEXTS).tobytes()
    assert (again.fingerprint, again.width) == (encoder.fingerprint, WIDTH)


def test_fingerprint_follows_weights_and_bits(table: Table, tmp_path: Path) -> None:
    for name, weights, bits in (("a", table, 8), ("b", table, 4), ("c", table + 1, 8), ("d", table, 8)):
        write_surface(tmp_path / name, weights, FEATURES, bits=bits)
    a, b, c, d = (SurfaceEncoder(tmp_path / name).fingerprint for name in "abcd")
    assert a == d
    assert len({a, b, c}) == 3


@pytest.mark.parametrize("change", [{"extra": 1}, {"width": "wide"}, {"features": {"sizes": [3], "skip": True}}])
def test_encoder_refuses_a_config_with_unknown_keys_or_values(
    table: Table, tmp_path: Path, change: dict[str, object]
) -> None:
    write_surface(tmp_path, table, FEATURES)
    config = json.loads((tmp_path / "config.json").read_text(encoding="utf-8")) | change
    (tmp_path / "config.json").write_text(json.dumps(config), encoding="utf-8")
    with pytest.raises(EncoderError, match="no surface tower"):
        load_encoder(str(tmp_path))


def test_encoder_refuses_weights_of_another_shape(table: Table, tmp_path: Path) -> None:
    write_surface(tmp_path, table, FEATURES)
    config = json.loads((tmp_path / "config.json").read_text(encoding="utf-8")) | {"width": WIDTH * 2}
    (tmp_path / "config.json").write_text(json.dumps(config), encoding="utf-8")
    with pytest.raises(EncoderError, match="another shape"):
        SurfaceEncoder(tmp_path).encode(["seizure"])


def test_encoder_refuses_damaged_weights(table: Table, tmp_path: Path) -> None:
    write_surface(tmp_path, table, FEATURES)
    (tmp_path / "table.safetensors").write_bytes(b"damaged")
    with pytest.raises(EncoderError, match="cannot be read"):
        SurfaceEncoder(tmp_path).encode(["seizure"])


def test_encoder_refuses_an_empty_folder(tmp_path: Path) -> None:
    with pytest.raises(EncoderError, match="no surface tower"):
        SurfaceEncoder(tmp_path)


def test_tower_gives_the_encoders_vectors(table: Table) -> None:
    tower = SurfaceTower(FEATURES, torch.from_numpy(table))
    vectors = tower(TEXTS).detach().numpy()
    some = [place for place, text in enumerate(TEXTS) if text]
    assert vectors[some] == pytest.approx(embed(TEXTS, table, FEATURES)[some], abs=1e-6)


def test_tower_has_gradients_for_the_features_that_occur_only(table: Table) -> None:
    tower = SurfaceTower(FEATURES, torch.from_numpy(table.copy()))
    (vectors := tower(["seizure", "seizures"]))[0].dot(vectors[1]).backward()
    gradient = tower.rows.weight.grad
    assert gradient is not None
    assert gradient.is_sparse
    assert gradient.coalesce().indices()[0].tolist() == sorted(
        set(extract_features(["seizure", "seizures"], FEATURES).buckets.tolist())
    )


def test_tower_at_random_ranks_like_tf_idf(tiny_lexicon: Lexicon) -> None:
    names = tiny_lexicon.names
    tower = SurfaceTower.at_random(FeatureSettings(), names, width=256, seed=0)
    nearest = (tower(["renal cysts of the kidney"]) @ tower(names).T).argmax(dim=1)
    assert names[int(nearest[0])] == "renal cysts"

"""The semantic tower: the same vectors as plain transformers, in any batch."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoModel, AutoTokenizer

from medlink.encoder.loading import load_encoder
from medlink.encoder.transformer import EncoderSettings, TransformerEncoder
from medlink.errors import EncoderError, SettingError
from tests.tiny_encoder import write_tiny_encoder

TEXTS = ("seizure", "renal cyst", "kidney cyst", "a", "", "short pr interval", "seizure", "myocardial infarction")


def plain_vector(folder: Path, text: str, pooling: str) -> torch.Tensor:
    """One text through transformers alone, without batch or padding."""
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder).eval()
    with torch.inference_mode():
        states = model(**tokenizer(text, return_tensors="pt")).last_hidden_state[0]
    pooled = states.mean(dim=0) if pooling == "mean" else states[0]
    return torch.nn.functional.normalize(pooled, dim=0)


@pytest.mark.parametrize("pooling", ["mean", "first"])
def test_encode_agrees_with_transformers(encoder_folder: Path, pooling: str) -> None:
    vectors = TransformerEncoder(encoder_folder, EncoderSettings(pooling=pooling)).encode(TEXTS)
    for text, vector in zip(TEXTS, vectors, strict=True):
        assert vector == pytest.approx(plain_vector(encoder_folder, text, pooling).numpy(), abs=1e-5)


def test_encode_gives_unit_vectors(encoder_folder: Path) -> None:
    vectors = TransformerEncoder(encoder_folder).encode(TEXTS)
    assert vectors.shape == (len(TEXTS), 32)
    assert vectors.dtype == np.float32
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1.0, abs=1e-6)


def test_encode_of_no_text_is_empty(encoder_folder: Path) -> None:
    assert TransformerEncoder(encoder_folder).encode([]).shape == (0, 32)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.text("abcdefgh ", max_size=12), min_size=1, max_size=40), st.randoms(use_true_random=False))
def test_encode_gives_each_text_the_same_bits_in_any_company(
    encoder_folder: Path, texts: list[str], random: object
) -> None:
    encoder = TransformerEncoder(encoder_folder, EncoderSettings(n_threads=2))
    together = encoder.encode(texts)
    shuffled = list(range(len(texts)))
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    again = encoder.encode([texts[i] for i in shuffled])
    assert again.tobytes() == together[shuffled].tobytes()
    alone = TransformerEncoder(encoder_folder, EncoderSettings(n_threads=1))
    assert alone.encode(texts[:1]).tobytes() == together[:1].tobytes()


def test_encode_cuts_off_what_is_too_long(encoder_folder: Path) -> None:
    encoder = TransformerEncoder(encoder_folder, EncoderSettings(max_length=10))
    assert encoder.encode(["a b c d e f g h" + " x" * 500]).tobytes() == encoder.encode(["a b c d e f g h"]).tobytes()


def test_fingerprint_follows_weights_and_pooling(encoder_folder: Path, tmp_path: Path) -> None:
    other = write_tiny_encoder(tmp_path, seed=1)
    prints = {
        TransformerEncoder(encoder_folder).fingerprint,
        TransformerEncoder(encoder_folder, EncoderSettings(pooling="first")).fingerprint,
        TransformerEncoder(encoder_folder, EncoderSettings(max_length=8)).fingerprint,
        TransformerEncoder(other).fingerprint,
    }
    assert len(prints) == 4
    assert TransformerEncoder(encoder_folder, EncoderSettings(n_threads=1)).fingerprint in prints


def test_load_encoder_refuses_a_folder_without_weights(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}", encoding="utf-8")
    with pytest.raises(EncoderError, match="holds no encoder"):
        load_encoder(str(tmp_path))


def test_load_encoder_says_what_it_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(EncoderError, match="no encoder of that name"):
        load_encoder("no such folder")


def test_settings_refuse_an_unknown_pooling() -> None:
    with pytest.raises(SettingError, match="mean or first"):
        EncoderSettings(pooling="max")


@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork.*:DeprecationWarning")
def test_encode_works_in_a_forked_process_that_inherits_the_encoder(encoder_folder: Path) -> None:
    encoder = TransformerEncoder(encoder_folder, EncoderSettings(n_threads=2))
    before = encoder.encode(TEXTS).tobytes()
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        os.write(writer, encoder.encode(TEXTS).tobytes())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as stream:
        assert stream.read() == before
    assert os.waitpid(child, 0)[1] == 0
    assert encoder.encode(TEXTS).tobytes() == before


def test_encoding_leaves_the_caller_its_threads(encoder_folder: Path) -> None:
    code = (
        "import sys, pathlib\n"
        "from medlink.encoder.transformer import EncoderSettings, TransformerEncoder\n"
        "TransformerEncoder(pathlib.Path(sys.argv[1]), EncoderSettings(n_threads=2)).encode(['fit', 'renal cyst'])\n"
        "import torch; print(torch.get_num_threads())\n"
    )
    command = [sys.executable, "-c", code, str(encoder_folder)]
    found = subprocess.run(
        command, env=os.environ | {"OMP_NUM_THREADS": "2"}, capture_output=True, text=True, check=True
    )
    assert found.stdout.strip() == "2"

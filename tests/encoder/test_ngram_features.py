"""Hashed features: the same everywhere, whatever stands beside them, as a slow count says."""

from __future__ import annotations

import subprocess
import sys
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medlink.encoder.ngram_features import FeatureSettings, document_frequency, extract_features
from medlink.errors import SettingError
from medlink.text import normalise

TEXTS = ("renal failure", "a", "", "mi", "kidney cyst type 2", "🫀 heart", "e\u0301 x", "renal failure", "x" * 200)
WORDS = st.lists(st.text("abcdé🫀0", min_size=1, max_size=8), max_size=5).map(" ".join)
MASK = (1 << 64) - 1


def slow_hash(span: bytes, kind: int) -> int:
    """Σ b_i·P^i modulo 2^64, xor the kind's number, through MurmurHash3's finaliser."""
    value = sum(byte * pow(0x9E3779B97F4A7C15, i, 1 << 64) for i, byte in enumerate(span)) & MASK
    value ^= kind * 0xC2B2AE3D27D4EB4F & MASK
    value = (value ^ value >> 33) * 0xFF51AFD7ED558CCD & MASK
    value = (value ^ value >> 33) * 0xC4CEB9FE1A85EC53 & MASK
    return value ^ value >> 33


def slow_buckets(text: str, features: FeatureSettings) -> list[int]:
    """The features of one text, spelled out."""
    raw, words = f" {text} ".encode(), text.split()
    spans = [(raw[i : i + n], n) for n in features.sizes for i in range(len(raw) - n + 1)]
    spans += [(word.encode(), 100) for word in words if features.words]
    spans += [(f"{a} {b}".encode(), 101) for a, b in pairwise(words) if features.pairs]
    if features.initials and len(words) > 1:
        spans.append(("".join(word[0] for word in words).encode(), 102))
    if features.initials and len(words) == 1 and len(text) <= 6:
        spans.append((text.encode(), 102))
    return [slow_hash(span, kind) >> (64 - features.bits) for span, kind in spans]


def of_each(texts: list[str], features: FeatureSettings) -> list[list[int]]:
    found = extract_features(texts, features)
    return [found.buckets[a:b].tolist() for a, b in pairwise(found.offsets)]


@pytest.mark.parametrize(
    "features",
    [FeatureSettings(), FeatureSettings(sizes=(2,), words=False, pairs=False, initials=False, bits=8)],
    ids=["all", "bigrams only"],
)
def test_extract_features_agrees_with_a_slow_count(features: FeatureSettings) -> None:
    texts = [text for text in TEXTS if text == " ".join(text.split())]
    assert of_each(texts, features) == [slow_buckets(text, features) for text in texts]


@settings(deadline=None)
@given(st.lists(WORDS, max_size=12))
def test_extract_features_of_a_text_does_not_depend_on_the_others(texts: list[str]) -> None:
    features = FeatureSettings()
    assert of_each(texts, features) == [of_each([text], features)[0] for text in texts]
    assert of_each(texts, features) == [slow_buckets(text, features) for text in texts]


def test_extract_features_gives_the_numbers_it_always_gave() -> None:
    # Weights are kept by these numbers: whoever changes them makes every trained tower worthless.
    assert extract_features(["mi"], FeatureSettings()).buckets.tolist() == [12161, 41772, 16067, 82327, 113984]


def test_extract_features_does_not_depend_on_the_interpreters_hash_seed() -> None:
    code = (
        "from medlink.encoder.ngram_features import *;"
        "print(extract_features(['renal cyst'], FeatureSettings()).buckets.tolist())"
    )
    printed = {
        subprocess.run(
            [sys.executable, "-c", code], env={"PYTHONHASHSEED": seed}, capture_output=True, check=True
        ).stdout
        for seed in ("1", "2")
    }
    assert printed == {f"{slow_buckets('renal cyst', FeatureSettings())}\n".encode()}


def test_extract_features_of_no_text_is_empty() -> None:
    found = extract_features([], FeatureSettings())
    assert (found.buckets.tolist(), found.offsets.tolist()) == ([], [0])


def test_extract_features_of_many_texts_crosses_blocks() -> None:
    texts = [f"name {i}" for i in range(5000)]
    assert of_each(texts, FeatureSettings())[4095:4097] == of_each(texts[4095:4097], FeatureSettings())


def test_initials_meet_the_abbreviation() -> None:
    only_initials = FeatureSettings(sizes=(50,), words=False, pairs=False)
    long, short = of_each([normalise("Myocardial infarction"), normalise("MI")], only_initials)
    assert long == short
    assert len(long) == 1


def test_document_frequency_counts_texts() -> None:
    features = FeatureSettings(bits=10)
    texts = ["aaaaaa", "aaaaaa b", ""]
    expected = np.zeros(features.n_buckets, int)
    for text in texts:
        expected[list(set(slow_buckets(text, features)))] += 1
    assert document_frequency(texts, features).tolist() == expected.tolist()


@pytest.mark.parametrize("arguments", [{"bits": 0}, {"bits": 32}, {"sizes": ()}, {"sizes": (0,)}])
def test_settings_refuse_what_cannot_be_hashed(arguments: dict[str, object]) -> None:
    with pytest.raises(SettingError, match="no such"):
        FeatureSettings(**arguments)  # type: ignore[arg-type]

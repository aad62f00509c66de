"""The encoders' bench on the tiny encoder: what is timed, what is missing, and how near a variant is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from medlink.encoder.loading import load_encoder
from medlink.errors import EncoderError
from pipelines.bench.encoder_variants import Plan, measure, open_subject
from pipelines.bench.encoders import build_bert_base, main, read_names
from tests.conftest import TINY_OBO

NAMES = ("renal cyst", "large kidneys", "seizure")


def test_measure_times_an_encoder_and_leaves_its_vectors(encoder_folder: Path, tmp_path: Path) -> None:
    plan = Plan(NAMES, n_repeats=2, seconds=60.0, n_queries=2, vectors=str(tmp_path / "vectors.npy"))
    speed = measure(str(encoder_folder), plan)
    assert len(speed.rates) == 2
    assert min(*speed.rates, speed.load_s, speed.query_ms, speed.disk_mib) > 0
    assert speed.query_ms <= speed.query_p95_ms
    assert np.array_equal(np.load(tmp_path / "vectors.npy"), load_encoder(str(encoder_folder)).encode(NAMES))


def test_measure_begins_no_pass_after_its_time(encoder_folder: Path, tmp_path: Path) -> None:
    plan = Plan(NAMES, n_repeats=9, seconds=0.0, n_queries=1, vectors=str(tmp_path / "vectors.npy"))
    assert len(measure(str(encoder_folder), plan).rates) == 1


@pytest.mark.parametrize("variant", ["bfloat16", "int8"])
def test_variant_is_near_its_base(variant: str, encoder_folder: Path) -> None:
    base = load_encoder(str(encoder_folder)).encode(NAMES)
    vectors = open_subject(f"{encoder_folder}:{variant}").encoder.encode(NAMES)
    cosines = (base * vectors).sum(axis=1)
    assert not np.array_equal(base, vectors)
    assert cosines.min() > 0.97


def test_open_subject_names_the_known_variants(encoder_folder: Path) -> None:
    with pytest.raises(EncoderError, match=r"no such variant.*expected int8, onnx, onnx-int8"):
        open_subject(f"{encoder_folder}:int3")


def test_read_names_takes_them_from_the_whole_ontology() -> None:
    everything, some = read_names(str(TINY_OBO), 10_000), read_names(str(TINY_OBO), 10)
    assert len(set(everything)) == len(everything)
    assert len(some) == 10
    assert set(some) <= set(everything)
    assert everything.index(some[-1]) > len(everything) / 2


@pytest.mark.slow
def test_bench_prints_a_row_for_each_encoder_also_for_those_that_are_not_there(
    encoder_folder: Path, tmp_path: Path, results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = str(encoder_folder)
    few = ["--n-names", "8", "--n-repeats", "1", "--n-queries", "2", "--no-bert-base", "--ontology", str(TINY_OBO)]
    out = tmp_path / "table.md"
    assert main([*few, "--encoder", folder, "--encoder", "nowhere", "--base", folder, "--out", str(out)]) == 0
    table = capsys.readouterr().out
    assert out.read_text(encoding="utf-8") == table
    assert "| nowhere | not there: nowhere: no encoder of that name" in table
    rows: list[dict[str, Any]] = [json.loads(line) for line in results.read_text(encoding="utf-8").splitlines()]
    assert [row["encoder"] for row in rows] == [folder, f"{folder}:bfloat16", f"{folder}:int8"]
    assert rows[0]["cosine"] is None
    assert all(row["names_per_second"] > 0 for row in rows)
    assert all(row["lowest_cosine"] > 0.97 for row in rows[1:])


@pytest.mark.slow
def test_build_bert_base_is_an_encoder_of_its_size(tmp_path: Path) -> None:
    encoder = load_encoder(str(build_bert_base(tmp_path)))
    assert encoder.width == 768
    assert encoder.encode(["renal cyst"]).shape == (1, 768)
    assert (tmp_path / "model.safetensors").stat().st_size > 400e6

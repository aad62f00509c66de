"""The ablation on the tiny ontology: a row for all there is, rows that are kept, and one that collapses."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from medlink.contrastive.losses.registry import PAIR_LOSSES
from medlink.contrastive.objectives.protocol import Towers
from medlink.contrastive.objectives.registry import OBJECTIVES, build_objective
from pipelines.bench.ablation import interval, main
from pipelines.bench.ablation_trials import TRIALS, Budget, Trial, recipe_of
from tests.conftest import TINY_OBO
from tests.tiny_encoder import write_tiny_encoder

Start = Callable[..., int]


@pytest.fixture
def start(encoder_folder: Path, tmp_path: Path) -> Start:
    """Runs the bench on the tiny ontology into ``tmp_path / "out"``."""

    def run(*arguments: str, encoder: Path = encoder_folder) -> int:
        common = ["--ontology", str(TINY_OBO), "--encoder", str(encoder), "--dev-share", "0.3"]
        return main([*common, "--out", str(tmp_path / "out"), *arguments])

    return run


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_trials_are_all_objectives_and_losses() -> None:
    # On one tower's square matrix, symmetric InfoNCE is InfoNCE.
    expected = (OBJECTIVES.keys() - {"in_batch"}) | (PAIR_LOSSES.keys() - {"symmetric_info_nce"}) | {"no training"}
    assert {trial.name for trial in TRIALS} == expected
    assert len(TRIALS) == len(expected)


@pytest.mark.parametrize("trial", TRIALS, ids=lambda trial: trial.name)
def test_recipe_of_trial_shares_the_budget_and_can_be_built(trial: Trial) -> None:
    recipe = recipe_of(trial, Budget(steps=7, batch_size=12))
    assert (recipe.train.batch_size, recipe.data.group, recipe.train.dtype) == (12, 8, "bfloat16")
    assert recipe.train.steps == (1 if trial.name == "no training" else 7)
    layer = nn.Linear(4, 4)
    options = dict(recipe.objective.options) | ({"n_steps": 7} if trial.name == "byol" else {})
    build_objective(recipe.objective.name, Towers(layer, layer, 4, layer), options)


@pytest.mark.slow
def test_ablation_trains_each_row_once(
    start: Start, results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    few = ("--steps", "2", "--batch-size", "8", "--only", "triplet", "--only", "no training")
    assert start(*few) == 0
    table = capsys.readouterr().out
    untrained, triplet = lines(results)
    assert (untrained["row"], untrained["steps"], triplet["row"], triplet["steps"]) == ("no training", 0, "triplet", 2)
    for row in (untrained, triplet):
        assert 0 <= row["low"] <= row["found"] <= row["high"] <= 1
        assert row["n_queries"] > 0
        assert row["effective_rank"] > 1
        assert row["uniformity"] < 0 <= row["alignment"]
    assert "| triplet | synonyms | margin 0.2 |" in table
    assert (tmp_path / "out" / "ablation.md").read_text(encoding="utf-8") == table
    assert not list((tmp_path / "out").rglob("*.safetensors"))
    assert start(*few) == 0
    again = capsys.readouterr()
    assert again.out == table
    assert "triplet: " in again.err
    assert again.err.count("as before") == 2
    assert len(lines(results)) == 2


@pytest.mark.slow
def test_ablation_trains_anew_with_another_budget(start: Start, results: Path) -> None:
    for steps in ("1", "2"):
        assert start("--steps", steps, "--batch-size", "8", "--only", "supcon") == 0
    assert [row["steps"] for row in lines(results)] == [1, 2]


@pytest.mark.slow
def test_losses_that_are_one_with_one_pair_a_concept_give_one_figure(start: Start, results: Path) -> None:
    names = ("--only", "n_pair", "--only", "synonym_marginalisation")
    assert start("--steps", "3", "--batch-size", "8", "--learning-rate", "0.003", *names) == 0
    one, other = ({name: row[name] for name in ("found", "effective_rank", "alignment")} for row in lines(results))
    assert one == other


def test_ablation_says_which_row_collapsed_and_why(
    start: Start, results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "encoder"
    folder.mkdir()
    write_tiny_encoder(folder, seed=0)
    state = load_file(folder / "model.safetensors")
    state["encoder.layer.1.output.LayerNorm.weight"] *= 0.0  # every text now has the same vector, the bias
    state["encoder.layer.1.output.LayerNorm.bias"] += 1.0
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
    few = ("--steps", "20", "--batch-size", "8", "--learning-rate", "1e-6", "--only", "supcon")
    assert start(*few, encoder=folder) == 0
    (row,) = lines(results)
    assert row["note"].startswith("collapsed: step 15: the representation has collapsed")
    assert "found" not in row
    printed = capsys.readouterr()
    assert "the vectors hardly vary" in printed.out
    assert "supcon: collapsed" in printed.err


def test_ablation_refuses_an_ontology_that_it_does_not_know(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--ontology", "nowhere"]) == 1
    assert "nowhere" in capsys.readouterr().err


def test_interval_is_that_of_a_bootstrap_over_names() -> None:
    hits = np.repeat([1.0, 0.0], [140, 60])
    drawn = np.random.default_rng(1).choice(hits, size=(4000, 200)).mean(axis=1)
    assert interval(0.7, 200) == pytest.approx(np.percentile(drawn, [2.5, 97.5]), abs=0.01)


@pytest.mark.slow
def test_bench_leaves_torch_threads_alone(start: Start) -> None:
    before = torch.get_num_threads()
    assert start("--steps", "1", "--batch-size", "8", "--only", "no training") == 0
    assert torch.get_num_threads() == before

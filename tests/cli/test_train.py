"""``medlink train`` from outside: what it writes and says, and how it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from medlink.cli.main import main
from tests.conftest import TINY_OBO

RECIPES = Path(__file__).parents[2] / "pipelines" / "recipes"


@pytest.fixture
def arguments(encoder_folder: Path, tmp_path: Path) -> list[str]:
    settings = [
        f'data.ontologies=["{TINY_OBO}"]',
        f"encoder.name={encoder_folder}",
        "train.steps=2",
        "data.dev_share=0.3",
    ]
    overrides = [part for setting in settings for part in ("--set", setting)]
    workspace = ["--workspace", str(tmp_path / "workspace")]
    return ["train", "--recipe", str(RECIPES / "supcon.toml"), "--out", str(tmp_path / "out"), *overrides, *workspace]


def test_train_writes_an_encoder_and_says_where(arguments: list[str], tmp_path: Path) -> None:
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    assert "finished after 2 steps" in result.output
    found = {path.name for path in (tmp_path / "out").iterdir() if not path.name.startswith(".")}
    assert found == {"checkpoint", "encoder", "steps.jsonl", "curves.png", "recipe.json"}


def test_train_json_is_the_summary(arguments: list[str], tmp_path: Path) -> None:
    result = CliRunner().invoke(main, [*arguments, "--json"])
    summary = json.loads(result.stdout)
    assert summary["n_steps"] == 2
    assert summary["recipe"] == json.loads((tmp_path / "out" / "recipe.json").read_text(encoding="utf-8"))


def test_train_refuses_an_unknown_setting(arguments: list[str]) -> None:
    result = CliRunner().invoke(main, [*arguments, "--set", "train.batchsize=3"])
    assert result.exit_code == 1
    assert "train.batchsize: extra inputs are not permitted" in result.output

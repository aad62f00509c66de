"""``medlink train`` from outside: what it writes and says, and how it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from medlink.cli.main import main
from medlink.linking.assemble import load_linker
from medlink.linking.recipe import Recipe
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


def test_train_makes_a_surface_tower_that_links(tmp_path: Path) -> None:
    settings = [
        f'data.ontologies=["{TINY_OBO.as_posix()}"]',
        "data.dev_share=0.3",
        "encoder.width=32",
        "encoder.features.bits=12",
        "train.steps=12",
        "train.batch_size=8",
    ]
    overrides = [part for setting in settings for part in ("--set", setting)]
    out = tmp_path / "out"
    arguments = ["train", "--recipe", str(RECIPES / "surface.toml"), "--out", str(out), *overrides]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    linker = load_linker(Recipe(tmp_path / "workspace", ontology=str(TINY_OBO), encoder=str(out / "encoder")))
    (ranked,) = linker.rank(["cysts of the kidney"], k=3)
    assert ranked[0].concept_id == "HP:0000107"


def test_train_says_which_ontology_it_does_not_know(arguments: list[str], tmp_path: Path) -> None:
    result = CliRunner().invoke(main, [*arguments, "--set", 'data.ontologies=["nowhere"]'])
    assert result.exit_code == 1
    assert "nowhere" in result.output
    assert not (tmp_path / "out").exists()


def test_train_json_is_the_summary(arguments: list[str], tmp_path: Path) -> None:
    result = CliRunner().invoke(main, [*arguments, "--json"])
    summary = json.loads(result.stdout)
    assert summary["n_steps"] == 2
    assert summary["recipe"] == json.loads((tmp_path / "out" / "recipe.json").read_text(encoding="utf-8"))


def test_train_refuses_an_unknown_setting(arguments: list[str]) -> None:
    result = CliRunner().invoke(main, [*arguments, "--set", "train.batchsize=3"])
    assert result.exit_code == 1
    assert "train.batchsize: extra inputs are not permitted" in result.output

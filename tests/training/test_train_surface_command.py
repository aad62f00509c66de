"""The command that trains a surface tower: what it leaves behind, and what it says when something is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from medlink.encoder.loading import load_encoder
from medlink.linking.assemble import load_linker
from medlink.linking.recipe import Recipe
from pipelines.train_surface import main
from tests.conftest import TINY_OBO

RECIPE = """
held_out = 0.3
bits = 4
[[ontologies]]
name = "{name}"
[features]
bits = 12
[train]
n_steps = 12
batch_size = 8
width = 32
"""


def write_recipe(folder: Path, name: str) -> Path:
    path = folder / "recipe.toml"
    path.write_text(RECIPE.format(name=name), encoding="utf-8")
    return path


def test_command_writes_an_encoder_that_links(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "tower"
    assert main(["--recipe", str(write_recipe(tmp_path, TINY_OBO.as_posix())), "--out", str(out)]) == 0
    assert capsys.readouterr().out.startswith("SurfaceReport(n_concepts=22,")
    assert load_encoder(str(out)).width == 32
    linker = load_linker(Recipe(tmp_path / "workspace", ontology=str(TINY_OBO), encoder=str(out)))
    (ranked,) = linker.rank(["cysts of the kidney"], k=3)
    assert ranked[0].concept_id == "HP:0000107"


def test_command_goes_on_where_it_was_broken_off(tmp_path: Path) -> None:
    arguments = ["--recipe", str(write_recipe(tmp_path, TINY_OBO.as_posix())), "--out", str(tmp_path / "tower")]
    assert main(arguments) == 0
    first = load_encoder(str(tmp_path / "tower")).fingerprint
    assert main(arguments) == 0
    assert load_encoder(str(tmp_path / "tower")).fingerprint == first
    assert len((tmp_path / "tower/steps.jsonl").read_text(encoding="utf-8").splitlines()) == 12


def test_command_says_which_ontology_it_does_not_know(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--recipe", str(write_recipe(tmp_path, "nowhere")), "--out", str(tmp_path / "tower")]) == 1
    assert "nowhere" in capsys.readouterr().err
    assert not (tmp_path / "tower").exists()

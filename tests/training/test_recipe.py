"""Recipes: what they refuse, and how overrides are typed."""

from __future__ import annotations

from pathlib import Path

import pytest

from medlink.encoder.ngram_features import FeatureSettings
from medlink.errors import SettingError
from medlink.training.recipe import Recipe, SurfaceSection, read_recipe


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "recipe.toml"
    file.write_text('[objective]\nname = "supcon"\n[train]\nsteps = 10\n', encoding="utf-8")
    return file


def test_read_recipe_fills_in_defaults(path: Path) -> None:
    recipe = read_recipe(path)
    assert (recipe.train.steps, recipe.train.batch_size, recipe.data.ontologies) == (10, 256, ("hpo",))


def test_read_recipe_types_overrides(path: Path) -> None:
    overrides = [
        "train.batch_size=64",
        "train.learning_rate=1e-4",
        "encoder.name = some/folder",
        'data.ontologies=["hpo", "mine.obo"]',
        "objective.options.temperature=0.2",
    ]
    recipe = read_recipe(path, overrides)
    assert (recipe.train.batch_size, recipe.train.learning_rate, recipe.train.steps) == (64, 1e-4, 10)
    assert recipe.encoder.name == "some/folder"
    assert recipe.data.ontologies == ("hpo", "mine.obo")
    assert recipe.objective.options == {"temperature": 0.2}


@pytest.mark.parametrize(
    ("override", "match"),
    [
        ("train.batch_size=many", r"train\.batch_size: .*integer"),
        ("train.batch_size=1", r"train\.batch_size: .*greater than or equal to 2"),
        ("train.batchsize=64", r"train\.batchsize: extra inputs"),
        ("trane.steps=64", r"trane: extra inputs"),
        ("train.steps", "this is no override"),
        ("steps=3", "this is no override"),
        ("train.steps.more=3", "this is no override"),
        ("data.pairs=twins", r"data\.pairs"),
        ("data.weights=[1.0, 0.3]", "data: .*a weight for each"),
        ("data.weights=[1.0]", "data: .*need `draw"),
        ("data.weights=[0.0]", r"data\.weights\.0"),
        ("encoder.kind=sphinx", "encoder: .*sphinx"),
        ("encoder.width=32", r"encoder\.width: extra inputs"),
    ],
)
def test_read_recipe_refuses_wrong_overrides(override: str, match: str, path: Path) -> None:
    with pytest.raises(SettingError, match=match):
        read_recipe(path, [override])


@pytest.mark.parametrize(
    ("override", "match"),
    [
        ("encoder.frozen=1", r"encoder\.frozen: extra inputs"),
        ("encoder.features.buckets=3", r"encoder\.features\.buckets"),
        ("encoder.features.bits=40", "bits"),
        ("encoder.bits=5", r"encoder\.bits"),
    ],
)
def test_read_recipe_refuses_what_a_surface_tower_has_not(override: str, match: str, path: Path) -> None:
    with pytest.raises(SettingError, match=match):
        read_recipe(path, ["encoder.kind=surface", override])


def test_read_recipe_reads_a_surface_tower(path: Path) -> None:
    overrides = ["encoder.kind=surface", "encoder.features.bits=12", "data.draw=weighted", "data.weights=[2]"]
    recipe = read_recipe(path, overrides)
    assert isinstance(recipe.encoder, SurfaceSection)
    assert recipe.encoder.features == FeatureSettings(bits=12)
    assert recipe.data.weights == (2.0,)
    assert Recipe.model_validate_json(recipe.model_dump_json()) == recipe


@pytest.mark.parametrize("text", ["", "[objective]\nname = ", '[objective]\nname = "x"\nwhat = 1\n'])
def test_read_recipe_names_the_broken_file(text: str, path: Path) -> None:
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SettingError, match=r"recipe\.toml"):
        read_recipe(path)

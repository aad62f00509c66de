"""What the tests of training share: small recipes on the tiny ontology and the tiny encoder."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from medlink.ontology.lexicon import Lexicon
from medlink.training.recipe import Recipe, check_recipe
from medlink.training.run import RunOptions, Summary, train

Settings = Mapping[str, Mapping[str, Any]]
Start = Callable[..., Summary]

#: An encoder section for a surface tower that trains in a moment.
SURFACE: Mapping[str, Any] = {"kind": "surface", "name": "", "width": 32, "features": {"bits": 12}}


def small_settings(encoder_folder: Path, changes: Settings) -> dict[str, dict[str, Any]]:
    """Settings for a few steps, with some of them changed."""
    settings: dict[str, dict[str, Any]] = {
        "data": {"dev_share": 0.3, "augmentation": ["typo"], "augmented": 0.5},
        "encoder": {"name": str(encoder_folder)},
        "objective": {"name": "supcon"},
        "train": {"steps": 4, "batch_size": 8, "chunk_size": 8, "dtype": "float32", "evaluate_every": 2},
        "guard": {"every": 1, "patience": 100},
    }
    return {name: {**settings[name], **changes.get(name, {})} for name in settings}


@pytest.fixture
def start(encoder_folder: Path, tiny_lexicon: Lexicon) -> Start:
    """Trains into a folder, with some settings changed."""

    def run(out: Path, changes: Settings, *, resume: bool = False) -> Summary:
        recipe: Recipe = check_recipe(small_settings(encoder_folder, changes), where="test")
        return train(recipe, [tiny_lexicon], out, RunOptions(resume=resume))

    return run


def journal(out: Path, kind: str) -> list[dict[str, Any]]:
    """The lines of that kind."""
    lines = [json.loads(line) for line in (out / "steps.jsonl").read_text(encoding="utf-8").splitlines()]
    return [line for line in lines if line["kind"] == kind]

"""Trainings that two processes share, and one does alone: ``python -m tests.training.work_shared ENCODER OUT``."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from medlink.ontology.lexicon import Lexicon
from medlink.ontology.obo import read_obo
from medlink.training.recipe import Recipe, check_recipe
from medlink.training.run import RunOptions, train
from tests.conftest import TINY_OBO
from tests.training.conftest import SURFACE, small_settings

#: By name: the kind of encoder, and what differs from the small recipe.
CASES: Mapping[str, tuple[str, Mapping[str, Mapping[str, Any]]]] = {
    "retroactive": (
        "transformer",
        {"objective": {"name": "retroactive", "options": {"capacity": 16, "drift_every": 2, "max_drift": 0.0}}},
    ),
    "byol": ("transformer", {"objective": {"name": "byol", "options": {"hidden": 16}}, "train": {"chunk_size": 3}}),
    "simclr": (
        "surface",
        {
            "objective": {"name": "simclr", "options": {"projected": 8, "hidden": 16}},
            "data": {"draw": "weighted", "mine_at": [1], "n_group": 2},
            "train": {"learning_rate": 0.1},
        },
    ),
}


def make_recipe(name: str, encoder_folder: Path) -> Recipe:
    """The recipe of a case."""
    kind, changes = CASES[name]
    train = {"steps": 3, "batch_size": 7, "chunk_size": 7, **changes.get("train", {})}
    section = SURFACE if kind == "surface" else {}
    return check_recipe(small_settings(encoder_folder, {**changes, "train": train, "encoder": section}), where=name)


def main(encoder_folder: Path, out: Path) -> None:
    """Train all cases, and take each up again where there is nothing left to do."""
    lexicon = Lexicon(read_obo(TINY_OBO, name="tiny"))
    for name in CASES:
        for resume in (False, True):
            train(make_recipe(name, encoder_folder), [lexicon], out / name, RunOptions(resume=resume))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))

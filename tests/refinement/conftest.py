"""A linker of two tiny towers that annotators have taught."""

from __future__ import annotations

from pathlib import Path

import pytest

from medlink.linking.linker import Linker
from medlink.linking.recipe import Recipe
from tests.conftest import TINY_OBO
from tests.refinement.tiny_teaching import Prepared, prepare, taught_linker


@pytest.fixture(scope="session")
def pair_recipe(tmp_path_factory: pytest.TempPathFactory, pair_folder: Path) -> Recipe:
    """The tiny ontology and two tiny towers, in a workspace that is only read and indexed in."""
    root = tmp_path_factory.mktemp("taught")
    return Recipe(root, ontology=str(TINY_OBO), encoder=str(pair_folder), n_threads=1)


@pytest.fixture(scope="session")
def parent(pair_recipe: Recipe) -> Linker:
    """With what was said as names and rulings."""
    return taught_linker(pair_recipe)


@pytest.fixture(scope="session")
def prepared(parent: Linker) -> Prepared:
    return prepare(parent)

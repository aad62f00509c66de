"""What the tests share: a tiny ontology, a tiny random encoder on disk, a workspace of their own."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from medlink.linking.assemble import load_linker
from medlink.linking.linker import Linker
from medlink.linking.recipe import Recipe
from medlink.ontology.lexicon import Lexicon
from medlink.ontology.obo import read_obo
from tests.tiny_encoder import write_tiny_encoder, write_tiny_pair

TINY_OBO = Path(__file__).parent / "data" / "tiny.obo"


@pytest.fixture(scope="session")
def tiny_lexicon() -> Lexicon:
    """The whole of the hand-written ontology."""
    return Lexicon(read_obo(TINY_OBO, name="tiny"))


@pytest.fixture(scope="session")
def encoder_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A two-layer BERT with random weights, as a Hugging Face folder."""
    return write_tiny_encoder(tmp_path_factory.mktemp("encoder"), seed=0)


@pytest.fixture(scope="session")
def pair_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A surface tower and a semantic one, as a folder of two towers."""
    return write_tiny_pair(tmp_path_factory.mktemp("pair"), seed=0)


@pytest.fixture(scope="session")
def recipe(tmp_path_factory: pytest.TempPathFactory, encoder_folder: Path) -> Recipe:
    """The tiny ontology and the tiny encoder in a workspace that the session shares."""
    return Recipe(tmp_path_factory.mktemp("workspace"), ontology=str(TINY_OBO), encoder=str(encoder_folder))


@pytest.fixture(scope="session")
def linker(recipe: Recipe) -> Linker:
    """The linker of the tiny recipe."""
    return load_linker(recipe)


@pytest.fixture
def own_recipe(recipe: Recipe, linker: Linker, tmp_path: Path) -> Recipe:
    """The tiny recipe in a workspace of the test's own, with the index built."""
    root = tmp_path / "workspace"
    root.mkdir()
    for part in ("indexes", "lexicons"):
        (root / part).symlink_to(recipe.workspace / part)
    return replace(recipe, workspace=root)


@pytest.fixture(scope="session")
def hpo_workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with the index of the whole Human Phenotype Ontology; building it takes a minute or two."""
    root = tmp_path_factory.mktemp("hpo")
    load_linker(Recipe(root))
    return root

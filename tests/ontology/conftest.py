"""The tiny ontology, as file and as lexicon."""

from __future__ import annotations

from pathlib import Path

import pytest

from medlink.ontology.lexicon import Lexicon
from medlink.ontology.obo import read_obo
from medlink.ontology.source import Ontology

TINY = Path(__file__).parents[1] / "data" / "tiny.obo"


@pytest.fixture
def tiny_path() -> Path:
    return TINY


@pytest.fixture(scope="session")
def tiny_ontology() -> Ontology:
    return read_obo(TINY, name="tiny")


@pytest.fixture(scope="session")
def tiny(tiny_ontology: Ontology) -> Lexicon:
    return Lexicon(tiny_ontology)

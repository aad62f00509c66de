"""Fixtures of the tests of detection."""

from __future__ import annotations

import pytest
from spacy.language import Language

from medlink.detection.matcher import DictionaryMatcher
from medlink.detection.pipeline import build_detector
from medlink.detection.settings import DetectionSettings
from medlink.ontology.lexicon import Lexicon
from tests.detection.lexicons import clinical_lexicon


@pytest.fixture(scope="session")
def lexicon() -> Lexicon:
    return clinical_lexicon()


@pytest.fixture(scope="session")
def matcher(lexicon: Lexicon) -> DictionaryMatcher:
    return DictionaryMatcher(lexicon)


@pytest.fixture(scope="session")
def detector(lexicon: Lexicon) -> Language:
    return build_detector(lexicon, settings=DetectionSettings())


@pytest.fixture(scope="session")
def nested_detector(lexicon: Lexicon) -> Language:
    return build_detector(lexicon, settings=DetectionSettings(nested=True))

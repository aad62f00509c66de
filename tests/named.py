"""A lexicon with more names, built from nothing: what an extended one is compared with."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from medlink.ontology.lexicon import Lexicon
from medlink.records import Name


def with_names(lexicon: Lexicon, names: Iterable[tuple[str, str]]) -> Lexicon:
    """The lexicon with more exact synonyms, each a text and the id of its concept."""
    added = list(names)
    concepts = (
        replace(concept, synonyms=(*concept.synonyms, *(Name(text) for text, key in added if key == concept.id)))
        for concept in lexicon.ontology.concepts
    )
    return Lexicon(replace(lexicon.ontology, concepts=tuple(concepts)))

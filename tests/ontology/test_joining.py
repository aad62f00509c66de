"""Ontologies joined, and the ids of other systems that their cross-references give."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medlink.errors import SettingError, UnknownNameError
from medlink.ontology.equivalents import Equivalents, canonical_curie
from medlink.ontology.joining import join_ontologies
from medlink.ontology.lexicon import Lexicon
from medlink.ontology.source import Ontology
from medlink.records import Concept

HPO = (
    Concept("HP:1", "Seizure", xrefs=("SNOMEDCT_US:91175000", "UMLS:C0036572")),
    Concept("HP:2", "Fit", xrefs=("UMLS:C1",), obsolete=True, replaced_by=("HP:1",)),
    Concept("HP:3", "Renal cyst"),
)
MONDO = (
    Concept("MONDO:1", "epilepsy", xrefs=("HP:1", "MESH:D004827", "OMIM:600512", "OMIM:117100")),
    Concept("MONDO:2", "kidney disease", xrefs=("SCTID:90708001", "hp:3"), obsolete=True),
)


def ontology(name: str, concepts: tuple[Concept, ...], licence: str = "") -> Ontology:
    return Ontology(name, name.title(), f"{name}-1", licence, name[0] * 64, concepts)


@pytest.fixture
def joined() -> Ontology:
    return join_ontologies([ontology("mondo", MONDO, "CC BY"), ontology("hpo", HPO)])


def test_joined_ontologies_hold_all_concepts_and_say_what_they_are(joined: Ontology) -> None:
    assert (joined.name, joined.title, joined.version) == ("mondo+hpo", "Mondo + Hpo", "mondo-1+hpo-1")
    assert joined.licence == "CC BY"
    assert joined.concepts == HPO + MONDO
    lexicon = Lexicon(joined)
    assert [posting.concept_id for posting in lexicon.lookup("EPILEPSY")] == ["MONDO:1"]
    assert lexicon.resolve("HP:2") == "HP:1"


def test_one_ontology_is_joined_with_nothing() -> None:
    alone = ontology("hpo", HPO)
    assert join_ontologies([alone]) is alone


def test_ontologies_with_the_same_ids_are_not_joined() -> None:
    with pytest.raises(SettingError, match=r"hpo\+other: ontologies with the same ids.*1 ids in two.*such as HP:1"):
        join_ontologies([ontology("hpo", HPO), ontology("other", HPO[:1])])


@given(st.permutations([HPO[:1], HPO[1:], MONDO]))
def test_the_concepts_are_the_same_in_any_order(parts: list[tuple[Concept, ...]]) -> None:
    assert join_ontologies([ontology("x", part) for part in parts]).concepts == HPO + MONDO


@pytest.mark.parametrize(
    ("concept_id", "prefixes", "expected"),
    [
        ("HP:1", ["snomedct"], ("SNOMEDCT:91175000",)),
        ("HP:1", ["UMLS", "SCTID"], ("SNOMEDCT:91175000", "UMLS:C0036572")),
        ("HP:1", ["MONDO"], ("MONDO:1",)),
        ("HP:1", ["OMIM"], ()),
        ("MONDO:1", ["OMIM", "HP"], ("HP:1", "OMIM:117100", "OMIM:600512")),
        ("HP:3", ["MONDO"], ()),
        ("HP:1", ["HP"], ()),
        ("HP:2", ["UMLS"], ()),
        ("HP:1", [], ()),
    ],
    ids=[
        "own", "two systems", "referring", "no second step", "several", "obsolete does not refer", "not itself",
        "obsolete has none", "none asked",
    ],
)  # fmt: skip
def test_equivalents_are_own_references_and_referring_concepts(
    concept_id: str, prefixes: list[str], expected: tuple[str, ...], joined: Ontology
) -> None:
    assert Equivalents(Lexicon(joined), prefixes).of(concept_id) == expected


def test_equivalents_refuse_a_system_that_nothing_refers_to(joined: Ontology) -> None:
    with pytest.raises(UnknownNameError, match=r"nothing refers to the system 'LOINC'.*expected .*OMIM.*MESH"):
        Equivalents(Lexicon(joined), ["lnc"])


@given(st.text())
def test_canonical_spelling_of_a_curie_is_canonical(text: str) -> None:
    assert canonical_curie(canonical_curie(text)) == canonical_curie(text)

from __future__ import annotations

import pytest

from medlink.formats.vocabulary import Kind, split_curie
from medlink.ontology.catalogue import Catalogue, default_folder


@pytest.mark.parametrize(
    ("concept_id", "system", "code", "kind"),
    [
        ("HP:0001250", "http://human-phenotype-ontology.org", "HP:0001250", Kind.FINDING),
        ("MONDO:0005148", "http://purl.obolibrary.org/obo/mondo.owl", "MONDO:0005148", Kind.DISEASE),
        ("SNOMEDCT:73211009", "http://snomed.info/sct", "73211009", Kind.DISEASE),
        ("ICD10CM:E11.9", "http://hl7.org/fhir/sid/icd-10-cm", "E11.9", Kind.DISEASE),
        ("LOINC:2345-7", "http://loinc.org", "2345-7", Kind.OTHER),
        ("WARD:7", "urn:medlink:vocabulary:WARD", "WARD:7", Kind.FINDING),
        ("D008575", "", "D008575", Kind.FINDING),
        ("a b:7", "", "a b:7", Kind.FINDING),
    ],
)
def test_split_curie_names_the_vocabulary(concept_id: str, system: str, code: str, kind: Kind) -> None:
    vocabulary, found = split_curie(concept_id)
    assert (vocabulary.system, found, vocabulary.kind) == (system, code, kind)


def test_split_curie_knows_every_ontology_of_the_catalogue() -> None:
    catalogue = Catalogue([default_folder()])
    for entry in catalogue.entries():
        assert split_curie(f"{entry.id_prefix}:1")[0].url

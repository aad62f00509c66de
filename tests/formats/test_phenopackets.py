"""Phenopackets against the protobuf schema of GA4GH, as the package phenopackets carries it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.json_format import Parse
from hypothesis import given, settings
from phenopackets.schema.v2.phenopackets_pb2 import Phenopacket

from medlink.formats.phenopackets import is_held, phenopacket_of, write_phenopackets
from medlink.formats.processing_date import VARIABLE
from medlink.records import Assertion, Candidate, Document, LinkedDocument
from tests.formats.samples import DOCUMENTS, HEADACHE, NEGATED, SEIZURE, linked_documents, make_link

DIABETES = Candidate("MONDO:0005148", "type 2 diabetes mellitus", "t2dm", 1.0, None, 0.9)
ASPIRIN = Candidate("RXNORM:1191", "aspirin", "asa", 1.0, None, 0.9)
NOTE = Document("ward/7", "T2DM. Fits, no headache. ASA. fits in the past.\n")


def _packet(linked: LinkedDocument) -> Any:  # noqa: ANN401 - protobuf's classes are made at run time
    return Parse(json.dumps(phenopacket_of(linked)), Phenopacket(), ignore_unknown_fields=False)


@settings(max_examples=50, deadline=None)
@given(linked=linked_documents(doc_id="ward/7"))
def test_phenopacket_of_is_valid_and_holds_every_concept_it_can(linked: LinkedDocument) -> None:
    packet = _packet(linked)
    held = [link for link in linked.links if is_held(link)]
    terms = [feature.type.id for feature in packet.phenotypic_features] + [d.term.id for d in packet.diseases]
    assert sorted(terms) == sorted({link.concept_id or "" for link in held})
    prefixes = {resource.namespace_prefix for resource in packet.meta_data.resources}
    used = {term.rpartition(":")[0] for term in terms}
    assert used <= prefixes


def test_phenopacket_of_parts_features_and_diseases(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "1735689599")
    links = (
        make_link(NOTE, "T2DM", DIABETES),
        make_link(NOTE, "Fits", SEIZURE),
        make_link(NOTE, "headache", HEADACHE, assertion=NEGATED),
        make_link(NOTE, "ASA", ASPIRIN),
    )
    packet = _packet(LinkedDocument(NOTE, links))
    assert packet.id == "ward/7"
    assert not packet.HasField("subject")
    assert [(f.type.id, f.type.label, f.excluded) for f in packet.phenotypic_features] == [
        ("HP:0001250", "Seizure", False),
        ("HP:0002315", "Headache", True),
    ]
    assert [(disease.term.id, disease.excluded) for disease in packet.diseases] == [("MONDO:0005148", False)]
    [evidence] = packet.phenotypic_features[0].evidence
    assert evidence.evidence_code.id == "ECO:0000501"
    assert (evidence.reference.id, evidence.reference.description) == ("ward/7", "characters 6 to 10 of the note")
    assert packet.meta_data.created.ToJsonString() == "2024-12-31T00:00:00Z"
    assert [(r.namespace_prefix, r.version) for r in packet.meta_data.resources] == [
        ("HP", "2025-01-16"),
        ("MONDO", "2025-01-16"),
        ("ECO", "2019-10-16"),
    ]


def test_phenopacket_of_does_not_exclude_what_is_also_observed() -> None:
    links = (make_link(NOTE, "Fits", SEIZURE), make_link(NOTE, "fits", SEIZURE, assertion=NEGATED))
    [feature] = _packet(LinkedDocument(NOTE, links)).phenotypic_features
    assert not feature.excluded
    assert len(feature.evidence) == 2


@pytest.mark.parametrize("label", ["uncertain", "hypothetical", "family"])
def test_phenopacket_of_leaves_out_what_is_not_said_of_the_patient(label: str) -> None:
    link = make_link(NOTE, "Fits", SEIZURE, assertion=Assertion(**{label: True}))
    assert not _packet(LinkedDocument(NOTE, (link,))).phenotypic_features


def test_write_phenopackets_names_files_for_notes(tmp_path: Path) -> None:
    names = list(write_phenopackets(DOCUMENTS, tmp_path))
    assert Path("ward 3/fits.json") in names
    packets = [Parse((tmp_path / name).read_text(encoding="utf-8"), Phenopacket()) for name in names]
    assert [packet.id for packet in packets] == [linked.document.id for linked in DOCUMENTS]

"""FHIR bundles against the models of fhir.resources; R4B's of these resources are R4's."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from fhir.resources.R4B.bundle import Bundle
from hypothesis import given, settings

from medlink.formats.fhir import bundle_of, is_held, write_fhir
from medlink.records import Assertion, Candidate, Document, LinkedDocument
from tests.formats.samples import DOCUMENTS, EMPTY, SEIZURE, linked_documents, make_link

DIABETES = Candidate("MONDO:0005148", "type 2 diabetes mellitus", "t2dm", 1.0, None, 0.9)
NOTE = Document("ward/7", "T2DM. Fits on Monday, and fits on Tuesday.\n")


def _bundle(*assertions: Assertion, candidate: Candidate = DIABETES, surface: str = "T2DM") -> dict[str, Any]:
    links = tuple(make_link(NOTE, surface, candidate, assertion=assertion) for assertion in assertions)
    bundle = bundle_of(LinkedDocument(NOTE, links))
    Bundle.model_validate(bundle)
    return bundle


def _resources(bundle: dict[str, Any]) -> list[dict[str, Any]]:
    return [entry["resource"] for entry in bundle["entry"]]


@settings(max_examples=50, deadline=None)
@given(linked=linked_documents(doc_id="ward/7"))
def test_bundle_of_is_valid_and_refers_to_what_is_in_it(linked: LinkedDocument) -> None:
    bundle = bundle_of(linked)
    Bundle.model_validate(bundle)
    urls = [entry["fullUrl"] for entry in bundle["entry"]]
    assert len(set(urls)) == len(urls)
    text = json.dumps(bundle)
    assert text.count('"reference": "urn:uuid:') == text.count(f'"reference": "{urls[0]}"')


@settings(max_examples=50, deadline=None)
@given(linked=linked_documents(doc_id="ward/7"))
def test_bundle_of_holds_each_link_once_or_counts_it(linked: LinkedDocument) -> None:
    bundle = bundle_of(linked)
    n_mentions = json.dumps(bundle).count('"url": "urn:medlink:mention"')
    left_out = bundle["entry"][0]["resource"].get("extension", [{"valueInteger": 0}])[0]["valueInteger"]
    assert n_mentions == sum(map(is_held, linked.links))
    assert n_mentions + left_out == len(linked.links)


def test_bundle_of_gives_a_disease_as_condition() -> None:
    note, condition = _resources(_bundle(Assertion()))
    assert condition["resourceType"] == "Condition"
    assert condition["verificationStatus"]["coding"][0]["code"] == "unconfirmed"
    assert condition["code"] == {
        "coding": [
            {
                "system": "http://purl.obolibrary.org/obo/mondo.owl",
                "version": "2025-01-16",
                "code": "MONDO:0005148",
                "display": "type 2 diabetes mellitus",
            }
        ],
        "text": "type 2 diabetes mellitus",
    }
    [evidence] = condition["evidence"]
    assert evidence["detail"] == [{"reference": f"urn:uuid:{note['id']}"}]
    places = {part["url"]: part for part in evidence["extension"][0]["extension"]}
    assert (places["start"]["valueInteger"], places["end"]["valueInteger"]) == (0, 4)
    assert condition["meta"]["source"] == "urn:medlink:release:surface-1"
    assert condition["meta"]["security"][0]["code"] == "AIAST"


@pytest.mark.parametrize(
    ("assertion", "status"),
    [
        (Assertion(negated=True), "refuted"),
        (Assertion(negated=True, uncertain=True), "refuted"),
        (Assertion(uncertain=True), "provisional"),
        (Assertion(historical=True), "unconfirmed"),
    ],
)
def test_bundle_of_gives_what_is_asserted_of_a_condition(assertion: Assertion, status: str) -> None:
    condition = _resources(_bundle(assertion))[1]
    assert condition["verificationStatus"]["coding"][0]["code"] == status
    assert [extension["valueString"] for extension in condition["extension"]] == list(assertion.labels)


@pytest.mark.parametrize(
    ("assertion", "value"),
    [(Assertion(), True), (Assertion(negated=True), False), (Assertion(uncertain=True), None)],
)
def test_bundle_of_gives_a_finding_as_observation(assertion: Assertion, value: bool | None) -> None:
    observation = _resources(_bundle(assertion, candidate=SEIZURE, surface="Fits"))[1]
    assert (observation["resourceType"], observation["status"]) == ("Observation", "preliminary")
    assert observation["code"]["coding"][0]["system"] == "http://human-phenotype-ontology.org"
    assert observation.get("valueBoolean") is value
    assert ("dataAbsentReason" in observation) == (value is None)


def test_bundle_of_gives_one_resource_for_what_is_said_twice() -> None:
    links = (make_link(NOTE, "Fits", SEIZURE), make_link(NOTE, "fits", SEIZURE))
    _, observation = _resources(bundle_of(LinkedDocument(NOTE, links)))
    assert len(observation["derivedFrom"]) == 2


def test_bundle_of_gives_the_family_as_family_history() -> None:
    bundle = _bundle(
        Assertion(family=True), Assertion(family=True, negated=True), Assertion(family=True, uncertain=True)
    )
    note, history = _resources(bundle)
    assert history["resourceType"] == "FamilyMemberHistory"
    assert history["relationship"]["coding"][0]["code"] == "FAMMEMB"
    assert [condition["code"]["text"] for condition in history["condition"]] == ["type 2 diabetes mellitus"]
    assert note["extension"] == [{"url": "urn:medlink:left-out", "valueInteger": 2}]


def test_bundle_of_leaves_out_what_is_hypothetical_or_nil() -> None:
    links = (
        make_link(NOTE, "T2DM", DIABETES, nil=True),
        make_link(NOTE, "Fits", SEIZURE, assertion=Assertion(hypothetical=True)),
    )
    [note] = _resources(bundle_of(LinkedDocument(NOTE, links)))
    assert note["extension"][0]["valueInteger"] == 2


def test_bundle_of_makes_up_no_patient() -> None:
    bundle = _bundle(Assertion(), Assertion(family=True))
    for resource in _resources(bundle)[1:]:
        who = resource.get("subject") or resource["patient"]
        assert list(who) == ["extension"]
        assert who["extension"][0]["valueCode"] == "unknown"


def test_bundle_of_does_not_copy_the_note() -> None:
    assert "Monday" not in json.dumps(_bundle(Assertion()))
    [note] = _resources(bundle_of(LinkedDocument(NOTE, ())))
    assert note["identifier"][0]["value"] == "ward/7"
    assert note["content"][0]["attachment"]["size"] == len(NOTE.text.encode())


def test_write_fhir_writes_a_bundle_a_line() -> None:
    stream = io.BytesIO()
    write_fhir(DOCUMENTS, stream)
    lines = stream.getvalue().decode().split("\n")
    assert lines.pop() == ""
    for line in lines:
        Bundle.model_validate_json(line)
    bundles = [json.loads(line) for line in lines]
    assert [_resources(bundle)[0]["identifier"][0]["value"] for bundle in bundles] == [
        linked.document.id for linked in DOCUMENTS
    ]
    assert len(_resources(bundles[DOCUMENTS.index(EMPTY)])) == 1

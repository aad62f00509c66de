"""FHIR R4 output: a bundle per note with what the note says of its patient, as resources that point into the note."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import uuid
from collections.abc import Iterable, Sequence
from typing import Any, BinaryIO
from urllib.parse import quote

from medlink.formats.decision import decide, round_score
from medlink.formats.vocabulary import Kind, split_curie
from medlink.records import Assertion, Link, LinkedDocument

Resource = dict[str, Any]

_TERMS = "http://terminology.hl7.org/CodeSystem"
_ASSERTED_BY_MACHINE = {
    "system": f"{_TERMS}/v3-ObservationValue",
    "code": "AIAST",
    "display": "Artificial Intelligence asserted",
}
_UNKNOWN_PATIENT = {
    "extension": [{"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "unknown"}]
}
_FAMILY_MEMBER = {"coding": [{"system": f"{_TERMS}/v3-RoleCode", "code": "FAMMEMB", "display": "family member"}]}
# Extensions are ours alone and named as such; whoever does not know them loses nothing but the place in the note.
_MENTION, _ASSERTION, _LEFT_OUT = "urn:medlink:mention", "urn:medlink:assertion", "urn:medlink:left-out"
# What a FHIR string cannot hold (R4, "Primitive Types").
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")
_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "urn:medlink:fhir")


def write_fhir(links: Iterable[LinkedDocument], stream: BinaryIO) -> None:
    """A line of JSON per note, each a bundle (see :func:`bundle_of`), as in FHIR's bulk data. Constant memory."""
    for linked in links:
        packed = json.dumps(bundle_of(linked), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        stream.write(packed.encode() + b"\n")


def bundle_of(linked: LinkedDocument) -> Resource:
    """A note as a FHIR R4 ``Bundle`` of type ``collection``.

    The first entry is a ``DocumentReference`` that stands for the note: its id, length and hash, not its text. Behind
    it comes one resource for each concept and way it is asserted, however often the note says it:

    - a ``Condition`` where the concept's vocabulary is one of diseases (:class:`medlink.formats.vocabulary.Kind`), with
      the ``verificationStatus`` ``refuted`` where it is negated, ``provisional`` where uncertain, else ``unconfirmed``:
      ``confirmed`` is for a person to say. Each mention is an ``evidence`` whose ``detail`` is the note.
    - an ``Observation`` for all else, ``preliminary``, with ``valueBoolean`` false where it is negated and true where
      it is not; what is uncertain has a ``dataAbsentReason`` and no value. ``derivedFrom`` is the note, once for each
      mention.
    - one ``FamilyMemberHistory`` with all that is said of the family, of a ``family member`` without a name.

    No patient is made up: ``subject`` and ``patient`` say that they are unknown, for the receiving system to fill in
    from the note's id. What FHIR has no place for is left out (see :func:`is_held`) and counted in an extension of the
    ``DocumentReference``. Each resource carries the security label ``AIAST`` (asserted by artificial intelligence), and
    ``meta.source`` names the release. Places count code points, in the extension ``urn:medlink:mention``;
    control characters in a text are spaces.
    """
    note = _note(linked)
    held = [link for link in linked.links if is_held(link)]
    if len(held) < len(linked.links):
        note["extension"] = [{"url": _LEFT_OUT, "valueInteger": len(linked.links) - len(held)}]
    groups: dict[tuple[str, Assertion], list[Link]] = {}
    for link in held:
        groups.setdefault((link.concept_id or "", link.mention.assertion), []).append(link)
    family = [links for (_, assertion), links in groups.items() if assertion.family]
    own = [links for (_, assertion), links in groups.items() if not assertion.family]
    resources = [note, *(_statement(links, note) for links in own)]
    if family:
        resources.append(_family_history(family, note))
    entries = [{"fullUrl": _url(resource), "resource": resource} for resource in resources]
    return {
        "resourceType": "Bundle",
        "id": _id(linked.document.id, "Bundle"),
        "type": "collection",
        "entry": entries,
    }


def is_held(link: Link) -> bool:
    """Whether FHIR has a place for the link.

    It has none for a mention without a concept, for what is hypothetical, as that says nothing about anybody, and for
    what the family does not or may not have: ``FamilyMemberHistory`` cannot deny or doubt.
    """
    assertion = link.mention.assertion
    if link.concept_id is None or assertion.hypothetical:
        return False
    return not (assertion.family and (assertion.negated or assertion.uncertain))


def _note(linked: LinkedDocument) -> Resource:
    document = linked.document
    data = document.text.encode()
    attachment = {
        "contentType": "text/plain; charset=utf-8",
        "size": len(data),
        "hash": base64.b64encode(hashlib.sha1(data, usedforsecurity=False).digest()).decode(),
    }
    return {
        "resourceType": "DocumentReference",
        "id": _id(document.id, "DocumentReference"),
        "identifier": [{"system": "urn:medlink:note", "value": _string(document.id)}],
        "status": "current",
        "content": [{"attachment": attachment}],
    }


def _statement(links: Sequence[Link], note: Resource) -> Resource:
    """The Condition or Observation of mentions that say the same."""
    first = links[0]
    vocabulary, _ = split_curie(first.concept_id or "")
    make = _condition if vocabulary.kind is Kind.DISEASE else _observation
    return make(links, note)


def _condition(links: Sequence[Link], note: Resource) -> Resource:
    assertion = links[0].mention.assertion
    status = "refuted" if assertion.negated else "provisional" if assertion.uncertain else "unconfirmed"
    return _head("Condition", links, note) | {
        "verificationStatus": {"coding": [{"system": f"{_TERMS}/condition-ver-status", "code": status}]},
        "code": _code(links[0]),
        "subject": _UNKNOWN_PATIENT,
        "evidence": [{"extension": [_mention(link)], "detail": [{"reference": _url(note)}]} for link in links],
    }


def _observation(links: Sequence[Link], note: Resource) -> Resource:
    assertion = links[0].mention.assertion
    value: Resource = {"valueBoolean": not assertion.negated}
    if assertion.uncertain:
        value = {"dataAbsentReason": {"coding": [{"system": f"{_TERMS}/data-absent-reason", "code": "unknown"}]}}
    return (
        _head("Observation", links, note)
        | {"status": "preliminary", "code": _code(links[0]), "subject": _UNKNOWN_PATIENT}
        | value
        | {"derivedFrom": [{"extension": [_mention(link)], "reference": _url(note)} for link in links]}
    )


def _family_history(groups: Sequence[Sequence[Link]], note: Resource) -> Resource:
    first = groups[0][0]
    conditions = [{"extension": [_mention(link) for link in links], "code": _code(links[0])} for links in groups]
    return {
        "resourceType": "FamilyMemberHistory",
        "id": _id(str(note["id"]), "FamilyMemberHistory"),
        "meta": _meta(first),
        "status": "partial",
        "patient": _UNKNOWN_PATIENT,
        "relationship": _FAMILY_MEMBER,
        "reasonReference": [{"reference": _url(note)}],
        "condition": conditions,
    }


def _head(kind: str, links: Sequence[Link], note: Resource) -> Resource:
    labels = links[0].mention.assertion.labels
    head = {
        "resourceType": kind,
        "id": _id(str(note["id"]), kind, links[0].concept_id or "", *labels),
        "meta": _meta(links[0]),
    }
    return head | ({"extension": [{"url": _ASSERTION, "valueString": label} for label in labels]} if labels else {})


def _meta(link: Link) -> Resource:
    return {"source": f"urn:medlink:release:{quote(link.release)}", "security": [_ASSERTED_BY_MACHINE]}


def _code(link: Link) -> Resource:
    """The concept with its name; the version is that of the ontology."""
    vocabulary, code = split_curie(link.concept_id or "")
    name = _string(decide(link).name)
    coding = {"system": vocabulary.system, "version": link.ontology_version, "code": code, "display": name}
    return {"coding": [{key: value for key, value in coding.items() if value}]} | ({"text": name} if name else {})


def _mention(link: Link) -> Resource:
    """Where the note says it, in which words, and how sure the system is that they mean this."""
    mention = link.mention
    parts: list[Resource] = [
        {"url": "start", "valueInteger": mention.start},
        {"url": "end", "valueInteger": mention.end},
        {"url": "surface", "valueString": _string(mention.surface)},
        {"url": "score", "valueDecimal": round_score(decide(link).score)},
    ]
    parts += [
        {"url": name, "valueString": _string(value)}
        for name, value in (("expanded", mention.expanded), ("section", mention.section))
        if value
    ]
    return {"url": _MENTION, "extension": parts}


def _string(text: str) -> str:
    """The text with a space for each character that FHIR cannot hold."""
    return _CONTROL.sub(" ", text)


def _id(*parts: str) -> str:
    """An id that the same parts always get, and no others."""
    return str(uuid.uuid5(_NAMESPACE, json.dumps(parts)))


def _url(resource: Resource) -> str:
    return f"urn:uuid:{resource['id']}"

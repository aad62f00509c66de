"""GA4GH Phenopackets v2: what a note says of its patient's features and diseases, a file per note."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from medlink import __version__
from medlink.formats.decision import decide
from medlink.formats.file_names import file_name
from medlink.formats.processing_date import processing_date
from medlink.formats.vocabulary import Kind, Vocabulary, split_curie
from medlink.records import Link, LinkedDocument

_SCHEMA = "2.0"
# "Automatic": no person has looked at it. The Evidence and Conclusion Ontology's release has had the term for long.
_EVIDENCE = {"id": "ECO:0000501", "label": "evidence used in automatic assertion"}
_ECO = {
    "id": "eco",
    "name": "Evidence and Conclusion Ontology",
    "url": "http://purl.obolibrary.org/obo/eco.owl",
    "version": "2019-10-16",
    "namespacePrefix": "ECO",
    "iriPrefix": "http://purl.obolibrary.org/obo/ECO_",
}


def write_phenopackets(links: Iterable[LinkedDocument], folder: Path) -> Iterator[Path]:
    """A JSON file per note, named for its id (see :func:`medlink.formats.file_names.file_name`); yields their names."""
    for linked in links:
        name = Path(f"{file_name(linked.document.id)}.json")
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        packed = json.dumps(phenopacket_of(linked), ensure_ascii=False, allow_nan=False, indent=2)
        path.write_bytes(packed.encode() + b"\n")
        yield name


def phenopacket_of(linked: LinkedDocument) -> dict[str, Any]:
    """A note as a phenopacket, in the JSON form of its protobuf schema.

    Concepts of vocabularies of diseases are ``diseases``, others ``phenotypicFeatures``, each of them once. A concept
    that all its mentions negate is ``excluded``; one that is also said without negation is not. Each mention of a
    feature is an ``evidence`` whose reference is the note, with the place in code points; ``Disease`` has no evidence.

    There is no ``subject``, as nothing is known of the patient but the note, whose id is that of the phenopacket.
    What has no place is left out, see :func:`is_held`. The date is
    :func:`medlink.formats.processing_date.processing_date`.
    """
    groups: dict[str, list[Link]] = {}
    for link in filter(is_held, linked.links):
        groups.setdefault(link.concept_id or "", []).append(link)
    diseases = [links for links in groups.values() if _vocabulary(links[0]).kind is Kind.DISEASE]
    features = [links for links in groups.values() if _vocabulary(links[0]).kind is not Kind.DISEASE]
    packet: dict[str, Any] = {"id": linked.document.id}
    if features:
        packet["phenotypicFeatures"] = [_feature(links) for links in features]
    if diseases:
        packet["diseases"] = [{"term": _term(links[0]), **_excluded(links)} for links in diseases]
    return packet | {"metaData": _meta_data(list(groups.values()), has_evidence=bool(features))}


def is_held(link: Link) -> bool:
    """Whether a phenopacket has a place for the link.

    It has none for a mention without a concept; for what is uncertain or hypothetical; for what is said of the family,
    which would be a phenopacket of its own; for substances, tests and functions.
    """
    assertion = link.mention.assertion
    if link.concept_id is None or assertion.uncertain or assertion.hypothetical or assertion.family:
        return False
    return _vocabulary(link).kind is not Kind.OTHER


def _vocabulary(link: Link) -> Vocabulary:
    return split_curie(link.concept_id or "")[0]


def _feature(links: Sequence[Link]) -> dict[str, Any]:
    evidence = [
        {
            "evidenceCode": _EVIDENCE,
            "reference": {
                "id": link.mention.doc_id,
                "description": f"characters {link.mention.start} to {link.mention.end} of the note",
            },
        }
        for link in links
    ]
    return {"type": _term(links[0]), **_excluded(links), "evidence": evidence}


def _excluded(links: Sequence[Link]) -> dict[str, bool]:
    return {"excluded": True} if all(link.mention.assertion.negated for link in links) else {}


def _term(link: Link) -> dict[str, str]:
    return {"id": link.concept_id or "", "label": decide(link).name}


def _meta_data(groups: Sequence[Sequence[Link]], *, has_evidence: bool) -> dict[str, Any]:
    """Who made it when, and every vocabulary that is used, with its version."""
    used = {_vocabulary(links[0]).prefix: _resource(links[0]) for links in groups}
    resources = [*(used[prefix] for prefix in sorted(used)), *([_ECO] if has_evidence else [])]
    return {
        "created": f"{processing_date().isoformat()}T00:00:00Z",
        "createdBy": f"medlink {__version__}",
        "resources": resources,
        "phenopacketSchemaVersion": _SCHEMA,
    }


def _resource(link: Link) -> dict[str, str]:
    vocabulary = _vocabulary(link)
    return {
        "id": vocabulary.prefix.lower(),
        "name": vocabulary.title,
        "url": vocabulary.url,
        "version": link.ontology_version,
        "namespacePrefix": vocabulary.prefix,
        "iriPrefix": vocabulary.iri,
    }

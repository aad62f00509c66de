"""IRIs as CURIEs."""

from __future__ import annotations

import re

_OBO_LIKE = re.compile(r"(?P<prefix>[A-Za-z][A-Za-z0-9_]*)_(?P<local>[A-Za-z0-9]+)")
_SPACES = {
    "http://snomed.info/id/": "SNOMEDCT",
    "http://purl.bioontology.org/ontology/MESH/": "MESH",
    "http://id.nlm.nih.gov/mesh/": "MESH",
    "https://omim.org/entry/": "OMIM",
    "http://linkedlifedata.com/resource/umls/id/": "UMLS",
    "http://id.who.int/icd/entity/": "icd11.foundation",
}


def curie_of(iri: str) -> str:
    """The CURIE that an IRI stands for; the IRI itself where no rule makes one of it.

    >>> curie_of("http://purl.obolibrary.org/obo/HP_0001250"), curie_of("http://snomed.info/id/22298006")
    ('HP:0001250', 'SNOMEDCT:22298006')
    """
    for space, prefix in _SPACES.items():
        if iri.startswith(space):
            return f"{prefix}:{iri.removeprefix(space)}"
    if "://" not in iri:
        return iri
    found = _OBO_LIKE.fullmatch(local_name(iri))
    return f"{found['prefix']}:{found['local']}" if found else iri


def local_name(iri: str) -> str:
    """What stands behind the last ``#`` or ``/``.

    >>> local_name("http://www.geneontology.org/formats/oboInOwl#hasExactSynonym")
    'hasExactSynonym'
    """
    return re.split(r"[#/]", iri)[-1]


def short_version(text: str) -> str:
    """The release date where a version contains one, else the version, of an IRI the last part but a file name.

    >>> short_version("http://purl.obolibrary.org/obo/hp/releases/2025-01-16/hp.owl")
    '2025-01-16'
    """
    date = re.search(r"\d{4}-\d{2}-\d{2}", text)
    return date.group() if date else text

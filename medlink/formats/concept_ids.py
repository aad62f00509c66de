"""Concept ids as tools write them: bare, as IRIs, in labels, and the words for "no concept fits"."""

from __future__ import annotations

import re

#: How our exports write it.
NIL = "NIL"
#: No id is longer.
MAX_LABEL = 500
# How tools and corpora write that no concept fits: ours, PubTator's and BC5CDR's, scispaCy's.
_NIL_IDS = frozenset({"nil", "-1", "-", "none", "cui-less", "cui_less", "no concept"})
_IRI = re.compile(
    r"https?://(?:purl\.obolibrary\.org/obo/(?P<prefix>[A-Za-z]+)_|identifiers\.org/(?:[\w.]+/)?)(?P<id>\S+)"
)
_BRACKETED = re.compile(r"[(\[]([^()\[\]\s]*\d[^()\[\]\s]*)[)\]]\s*\Z")
_BARE_ID = re.compile(r"[^\s()\[\]]*\d[^\s()\[\]]*")


def concept_of(written: str) -> tuple[str, bool]:
    """The concept id that a field holds, empty for none; and whether it says that no concept fits.

    IRIs of OBO and identifiers.org become CURIEs.

    >>> concept_of(" http://purl.obolibrary.org/obo/HP_0002970 "), concept_of("nil"), concept_of("")
    (('HP:0002970', False), ('', True), ('', False))
    """
    written = written.strip()
    if written.lower() in _NIL_IDS:
        return "", True
    match = _IRI.fullmatch(written)
    if not match:
        return written, False
    return (f"{match['prefix']}:{match['id']}" if match["prefix"] else match["id"]), False


def split_ids(field: str) -> list[str]:
    """The ids of a field in which ``|``, ``+``, ``,`` and ``;`` part several.

    >>> split_ids("D000544|OMIM:104300"), split_ids(" ")
    (['D000544', 'OMIM:104300'], [])
    """
    return [part for part in re.split(r"[|+,;]", field) if part.strip()]


def concept_in_label(label: str) -> tuple[str, bool]:
    """The concept id that a label is or ends in, for tools that have nothing but labels.

    An id has a digit in it and no space. A label without one is a type and names no concept.

    >>> concept_in_label("Seizure (HP:0001250)"), concept_in_label("E11.9"), concept_in_label("Disease")
    (('HP:0001250', False), ('E11.9', False), ('', False))
    """
    if len(label) > MAX_LABEL:
        return "", False
    bracketed = _BRACKETED.search(label)
    written = bracketed[1] if bracketed else label.strip()
    if concept_of(written)[1] or _BARE_ID.fullmatch(written):
        return concept_of(written)
    return "", False

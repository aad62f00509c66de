"""Ids of other systems that mean the same as a concept."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from functools import cached_property

from medlink.errors import UnknownNameError
from medlink.ontology.lexicon import Lexicon

# How ontologies write one and the same system in their cross-references; keys in lower case.
_SAME_SYSTEM = {
    "sctid": "SNOMEDCT", "snomed": "SNOMEDCT", "snomed_ct": "SNOMEDCT", "snomedct": "SNOMEDCT",
    "snomedct_us": "SNOMEDCT", "msh": "MESH", "mesh": "MESH", "umls": "UMLS", "umls_cui": "UMLS", "lnc": "LOINC",
    "loinc": "LOINC", "mim": "OMIM", "omim": "OMIM", "orphanet": "ORPHA", "ordo": "ORPHA", "orpha": "ORPHA",
    "rxcui": "RXNORM", "rxnorm": "RXNORM", "icd-10": "ICD10", "icd10": "ICD10", "icd-9": "ICD9", "icd9": "ICD9",
    "icd10cm": "ICD10CM", "icd-10-cm": "ICD10CM", "icd9cm": "ICD9CM", "ncit": "NCIT", "nci": "NCIT", "mdr": "MEDDRA",
    "meddra": "MEDDRA",
}  # fmt: skip


class Equivalents:
    """What the cross-references of a lexicon's concepts say about chosen systems.

    A concept's equivalents are its own cross-references and the concepts that refer to it. It goes one step only: what
    a third concept says is not carried on, as ontologies mean different things by a cross-reference.

    :param lexicon: obsolete concepts do not count.
    :param prefixes: the systems, such as OMIM and SNOMEDCT; case does not count, nor how an ontology writes the system
        (``SNOMEDCT_US:`` and ``SCTID:`` are ``SNOMEDCT:``).
    :raises UnknownNameError: when neither cross-references nor concepts have such a prefix; names those there are.
    """

    def __init__(self, lexicon: Lexicon, prefixes: Sequence[str]) -> None:
        self._lexicon = lexicon
        self._prefixes = {canonical_prefix(prefix) for prefix in prefixes}
        for prefix in sorted(self._prefixes):
            if not self._known[prefix]:
                raise UnknownNameError(
                    f"nothing refers to the system {prefix!r}",
                    where=f"{lexicon.ontology_name} {lexicon.version}",
                    expected=" or ".join(name for name, _ in self._known.most_common(20)) or "no system at all",
                )

    def of(self, concept_id: str) -> tuple[str, ...]:
        """The ids of the chosen systems that mean the same as a concept, sorted; none for an unknown concept."""
        concept = self._lexicon.concepts.get(concept_id)
        if concept is None or not self._prefixes:
            return ()
        found = {canonical_curie(xref) for xref in concept.xrefs}
        found.update(self._referring.get(canonical_curie(concept_id), ()))
        return tuple(sorted(curie for curie in found - {canonical_curie(concept_id)} if self._is_chosen(curie)))

    def _is_chosen(self, curie: str) -> bool:
        return curie.partition(":")[0] in self._prefixes

    @cached_property
    def _known(self) -> Counter[str]:
        """How many ids there are of each system."""
        known = Counter[str]()
        for concept in self._lexicon.concepts.values():
            known.update(canonical_curie(curie).partition(":")[0] for curie in (concept.id, *concept.xrefs))
        return known

    @cached_property
    def _referring(self) -> Mapping[str, Sequence[str]]:
        """Concepts of the chosen systems, by what they refer to."""
        referring = defaultdict[str, list[str]](list)
        for concept in self._lexicon.concepts.values():
            own = canonical_curie(concept.id)
            if self._is_chosen(own):
                for xref in concept.xrefs:
                    referring[canonical_curie(xref)].append(own)
        return referring


def canonical_prefix(prefix: str) -> str:
    """A system's prefix in the one spelling that is compared and written.

    >>> canonical_prefix("SNOMEDCT_US"), canonical_prefix("omim"), canonical_prefix("hp"), canonical_prefix("Fyler")
    ('SNOMEDCT', 'OMIM', 'HP', 'FYLER')
    """
    upper = prefix.upper()
    return _SAME_SYSTEM.get(upper.lower(), upper)


def canonical_curie(curie: str) -> str:
    """A CURIE with its prefix in canonical spelling; what has no prefix, and an IRI, stays as it is.

    >>> canonical_curie("SCTID:22298006"), canonical_curie("D009203"), canonical_curie("https://x.org/1")
    ('SNOMEDCT:22298006', 'D009203', 'https://x.org/1')
    """
    prefix, colon, local = curie.partition(":")
    return f"{canonical_prefix(prefix)}:{local}" if colon and not local.startswith("//") else curie

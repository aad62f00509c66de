"""The vocabularies that concept ids come from, as other systems name them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What the concepts of a vocabulary are, as far as its name tells."""

    FINDING = "finding"
    """Signs, symptoms and phenotypes; what is not known to be anything else."""
    DISEASE = "disease"
    """Diagnoses. Of vocabularies that hold all of medicine it is assumed that a branch of diseases is linked to."""
    OTHER = "other"
    """Substances, tests, functions: nothing that a patient has."""


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """A vocabulary that a CURIE's prefix stands for.

    :param system: its URI in FHIR, from HL7's list of external code systems where that has it; empty for none.
    :param url: where it is to be had, empty where nobody but the user knows.
    :param iri: what stands before a code in its IRI.
    :param bare: whether its codes are written without the prefix.
    """

    prefix: str
    title: str
    kind: Kind
    system: str = ""
    url: str = ""
    iri: str = ""
    bare: bool = False


def split_curie(concept_id: str) -> tuple[Vocabulary, str]:
    """The vocabulary of a concept id, and its code there.

    >>> vocabulary, code = split_curie("ICD10CM:E11.9")
    >>> vocabulary.system, code
    ('http://hl7.org/fhir/sid/icd-10-cm', 'E11.9')
    >>> split_curie("HP:0001250")[1]
    'HP:0001250'
    """
    prefix, _, local = concept_id.rpartition(":")
    known = _VOCABULARIES.get(prefix.upper())
    if known is None:
        system = f"urn:medlink:vocabulary:{prefix}" if prefix.isalnum() else ""
        return Vocabulary(prefix, prefix or "unnamed vocabulary", Kind.FINDING, system), concept_id
    return known, local if known.bare else concept_id


def _obo(prefix: str, title: str, kind: Kind, system: str = "") -> Vocabulary:
    url = f"http://purl.obolibrary.org/obo/{prefix.lower()}.owl"
    return Vocabulary(prefix, title, kind, system or url, url, f"http://purl.obolibrary.org/obo/{prefix}_")


def _bare(prefix: str, title: str, kind: Kind, system: str, iri: str = "") -> Vocabulary:
    return Vocabulary(prefix, title, kind, system, system, iri or f"{system}/", bare=True)


_VOCABULARIES = {
    vocabulary.prefix: vocabulary
    for vocabulary in (
        _obo("HP", "Human Phenotype Ontology", Kind.FINDING, "http://human-phenotype-ontology.org"),
        _obo("MONDO", "Mondo Disease Ontology", Kind.DISEASE),
        _obo("DOID", "Human Disease Ontology", Kind.DISEASE),
        _obo("CHEBI", "Chemical Entities of Biological Interest", Kind.OTHER),
        _obo("GO", "Gene Ontology", Kind.OTHER),
        _bare("ICD10CM", "ICD-10-CM", Kind.DISEASE, "http://hl7.org/fhir/sid/icd-10-cm"),
        _bare("ICD10", "ICD-10", Kind.DISEASE, "http://hl7.org/fhir/sid/icd-10"),
        _bare("SNOMEDCT", "SNOMED CT", Kind.DISEASE, "http://snomed.info/sct", "http://snomed.info/id/"),
        _bare("UMLS", "Unified Medical Language System", Kind.DISEASE, "http://www.nlm.nih.gov/research/umls"),
        _bare("MESH", "Medical Subject Headings", Kind.DISEASE, "https://www.nlm.nih.gov/mesh"),
        _bare("OMIM", "Online Mendelian Inheritance in Man", Kind.DISEASE, "http://www.omim.org"),
        _bare("ORPHA", "Orphanet", Kind.DISEASE, "http://www.orpha.net"),
        _bare("ORPHANET", "Orphanet", Kind.DISEASE, "http://www.orpha.net", "http://www.orpha.net/ORDO/Orphanet_"),
        _bare("ICD11", "ICD-11 MMS", Kind.DISEASE, "http://id.who.int/icd/release/11/mms"),
        _bare("HGNC", "HGNC", Kind.OTHER, "http://www.genenames.org"),
        _obo("NCIT", "NCI Thesaurus", Kind.DISEASE, "http://ncicb.nci.nih.gov/xml/owl/EVS/Thesaurus.owl"),
        _bare("OMOP", "OMOP standardised vocabularies", Kind.DISEASE, "https://fhir-terminology.ohdsi.org"),
        _bare("RXNORM", "RxNorm", Kind.OTHER, "http://www.nlm.nih.gov/research/umls/rxnorm"),
        _bare("LOINC", "LOINC", Kind.OTHER, "http://loinc.org"),
    )
}

"""The standardised vocabularies of OMOP, as Athena (https://athena.ohdsi.org) gives them.

The tables are tab-separated, nothing is quoted. Columns after the OMOP Common Data Model 5.4, vocabulary tables (https://ohdsi.github.io/CommonDataModel/cdm54.html).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tqdm import tqdm

from medlink.ontology.drafts import Draft, Drafts
from medlink.ontology.options import ReaderOptions
from medlink.ontology.parts import Release
from medlink.ontology.source import Ontology, tidy

PREFIX = "OMOP"
CONCEPT, SYNONYM = "CONCEPT.csv", "CONCEPT_SYNONYM.csv"
RELATIONSHIP, VOCABULARY = "CONCEPT_RELATIONSHIP.csv", "VOCABULARY.csv"
FILES = {
    CONCEPT: r"CONCEPT\.csv",
    SYNONYM: r"CONCEPT_SYNONYM\.csv",
    RELATIONSHIP: r"CONCEPT_RELATIONSHIP\.csv",
    VOCABULARY: r"VOCABULARY\.csv",
}
_ENGLISH = "4180186"
_STANDARD = "S"
_SUCCESSION = ("Concept replaced by", "Maps to")
# Vocabularies whose codes the field writes with another prefix.
_PREFIXES = {"SNOMED": "SNOMEDCT", "RxNorm": "RXNORM", "MeSH": "MESH", "MedDRA": "MEDDRA"}


class OmopOptions(ReaderOptions):
    """What is read of the vocabularies.

    :param vocabularies: vocabulary_id values, such as SNOMED and RxNorm. Empty for all.
    :param domains: domain_id values, such as Condition and Drug. Empty for all.
    :param classes: concept_class_id values, such as Clinical Finding. Empty for all.
    :param standard: whether of the valid concepts only the standard ones are read, as records of OMOP hold them.
    :param retired: whether invalid concepts are read, as obsolete ones that lead to their successors.
    :param mapped: vocabularies whose concepts that map to one become cross-references of it, such as ICD10CM. What maps
        may be narrower.
    :param languages: language_concept_id values of the synonyms; 4180186 is English.
    """

    vocabularies: tuple[str, ...] = ()
    domains: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    standard: bool = True
    retired: bool = True
    mapped: tuple[str, ...] = ()
    languages: tuple[str, ...] = (_ENGLISH,)


def read_omop(path: Path, *, name: str, show_progress: bool = False, options: OmopOptions | None = None) -> Ontology:
    """The concepts of a download from Athena: its folder, the zip archive, or a single CONCEPT.csv.

    Ids are ``OMOP:312327``; the concept's code in its own vocabulary is a cross-reference, such as
    ``SNOMEDCT:22298006``. Semantic types are the domain and the class. CONCEPT_SYNONYM gives synonyms,
    CONCEPT_RELATIONSHIP the ``Is a`` parents and what replaced an invalid concept, VOCABULARY the release.

    :param name: the ontology's key in the catalogue.
    :raises OntologyFormatError: when CONCEPT.csv, a column or a cell is missing; names file and line.
    """
    options = options or OmopOptions()
    release = Release(path, FILES)
    release.need(CONCEPT)
    reading = _Reading(release, options, show_progress)
    drafts = reading.read_concepts()
    reading.add_synonyms(drafts)
    reading.add_relationships(drafts)
    version = next((v for i, v in reading.rows(VOCABULARY, "vocabulary_id", "vocabulary_version") if i == "None"), "")
    return drafts.collect(release, name=name, title="OMOP standardised vocabularies", version=version)


@dataclass(slots=True)
class _Reading:
    """One reading of a download.

    :param codes: of the concepts of the vocabularies whose mappings become cross-references, by concept_id.
    """

    release: Release
    options: OmopOptions
    show_progress: bool
    codes: dict[str, str] = field(default_factory=dict)

    def rows(self, kind: str, *columns: str) -> Iterator[list[str]]:
        """The wanted cells of the rows of one table."""
        rows = self.release.tables(kind, columns)
        for _, cells in tqdm(rows, desc=f"reading {kind}", unit=" rows", disable=not self.show_progress):
            yield cells

    def read_concepts(self) -> Drafts:
        """The chosen concepts with their preferred names, types and codes."""
        drafts, chosen = Drafts(), self.options
        columns = (
            "concept_id", "concept_name", "domain_id", "vocabulary_id", "concept_class_id", "standard_concept",
            "concept_code", "invalid_reason",
        )  # fmt: skip
        for concept, text, domain, vocabulary, kind, standard, code, invalid in self.rows(CONCEPT, *columns):
            curie = code if ":" in code else f"{_PREFIXES.get(vocabulary, vocabulary)}:{code}"
            if vocabulary in chosen.mapped:
                self.codes[concept] = curie
            if (
                not _among(vocabulary, chosen.vocabularies)
                or not _among(domain, chosen.domains)
                or not _among(kind, chosen.classes)
                or not (chosen.retired if invalid else standard == _STANDARD or not chosen.standard)
            ):
                continue
            draft = drafts[concept] = Draft(f"{PREFIX}:{concept}", obsolete=bool(invalid))
            draft.name_it(tidy(text), (0,))
            draft.types = (domain, kind) if domain != kind else (domain,)
            draft.refer(curie)
        return drafts

    def add_synonyms(self, drafts: Drafts) -> None:
        """The synonyms in the chosen languages."""
        columns = ("concept_id", "concept_synonym_name", "language_concept_id")
        for concept, text, language in self.rows(SYNONYM, *columns):
            if concept in drafts and language in self.options.languages:
                drafts[concept].name_it(tidy(text), (1,))

    def add_relationships(self, drafts: Drafts) -> None:
        """Parents, successors and mappings; relationships that are themselves invalid do not count."""
        columns = ("concept_id_1", "concept_id_2", "relationship_id", "invalid_reason")
        for first, second, relation, invalid in self.rows(RELATIONSHIP, *columns):
            if invalid or first == second:
                continue
            draft, other = drafts.get(first), drafts.get(second)
            if draft is not None and other is not None and relation == "Is a":
                draft.put_below(other.id)
            elif draft is not None and draft.obsolete and other is not None and relation in _SUCCESSION:
                draft.replaced_by += (other.id,)
            if other is not None and relation == "Maps to" and first in self.codes:
                other.refer(self.codes[first])


def _among(value: str, chosen: tuple[str, ...]) -> bool:
    return not chosen or value in chosen

"""SNOMED CT, from the snapshot files of a release in Release Format 2.

Columns and files after the SNOMED CT Release File Specifications, sections 3.2 and 4.2 (http://snomed.org/rfs).
"""

from __future__ import annotations

import re
from array import array
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tqdm import tqdm

from medlink.errors import SettingError
from medlink.ontology.drafts import Draft, Drafts
from medlink.ontology.options import ReaderOptions
from medlink.ontology.parts import Release
from medlink.ontology.source import Ontology, tidy

PREFIX = "SNOMEDCT"
CONCEPT, DESCRIPTION, DEFINITION = "sct2_Concept_Snapshot", "sct2_Description_Snapshot", "sct2_TextDefinition_Snapshot"
RELATIONSHIP, LANGUAGE = "sct2_Relationship_Snapshot", "der2_cRefset_LanguageSnapshot"
ASSOCIATION = "der2_cRefset_AssociationSnapshot"
# National packages put a namespace, a country or nothing behind the language: sct2_Description_Snapshot-en_US1000124_….
FILES = {
    CONCEPT: r"x?sct2_Concept_(?:\w*)Snapshot_.*\.txt",
    DESCRIPTION: r"x?sct2_Description_(?:\w*)Snapshot-.*\.txt",
    DEFINITION: r"x?sct2_TextDefinition_(?:\w*)Snapshot-.*\.txt",
    RELATIONSHIP: r"x?sct2_Relationship_(?:\w*)Snapshot_.*\.txt",
    LANGUAGE: r"x?der2_cRefset_(?:\w*)Language(?:\w*)Snapshot-.*\.txt",
    ASSOCIATION: r"x?der2_cRefset_(?:\w*)Association(?:Reference)?(?:\w*)Snapshot_.*\.txt",
}
_ACTIVE = "1"
_FULLY_SPECIFIED, _IS_A, _PREFERRED = "900000000000003001", "116680003", "900000000000548007"
_ENTIRE_TERM_CASE_SENSITIVE = "900000000000017005"
_TAG = re.compile(r"^(?P<name>.*\S)\s*\((?P<tag>[^()]+)\)$")
_DATE = re.compile(r"_(\d{4})(\d{2})(\d{2})\.txt")
# The language reference sets of the International Edition.
_REFSETS = {"us": 900000000000509007, "gb": 900000000000508004}
_ASSOCIATIONS = {
    "same_as": "900000000000527005",
    "replaced_by": "900000000000526001",
    "possibly_equivalent_to": "900000000000523009",
    "partially_equivalent_to": "1186924009",
    "possibly_replaced_by": "1186921001",
    "moved_to": "900000000000524003",
    "alternative": "900000000000530003",
    "was_a": "900000000000528000",
}


class SnomedOptions(ReaderOptions):
    """What is read of SNOMED CT.

    :param languages: languageCode values, such as en; descriptions in others are left out. Empty for all.
    :param refsets: language reference sets in the order of preference, ids or ``us`` and ``gb``; the preferred name is
        the one preferred in the first, and where refsets are named, descriptions acceptable in none are left out.
    :param semantic_types: semantic tags, such as disorder and finding; others are left out. Empty for all.
    :param associations: the historical associations that lead from an inactive concept to its successor. The others,
        such as possibly_equivalent_to, are advice to a person.
    """

    languages: tuple[str, ...] = ()
    refsets: tuple[str, ...] = ()
    semantic_types: tuple[str, ...] = ()
    associations: tuple[str, ...] = ("same_as", "replaced_by")


def read_snomed(
    path: Path, *, name: str, show_progress: bool = False, options: SnomedOptions | None = None
) -> Ontology:
    """The concepts of a release package of SNOMED CT: its folder, its ``Snapshot`` folder or the zip archive.

    Inactive concepts stay, as obsolete ones that lead to their successors; inactive descriptions and relationships do
    not count. The preferred name is the synonym that the language reference set prefers, the fully specified name
    without its semantic tag is a synonym, the tag the semantic type. Terms in which case matters throughout are of the
    kind ``case sensitive``. Parents are the inferred ``is a``. Ids are ``SNOMEDCT:22298006``.

    Needed are the files of concepts and descriptions; relationships, language and association reference sets and text
    definitions are read where they are there.

    :param name: the ontology's key in the catalogue.
    :raises OntologyFormatError: when a file or a column is missing; names file and line.
    :raises SettingError: when a reference set or an association is unknown.
    """
    options = options or SnomedOptions()
    release = Release(path, FILES)
    release.need(CONCEPT, DESCRIPTION)
    reading = _Reading(release, options, show_progress)
    drafts = reading.read_concepts()
    reading.read_preferences()
    reading.add_descriptions(drafts)
    reading.drop_other_types(drafts)
    reading.add_definitions(drafts)
    reading.add_parents(drafts)
    reading.add_successors(drafts)
    found = _DATE.search(release.parts(CONCEPT)[0].name)
    return drafts.collect(release, name=name, title="SNOMED CT", version="-".join(found.groups()) if found else "")


@dataclass(slots=True)
class _Reading:
    """One reading of a release.

    :param preferred: description ids that a language reference set prefers, sorted, by reference set.
    :param acceptable: those that it accepts.
    """

    release: Release
    options: SnomedOptions
    show_progress: bool
    preferred: dict[int, array[int]] = field(default_factory=dict)
    acceptable: dict[int, array[int]] = field(default_factory=dict)

    def rows(self, kind: str, *columns: str) -> Iterator[list[str]]:
        """The wanted cells of the rows of one kind."""
        rows = self.release.tables(kind, columns)
        for _, cells in tqdm(rows, desc=f"reading {kind}", unit=" rows", disable=not self.show_progress):
            yield cells

    def read_concepts(self) -> Drafts:
        """A draft for each concept."""
        drafts = Drafts()
        for concept, active in self.rows(CONCEPT, "id", "active"):
            drafts[concept] = Draft(f"{PREFIX}:{concept}", obsolete=active != _ACTIVE)
        return drafts

    def read_preferences(self) -> None:
        """What the language reference sets prefer and accept."""
        preferred: defaultdict[int, array[int]] = defaultdict(lambda: array("Q"))
        acceptable: defaultdict[int, array[int]] = defaultdict(lambda: array("Q"))
        columns = ("active", "refsetId", "referencedComponentId", "acceptabilityId")
        for active, refset, description, acceptability in self.rows(LANGUAGE, *columns):
            if active == _ACTIVE:
                kept = preferred if acceptability == _PREFERRED else acceptable
                kept[int(refset)].append(int(description))
        self.preferred = {refset: array("Q", sorted(ids)) for refset, ids in preferred.items()}
        self.acceptable = {refset: array("Q", sorted(ids)) for refset, ids in acceptable.items()}

    def _order(self) -> list[int]:
        """The language reference sets in the order of preference."""
        known = sorted(self.preferred.keys() | self.acceptable.keys())
        chosen = [_refset_id(text) for text in self.options.refsets]
        unknown = [text for text, refset in zip(self.options.refsets, chosen, strict=True) if refset not in known]
        if unknown:
            raise SettingError(
                "no such language reference set in the release",
                where="refsets",
                expected=" or ".join(map(str, known)) or "none, as there is no file of them",
                got=", ".join(unknown),
            )
        usual = [refset for refset in _REFSETS.values() if refset in known]
        return chosen or [*usual, *(refset for refset in known if refset not in usual)]

    def add_descriptions(self, drafts: Drafts) -> None:
        """Names and semantic tags."""
        order = self._order()
        columns = ("id", "active", "conceptId", "languageCode", "typeId", "term", "caseSignificanceId")
        for description, active, concept, language, kind, term, case in self.rows(DESCRIPTION, *columns):
            draft = drafts.get(concept)
            if draft is None or active != _ACTIVE or not self._speaks(language):
                continue
            text = tidy(term)
            if kind == _FULLY_SPECIFIED:
                tagged = _TAG.match(text)
                if tagged:
                    text, tag = tagged["name"], tagged["tag"]
                    draft.types = draft.types or (tag,)
                draft.name_it(text, (len(order) * 2 + 1,), kind=_kind(case))
                continue
            rank = self._rank(int(description), order)
            if rank is None and self.options.refsets:
                continue
            draft.name_it(text, (len(order) * 2 if rank is None else rank,), kind=_kind(case))

    def _rank(self, description: int, order: list[int]) -> int | None:
        """How well a synonym serves as the preferred name, 0 the best; ``None`` where no reference set has it."""
        for place, refset in enumerate(order):
            if _holds(self.preferred.get(refset), description):
                return place
        for place, refset in enumerate(order):
            if _holds(self.acceptable.get(refset), description):
                return len(order) + place
        return None

    def _speaks(self, language: str) -> bool:
        return not self.options.languages or language in self.options.languages

    def drop_other_types(self, drafts: Drafts) -> None:
        """Leaves concepts with the chosen semantic tags only."""
        wanted = frozenset(self.options.semantic_types)
        if wanted:
            for concept in [key for key, draft in drafts.items() if wanted.isdisjoint(draft.types)]:
                del drafts[concept]

    def add_definitions(self, drafts: Drafts) -> None:
        """Text definitions."""
        for active, concept, language, term in self.rows(DEFINITION, "active", "conceptId", "languageCode", "term"):
            if active == _ACTIVE and concept in drafts and self._speaks(language):
                drafts[concept].define(tidy(term), (0,))

    def add_parents(self, drafts: Drafts) -> None:
        """The active ``is a`` relationships."""
        for active, source, target, kind in self.rows(RELATIONSHIP, "active", "sourceId", "destinationId", "typeId"):
            if active == _ACTIVE and kind == _IS_A and source in drafts and target in drafts:
                drafts[source].put_below(drafts[target].id)

    def add_successors(self, drafts: Drafts) -> None:
        """Where inactive concepts went."""
        unknown = [name for name in self.options.associations if name not in _ASSOCIATIONS]
        if unknown:
            raise SettingError(
                "no such historical association",
                where="associations",
                expected=" or ".join(_ASSOCIATIONS),
                got=", ".join(unknown),
            )
        followed = {_ASSOCIATIONS[name] for name in self.options.associations}
        columns = ("active", "refsetId", "referencedComponentId", "targetComponentId")
        for active, refset, concept, target in self.rows(ASSOCIATION, *columns):
            draft = drafts.get(concept)
            if active == _ACTIVE and refset in followed and draft is not None and draft.obsolete:
                draft.replaced_by += (f"{PREFIX}:{target}",)


def _refset_id(text: str) -> int:
    return int(text) if text.isdigit() else _REFSETS.get(text.lower(), 0)


def _kind(case: str) -> str:
    return "case sensitive" if case == _ENTIRE_TERM_CASE_SENSITIVE else ""


def _holds(ids: array[int] | None, wanted: int) -> bool:
    if ids is None:
        return False
    place = bisect_left(ids, wanted)
    return place < len(ids) and ids[place] == wanted

"""The UMLS Metathesaurus, from the files of its META folder.

Columns after the UMLS Reference Manual, chapter 3 (https://www.ncbi.nlm.nih.gov/books/NBK9685/): MRCONSO, MRSTY, MRDEF,
MRREL, MRRANK and MRCUI.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from medlink.ontology.drafts import Draft, Drafts
from medlink.ontology.options import ReaderOptions
from medlink.ontology.parts import Release
from medlink.ontology.rrf import (
    ABBREVIATIONS,
    Atom,
    add_types,
    cross_reference,
    read_atoms,
    read_parents,
    read_rows,
)
from medlink.ontology.source import Ontology, tidy

PREFIX = "UMLS"
FILES = {
    "MRCONSO.RRF": r"MRCONSO\.RRF",
    "MRSTY.RRF": r"MRSTY\.RRF",
    "MRDEF.RRF": r"MRDEF\.RRF",
    "MRREL.RRF": r"MRREL\.RRF",
    "MRRANK.RRF": r"MRRANK\.RRF",
    "MRCUI.RRF": r"MRCUI\.RRF",
}
_RELEASE = re.compile(r"(?<!\d)(\d{4}A[ABC])(?![A-Z0-9])", re.IGNORECASE)


class UmlsOptions(ReaderOptions):
    """What is read of the Metathesaurus.

    :param sources: SAB values, such as SNOMEDCT_US; names, definitions and parents come from these. Empty for all.
    :param languages: LAT values, such as ENG; the preferred name is in the first that a concept has.
    :param semantic_types: names or TUIs; concepts of other types are left out. Empty for all.
    :param suppressible: whether rows count that are marked obsolete or suppressible.
    :param parents: whether MRREL is read, the largest file.
    :param xrefs: SAB values whose codes become cross-references. Empty for the codes of the rows that give names.
    """

    sources: tuple[str, ...] = ()
    languages: tuple[str, ...] = ("ENG",)
    semantic_types: tuple[str, ...] = ()
    suppressible: bool = False
    parents: bool = True
    xrefs: tuple[str, ...] = ()


def read_umls(path: Path, *, name: str, show_progress: bool = False, options: UmlsOptions | None = None) -> Ontology:
    """The concepts of a META folder, of a zip or ``.nlm`` archive with one, or of a single MRCONSO.RRF.

    Files may be gzipped and split as NLM ships them (``MRCONSO.RRF.aa.gz``). Only MRCONSO is needed; MRSTY gives
    semantic types, MRDEF definitions, MRREL parents, MRRANK the order of trust in sources and kinds of terms, MRCUI the
    retired ids that are merged into a concept. Each is read from beginning to end, MRSTY twice where types are chosen,
    MRCONSO twice where cross-references are; what is held is the concepts.

    The preferred name is the one NLM prefers among the rows that count. Ids are ``UMLS:C0027051``.

    :param name: the ontology's key in the catalogue.
    :raises OntologyFormatError: when a file is missing or a row lacks cells; names file and line.
    """
    options = options or UmlsOptions()
    release = Release(path, FILES)
    release.need("MRCONSO.RRF", *(["MRSTY.RRF"] if options.semantic_types else []))
    reading = _Reading(release, options, show_progress)
    drafts = reading.read_names()
    add_types(drafts, read_rows(release, "MRSTY.RRF", 6, show_progress=show_progress))
    reading.add_codes(drafts)
    reading.add_definitions(drafts)
    reading.add_parents(drafts)
    reading.add_merged(drafts)
    return drafts.collect(release, name=name, title="UMLS Metathesaurus", version=find_version(release))


def find_version(release: Release) -> str:
    """The release, such as 2024AB, as the names of the folders or archives say; empty where they do not."""
    part = release.parts("MRCONSO.RRF")[0]
    found = _RELEASE.findall(f"{part.container.resolve()}/{part.member}")
    return found[-1].upper() if found else ""


@dataclass(slots=True)
class _Reading:
    release: Release
    options: UmlsOptions
    show_progress: bool
    named_by: set[str] = field(default_factory=set)

    def read_names(self) -> Drafts:
        """The drafts with their names and cross-references."""
        wanted, ranks = self._wanted_concepts(), self._source_ranks()
        drafts = Drafts()
        for atom in self._atoms():
            if (wanted is not None and atom.concept not in wanted) or not self._counts(atom):
                continue
            draft = drafts.get(atom.concept)
            if draft is None:
                draft = drafts[atom.concept] = Draft(f"{PREFIX}:{atom.concept}")
            kind = "abbreviation" if atom.term_type in ABBREVIATIONS else ""
            draft.name_it(tidy(atom.text), self._rank(atom, ranks), kind=kind)
            self.named_by.add(atom.source)
            if not self.options.xrefs:
                draft.refer(cross_reference(atom.source, atom.code))
        return drafts

    def add_codes(self, drafts: Drafts) -> None:
        """Cross-references to chosen sources, whether or not these give names."""
        for atom in self._atoms() if self.options.xrefs else ():
            if atom.concept in drafts and atom.source in self.options.xrefs:
                drafts[atom.concept].refer(cross_reference(atom.source, atom.code))

    def _atoms(self) -> Iterator[Atom]:
        for atom in read_atoms(self.release, "MRCONSO.RRF", show_progress=self.show_progress):
            if self.options.suppressible or not atom.suppressed:
                yield atom

    def _counts(self, atom: Atom) -> bool:
        """Whether an atom gives a name."""
        sources = self.options.sources
        return atom.language in self.options.languages and (not sources or atom.source in sources)

    def _rank(self, atom: Atom, ranks: Mapping[tuple[str, str], int]) -> tuple[int, ...]:
        """How well an atom names its concept; smaller is better."""
        chosen, languages = self.options.sources, self.options.languages
        return (
            languages.index(atom.language),
            atom.suppressed,
            -ranks.get((atom.source, atom.term_type), 0),
            atom.term_type in ABBREVIATIONS,
            atom.status[0] != "P",
            atom.status[1] != "PF",
            atom.status[2] != "Y",
            chosen.index(atom.source) if chosen else 0,
        )

    def _source_ranks(self) -> dict[tuple[str, str], int]:
        """The rank of each source and kind of term, more is better."""
        rows = read_rows(self.release, "MRRANK.RRF", 4)
        return {(source, term_type): int(rank) for rank, source, term_type, *_ in rows}

    def _wanted_concepts(self) -> set[str] | None:
        types = frozenset(self.options.semantic_types)
        if not types:
            return None
        rows = read_rows(self.release, "MRSTY.RRF", 6, show_progress=self.show_progress)
        return {row[0] for row in rows if row[1] in types or row[3] in types}

    def add_definitions(self, drafts: Drafts) -> None:
        """The definition of the first of the chosen sources that has one; else that of the first by name.

        MRDEF does not say in which language: sources that named no concept in a chosen one are left out.
        """
        order = {source: place for place, source in enumerate(self.options.sources)}
        for row in read_rows(self.release, "MRDEF.RRF", 8, show_progress=self.show_progress):
            draft = drafts.get(row[0])
            if draft is None or row[4] not in self.named_by or (row[6] != "N" and not self.options.suppressible):
                continue
            draft.define(tidy(row[5]), (order.get(row[4], 0), row[4]))

    def add_parents(self, drafts: Drafts) -> None:
        """The parents that the chosen sources assert."""
        if not self.options.parents:
            return
        for child, parent in read_parents(
            self.release, "MRREL.RRF", drafts, self.options.sources, show_progress=self.show_progress
        ):
            drafts[child].put_below(drafts[parent].id)

    def add_merged(self, drafts: Drafts) -> None:
        """Retired ids that NLM maps to a concept as the same: REL is SY."""
        for row in read_rows(self.release, "MRCUI.RRF", 7, show_progress=self.show_progress):
            retired, relation, successor = row[0], row[2], row[5]
            if relation == "SY" and successor in drafts and retired not in drafts:
                drafts[successor].stand_for(f"{PREFIX}:{retired}")

"""The nouns of medlink: frozen records that pass between its parts."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class Scope(StrEnum):
    """How a name relates to its concept; the order is the order of trust (OBO 1.4, section "Synonyms")."""

    PREFERRED = "PREFERRED"
    EXACT = "EXACT"
    NARROW = "NARROW"
    BROAD = "BROAD"
    RELATED = "RELATED"

    @property
    def rank(self) -> int:
        """The place in the order of trust, 0 for the preferred name."""
        return _SCOPE_RANK[self]


_SCOPE_RANK = {scope: rank for rank, scope in enumerate(Scope)}


@dataclass(frozen=True, slots=True)
class Name:
    """One way to write a concept.

    :param text: as the ontology writes it.
    :param scope: how it relates to the concept.
    :param kind: the ontology's own synonym type ("layperson", "abbreviation", …), empty where it gives none.
    """

    text: str
    scope: Scope = Scope.EXACT
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Concept:
    """One entry of an ontology.

    :param id: CURIE, such as ``HP:0001250``.
    :param name: preferred name.
    :param synonyms: all other names; never the preferred one.
    :param parents: ids of the direct ``is_a`` parents.
    :param alt_ids: retired ids that now mean this concept.
    :param replaced_by: where an obsolete concept went; more than one only where the ontology says so.
    """

    id: str
    name: str
    synonyms: tuple[Name, ...] = ()
    definition: str = ""
    parents: tuple[str, ...] = ()
    semantic_type: str = ""
    alt_ids: tuple[str, ...] = ()
    xrefs: tuple[str, ...] = ()
    obsolete: bool = False
    replaced_by: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.id or not self.name:
            raise ValueError(f"a concept needs an id and a name, got id {self.id!r} and name {self.name!r}")

    @property
    def names(self) -> tuple[Name, ...]:
        """All names, the preferred one first."""
        return (Name(self.name, Scope.PREFERRED), *self.synonyms)


@dataclass(frozen=True, slots=True)
class Document:
    """One note.

    :param id: unique within a run; what errors and outputs name.
    :param text: untouched; every offset counts its code points.
    """

    id: str
    text: str


@dataclass(frozen=True, slots=True)
class Assertion:
    """What the note says about a mention, beside that it is there (Chapman et al. 2001; Harkema et al. 2009)."""

    negated: bool = False
    uncertain: bool = False
    historical: bool = False
    hypothetical: bool = False
    family: bool = False

    @property
    def labels(self) -> tuple[str, ...]:
        """The names of what holds, in a fixed order; empty for a plain present finding."""
        return tuple(name for name in self.__slots__ if getattr(self, name))


@dataclass(frozen=True, slots=True)
class Mention:
    """A span of a note that may name a concept.

    :param start: offset of its first code point in the untouched text.
    :param end: offset behind its last code point.
    :param surface: ``text[start:end]``.
    :param expanded: the long form, where the surface is an abbreviation that the note defines.
    :param sentence: the ``[start, end)`` of the sentence around it.
    :param label: what the recogniser called it, empty for a dictionary match.
    """

    doc_id: str
    start: int
    end: int
    surface: str
    expanded: str = ""
    sentence: tuple[int, int] = (0, 0)
    section: str = ""
    assertion: Assertion = field(default_factory=Assertion)
    label: str = ""

    def __post_init__(self) -> None:
        if not 0 <= self.start < self.end or len(self.surface) != self.end - self.start:
            raise ValueError(
                f"mention in {self.doc_id!r}: expected 0 <= start < end and a surface of that length, "
                f"got [{self.start}, {self.end}) and {len(self.surface)} characters"
            )

    @property
    def query(self) -> str:
        """What is looked up: the long form of an abbreviation, else the surface."""
        return self.expanded or self.surface


@dataclass(frozen=True, slots=True)
class Candidate:
    """A concept that a mention may mean, with every score that spoke for it.

    :param name: the concept's preferred name.
    :param matched: the name that matched best.
    :param lexical: character n-gram cosine in [0, 1]; 1 for an exact match.
    :param dense: cosine of the encoder's vectors in [-1, 1]; ``None`` where the encoder was not asked.
    :param score: the final score in [0, 1], higher is better.
    """

    concept_id: str
    name: str
    matched: str
    lexical: float
    dense: float | None
    score: float


@dataclass(frozen=True, slots=True)
class Link:
    """A mention with its ranked candidates and the decision.

    :param candidates: best first, ties by concept id.
    :param concept_id: the chosen concept; ``None`` is NIL: no candidate reaches the threshold.
    """

    mention: Mention
    candidates: tuple[Candidate, ...]
    concept_id: str | None
    release: str
    ontology_version: str

    @property
    def score(self) -> float:
        """The best candidate's score, 0 where there is none."""
        return self.candidates[0].score if self.candidates else 0.0


@dataclass(frozen=True, slots=True)
class LinkedDocument:
    """A note with its links, in the order of their offsets."""

    document: Document
    links: tuple[Link, ...]

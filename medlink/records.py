"""The nouns of medlink: frozen records that pass between its parts."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

#: Documents that must agree on a wording which the ontology knows as a name of several concepts, before it is ruled.
TELLING = 2


#: Parts the semantic types of a concept that has several.
TYPE_SEPARATOR = "|"


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
    :param semantic_type: what kind of thing it is; several kinds are parted by :data:`TYPE_SEPARATOR`.
    :param alt_ids: retired ids that now mean this concept.
    :param xrefs: ids of other systems that mean the same, as the ontology says.
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

    @property
    def semantic_types(self) -> tuple[str, ...]:
        """Its semantic types one by one; none where the ontology has none."""
        return tuple(filter(None, self.semantic_type.split(TYPE_SEPARATOR)))


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
    :param equivalents: ids of other systems that mean the same as the chosen concept, of the systems that were asked
        for.
    """

    mention: Mention
    candidates: tuple[Candidate, ...]
    concept_id: str | None
    release: str
    ontology_version: str
    equivalents: tuple[str, ...] = ()

    @property
    def score(self) -> float:
        """The best candidate's score, 0 where there is none."""
        return self.candidates[0].score if self.candidates else 0.0


@dataclass(frozen=True, slots=True)
class LinkedDocument:
    """A note with its links, in the order of their offsets."""

    document: Document
    links: tuple[Link, ...]


class Verdict(StrEnum):
    """What an annotator says about a mention."""

    ACCEPT = "accept"
    """The proposed concept is right."""
    CORRECT = "correct"
    """Another concept is right."""
    NIL = "nil"
    """A mention, but no concept of the ontology fits."""
    NOT_A_MENTION = "not_a_mention"
    """Nothing that should have been marked."""
    MISSED = "missed"
    """A mention that the system had not marked; with its concept, or without one where none fits."""
    IGNORE = "ignore"
    """No decision: nothing is learned from it."""

    @property
    def needs_concept(self) -> bool:
        """Whether the verdict says nothing without a concept."""
        return self in (Verdict.ACCEPT, Verdict.CORRECT)

    @property
    def takes_concept(self) -> bool:
        """Whether the verdict may name a concept."""
        return self.needs_concept or self is Verdict.MISSED


@dataclass(frozen=True, slots=True)
class Source:
    """Where in a file something was read.

    :param file: the file's name as the user gave it.
    :param line: line, or number of the record where the format has no lines; counted from 1, 0 for the whole file.
    :param record_id: what the tool calls the record (``T3``, a task's id), empty where it has no name.
    """

    file: str
    line: int = 0
    record_id: str = ""

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        return f"{place} ({self.record_id})" if self.record_id else place


@dataclass(frozen=True, slots=True)
class Proposal:
    """A concept that the annotator was shown.

    :param score: the system's, in [0, 1]; ``None`` where the file does not say.
    """

    concept_id: str
    score: float | None = None


@dataclass(frozen=True, slots=True)
class Annotation:
    """One annotator's verdict on one mention, as a file says it: not yet checked against any text or ontology.

    :param start: offset of the mention's first unit as the tool counts: code points where the reader knows better.
    :param end: offset behind its last unit.
    :param surface: the mention as the file writes it; empty where the file gives only offsets and no text.
    :param source: where it was read.
    :param tool: what wrote the file: ``prodigy``, ``brat``, …
    :param concept_id: the concept that the annotator names; ``None`` for NIL and wherever the verdict takes none.
    :param expanded: the long form that was shown for an abbreviation.
    :param section: the heading that the mention stands under, where the file says.
    :param text: the document's text, if the file has it: what offsets are checked against and repaired with.
    :param proposed: the candidates that were shown, best first.
    :param rejected: ids that were shown and not accepted, whether by a choice against them or by leaving them.
    :param annotator: who; empty where the file does not say.
    :param time: when, with a time zone; ``None`` where the file does not say.
    :param release: of the system that proposed, ``ontology_version`` likewise; empty where the file does not say.
    :param doc_hash: of the document's text, see :func:`medlink.store.events.text_hash`; empty where nobody had it.
    :param context: what stands directly before and behind the mention; both empty where that is not kept.
    :param adjudicator: whether the annotator decides between the others.
    """

    doc_id: str
    start: int
    end: int
    surface: str
    verdict: Verdict
    source: Source
    tool: str
    concept_id: str | None = None
    expanded: str = ""
    section: str = ""
    text: str | None = None
    proposed: tuple[Proposal, ...] = ()
    rejected: tuple[str, ...] = ()
    annotator: str = ""
    time: datetime | None = None
    release: str = ""
    ontology_version: str = ""
    doc_hash: str = ""
    context: tuple[str, str] = ("", "")
    adjudicator: bool = False

    def __post_init__(self) -> None:
        if not self.doc_id:
            raise ValueError("an annotation needs the id of its document")
        if not 0 <= self.start < self.end:
            raise ValueError(f"expected offsets with 0 <= start < end, got [{self.start}, {self.end})")
        if self.verdict.needs_concept and not self.concept_id:
            raise ValueError(f"the verdict {self.verdict.value!r} needs a concept")
        if self.concept_id is not None and not (self.concept_id and self.verdict.takes_concept):
            raise ValueError(f"the verdict {self.verdict.value!r} takes no concept, got {self.concept_id!r}")
        if self.time is not None and self.time.tzinfo is None:
            raise ValueError("the time of an annotation needs a time zone")


@dataclass(frozen=True, slots=True)
class Rejected:
    """A record of a file that is no annotation; it goes to quarantine and can be mended there.

    :param reason: what is wrong and what was expected; never any text of a note.
    :param raw: the record as the file has it, so that it can be mended; empty where it is too large or not text.
    """

    source: Source
    reason: str
    raw: str = ""


@dataclass(frozen=True, slots=True)
class Ruling:
    """What annotators have decided on a mention, or alike on all mentions of one wording in one kind of section.

    :param surface: as one of them is written.
    :param key: the wording, as :func:`medlink.text.wording_key` gives it for the long form or the surface.
    :param concept_id: what it means; ``None`` where it is no mention, or no concept fits.
    :param rejected: concepts that it does not mean.
    :param place: document id, start and end of the one mention that it is about; ``None`` where it is about all.
    :param section: the normalised heading that the mentions stand under; empty for every section.
    :param n_mentions: decided mentions behind it, in ``n_documents`` documents.
    :param annotators: who decided, by name.
    :param last: when the last of them spoke.
    :param query: what is looked up for the mention: its long form or surface, normalised.
    :param overruled: what the system had proposed before the annotators said otherwise; empty where they did not.
    """

    surface: str
    key: str
    concept_id: str | None
    rejected: tuple[str, ...]
    place: tuple[str, int, int] | None
    section: str
    n_mentions: int
    n_documents: int
    annotators: tuple[str, ...]
    last: datetime
    query: str = ""
    overruled: str = ""

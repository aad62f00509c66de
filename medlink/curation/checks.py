"""What an annotation must hold to become an event: a surface that stands in the text, and a concept that exists."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from math import isfinite

from medlink.curation.concepts import Resolver
from medlink.curation.offsets import Place, carry_over, find_place, is_surface
from medlink.records import Annotation
from medlink.store.events import Event, text_hash, to_stamp

# No note has more characters; larger offsets would not fit the ledger's columns.
_MOST_CHARACTERS = 1 << 31


class Keep(StrEnum):
    """How much of a document's text the ledger keeps beside the mentions themselves."""

    NOTHING = "nothing"
    WINDOW = "window"
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class IntakeOptions:
    """What the person who imports says about the files.

    :param annotator: who, where a record does not say.
    :param time: when, where a record does not say.
    :param adjudicator: whether these are decisions between annotators.
    :param keep: whether a window around each mention is kept, the whole text, or neither.
    :param window: characters of context on either side.
    """

    annotator: str = ""
    time: datetime | None = None
    adjudicator: bool = False
    keep: Keep = Keep.WINDOW
    window: int = 80


@dataclass(frozen=True, slots=True)
class Checks:
    """What annotations are checked against.

    :param notes: the untouched texts by document id, where the user has given them: they count before the copies in
        the files.
    :param resolver: of the ontology that the concepts are to be from; ``None`` takes every id as it is.
    """

    options: IntakeOptions = field(default_factory=IntakeOptions)
    notes: Mapping[str, str] = field(default_factory=dict)
    resolver: Resolver | None = None


@dataclass(frozen=True, slots=True)
class Checked:
    """A sound annotation.

    :param text: of its document, where somebody had it.
    :param repair: how its offsets had been counted, empty where they were right.
    :param current_id: what its concept is called today, where that is another id.
    """

    event: Event
    text: str | None
    repair: str = ""
    current_id: str = ""


@dataclass(frozen=True, slots=True)
class Refused:
    """An annotation that is not sound.

    :param reason: without any text of a note.
    """

    annotation: Annotation
    reason: str


def check_annotation(annotation: Annotation, checks: Checks, *, file_hash: str = "") -> Checked | Refused:
    """The event of an annotation, its offsets repaired where the text proves how they were counted; or what is wrong.

    The event keeps the concept as it was said: what that means today is asked when it is used.

    :param file_hash: sha256 of the file that the annotation is from.
    """
    if problem := _problem(annotation, checks):
        return Refused(annotation, problem)
    located = _locate(annotation, checks.notes.get(annotation.doc_id))
    if located is None:
        return Refused(annotation, _NOT_THERE if annotation.text or annotation.doc_id in checks.notes else _NO_TEXT)
    place, text = located
    options = checks.options
    said = replace(
        annotation,
        start=place.start,
        end=place.end,
        surface=annotation.surface if text is None else text[place.start : place.end],
        text=None,
        annotator=annotation.annotator or options.annotator,
        time=annotation.time or options.time,
        doc_hash=annotation.doc_hash if text is None else _text_hash(text),
        context=_context(annotation, place, text, options),
        adjudicator=annotation.adjudicator or options.adjudicator,
    )
    return Checked(Event(said, file_hash), text, place.repair, _moved_to(said, checks.resolver))


_NOT_THERE = "the surface does not stand at these offsets, in whatever way they are counted"
_NO_TEXT = "the surface is not as long as its span, and there is no text to see why; give the notes along"


def _problem(annotation: Annotation, checks: Checks) -> str:
    """What is wrong with the record by itself, or with its concept; empty where nothing is."""
    try:
        "".join(_strings(annotation)).encode()
    except UnicodeEncodeError:
        return "a text holds half a surrogate pair, which no encoding can write"
    if annotation.text is not None and annotation.doc_hash and annotation.doc_hash != _text_hash(annotation.text):
        return "the text is not the one whose hash the record gives"
    if annotation.end > _MOST_CHARACTERS:
        return f"the offsets lie behind any document's end; expected at most {_MOST_CHARACTERS:,}"
    if not all(proposal.score is None or isfinite(proposal.score) for proposal in annotation.proposed):
        return "a proposed concept's score is no finite number"
    if annotation.time is not None and not 1 < annotation.time.year < 9999:
        try:
            to_stamp(annotation.time)
        except OverflowError:
            return "the time lies before the year 1 or behind 9999"
    resolver, concept_id = checks.resolver, annotation.concept_id
    if resolver is not None and concept_id is not None and resolver.current(concept_id) is None:
        return resolver.problem(concept_id)
    return ""


def _strings(annotation: Annotation) -> Iterator[str]:
    said = annotation
    yield from (said.doc_id, said.surface, said.tool, said.concept_id or "", said.expanded, said.section)
    yield from (said.text or "", said.annotator, said.release, said.ontology_version, said.doc_hash, *said.context)
    yield from (said.source.file, said.source.record_id, *said.rejected, *(p.concept_id for p in said.proposed))


def _locate(annotation: Annotation, original: str | None) -> tuple[Place, str | None] | None:
    """Where the mention stands and in which text: the original, else the file's copy, else none is known."""
    start, end, surface, copy = annotation.start, annotation.end, annotation.surface, annotation.text
    if original is None and copy is None:
        return (Place(start, end), None) if len(surface) == end - start else None
    if original is not None and copy is not None and original != copy:
        carried = _carry(annotation, copy, original)
        if carried is not None:
            return carried, original
    text = original if original is not None else copy
    place = find_place(start, end, surface, text or "")
    return None if place is None else (place, text)


def _carry(annotation: Annotation, copy: str, original: str) -> Place | None:
    place = find_place(annotation.start, annotation.end, annotation.surface, copy)
    span = None if place is None else carry_over(place.start, place.end, copy, original)
    if place is None or span is None:
        return None
    start, end = span
    if not is_surface(original[start:end], copy[place.start : place.end]):
        return None
    return Place(start, end, place.repair or ("another spacing" if start != place.start else ""))


def _context(annotation: Annotation, place: Place, text: str | None, options: IntakeOptions) -> tuple[str, str]:
    if options.keep is Keep.NOTHING:
        return "", ""
    if text is None:
        return annotation.context
    return text[max(place.start - options.window, 0) : place.start], text[place.end : place.end + options.window]


def _moved_to(annotation: Annotation, resolver: Resolver | None) -> str:
    if resolver is None or annotation.concept_id is None:
        return ""
    current = resolver.current(annotation.concept_id) or ""
    return "" if current == annotation.concept_id else current


@lru_cache(maxsize=8)
def _text_hash(text: str) -> str:
    return text_hash(text)

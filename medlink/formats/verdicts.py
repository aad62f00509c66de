"""From what an annotator left in a document to verdicts: the marked spans beside the links that were proposed."""

from __future__ import annotations

import re
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from medlink.errors import CorpusFormatError
from medlink.formats.decision import round_score
from medlink.records import Annotation, Link, Proposal, Rejected, Source, Verdict

NIL = "NIL"
NOT_A_MENTION = "NOT_A_MENTION"
# How tools and corpora write that no concept fits: ours, PubTator's and BC5CDR's, scispaCy's.
_NIL_IDS = frozenset({"nil", "-1", "-", "none", "cui-less", "cui_less", "no concept"})
_IRI = re.compile(r"https?://(?:purl\.obolibrary\.org/obo/(?P<prefix>[A-Za-z]+)_|identifiers\.org/(?:[\w.]+/)?)(?P<id>\S+)")
_BRACKETED = re.compile(r"[(\[]([^()\[\]\s]*\d[^()\[\]\s]*)[)\]]\s*\Z")
_BARE_ID = re.compile(r"[^\s()\[\]]*\d[^\s()\[\]]*")


@dataclass(frozen=True, slots=True)
class Marked:
    """A span as the annotator left it.

    :param concept_id: the concept it names, empty where it names none.
    :param nil: whether it says outright that no concept fits.
    :param raw: the record as the file has it.
    """

    start: int
    end: int
    surface: str
    source: Source
    concept_id: str = ""
    nil: bool = False
    expanded: str = ""
    raw: str = ""


@dataclass(frozen=True, slots=True)
class Sheet:
    """One annotator's version of one document.

    :param links: what had been proposed; empty where the file does not say and no baseline is given.
    :param text: the document's text, ``None`` where it is not known.
    """

    doc_id: str
    tool: str
    source: Source
    text: str | None = None
    links: tuple[Link, ...] = ()
    annotator: str = ""
    time: datetime | None = None


@dataclass(frozen=True, slots=True)
class _Answer:
    """A verdict with what it is about."""

    verdict: Verdict
    concept_id: str = ""
    rejected: tuple[str, ...] = field(default=())


def judge(sheet: Sheet, marked: Iterable[Marked]) -> Iterator[Annotation | Rejected]:
    """The verdicts of an annotator who edits what was proposed: per link, then per span that is new.

    - A span that is still there: **accept** with the same concept, **correct** with another, **NIL** with none.
    - One that is gone: **not a mention**.
    - A new one: **missed**, with its concept, or without one where it says that none fits. A new span that says
      neither is unfinished work and is rejected. So is the same span with the same concept again.

    Of several concepts on one proposed span, the proposed one or else the first answers, the others are missed ones.
    Where the tool counts offsets in another way, so that the text at a span's offsets is not its surface, spans and
    links with equal surfaces are paired in their order.
    """
    unique, repeated = _drop_repeated(marked)
    for span in repeated:
        yield Rejected(span.source, "the same span with the same concept again", span.raw)
    pairs = _pair(sheet, unique)
    for link, span in pairs:
        if span is None:
            gone = Marked(link.mention.start, link.mention.end, link.mention.surface, sheet.source)
            yield annotation(sheet, gone, _Answer(Verdict.NOT_A_MENTION, rejected=proposed_ids(link)), link)
        else:
            yield annotation(sheet, span, _compare(link, span), link)
    answered = {id(span) for _, span in pairs}
    for span in unique:
        if id(span) in answered:
            continue
        if span.concept_id or span.nil:
            yield annotation(sheet, span, _Answer(Verdict.MISSED, span.concept_id))
        else:
            yield Rejected(span.source, f"a span without a concept: name one, or {NIL} where none fits", span.raw)


def _compare(link: Link, span: Marked) -> _Answer:
    shown = proposed_ids(link)
    if not span.concept_id:
        return _Answer(Verdict.NIL, rejected=shown)
    verdict = Verdict.ACCEPT if span.concept_id == link.concept_id else Verdict.CORRECT
    return _Answer(verdict, span.concept_id, tuple(shown_id for shown_id in shown if shown_id != span.concept_id))


def _drop_repeated(marked: Iterable[Marked]) -> tuple[list[Marked], list[Marked]]:
    seen: set[tuple[int, int, str]] = set()
    unique: list[Marked] = []
    repeated: list[Marked] = []
    for span in marked:
        key = (span.start, span.end, span.concept_id)
        (repeated if key in seen else unique).append(span)
        seen.add(key)
    return unique, repeated


def _pair(sheet: Sheet, spans: Sequence[Marked]) -> list[tuple[Link, Marked | None]]:
    """Every link with the span that answers it."""
    by_place = defaultdict[tuple[int, int], list[Marked]](list)
    for span in spans:
        by_place[span.start, span.end].append(span)
    by_surface = defaultdict[str, deque[Marked]](deque)
    for span in sorted(spans, key=lambda span: (span.start, span.end)):
        if sheet.text is not None and span.surface and not _fits(sheet.text, span):
            by_surface[_squeeze(span.surface)].append(span)
    pairs: list[tuple[Link, Marked | None]] = []
    for link in sheet.links:
        place = link.mention.start, link.mention.end
        waiting = by_surface.get(_squeeze(link.mention.surface))
        if by_place[place]:
            rivals = by_place[place]
            span = next((span for span in rivals if span.concept_id == link.concept_id), rivals[0])
            rivals.remove(span)
            pairs.append((link, span))
        else:
            pairs.append((link, waiting.popleft() if waiting else None))
    return pairs


def annotation(sheet: Sheet, span: Marked, answer: _Answer, link: Link | None = None) -> Annotation | Rejected:
    """The record of an answer, or why it is none."""
    text = sheet.text
    surface = span.surface
    if text is not None and _fits(text, span):
        surface = text[span.start : span.end]  # with the line breaks that the file cannot hold
    try:
        return Annotation(
            doc_id=sheet.doc_id,
            start=span.start,
            end=span.end,
            surface=surface,
            verdict=answer.verdict,
            source=span.source,
            tool=sheet.tool,
            concept_id=answer.concept_id or None,
            expanded=span.expanded or (link.mention.expanded if link else ""),
            section=link.mention.section if link else "",
            text=text,
            proposed=proposals_of(link) if link else (),
            rejected=answer.rejected,
            annotator=sheet.annotator,
            time=sheet.time,
            release=link.release if link else "",
            ontology_version=link.ontology_version if link else "",
        )
    except ValueError as error:
        return Rejected(span.source, str(error), span.raw)


def answered(sheet: Sheet, span: Marked, verdict: Verdict, link: Link | None = None) -> Annotation | Rejected:
    """The record of a verdict that the tool states itself; what it proposed and the span does not name is rejected."""
    concept_id = span.concept_id if verdict.takes_concept else ""
    shown = proposed_ids(link) if link and verdict is not Verdict.IGNORE else ()
    answer = _Answer(verdict, concept_id, tuple(shown_id for shown_id in shown if shown_id != concept_id))
    return annotation(sheet, span, answer, link)


def ignored(sheet: Sheet) -> Iterator[Annotation | Rejected]:
    """A verdict **ignore** for everything that was proposed, as of a document that the annotator skipped."""
    for link in sheet.links:
        span = Marked(link.mention.start, link.mention.end, link.mention.surface, sheet.source)
        yield annotation(sheet, span, _Answer(Verdict.IGNORE), link)


def guarded(
    source: Source, raw: str, read: Callable[[], Iterable[Annotation | Rejected]]
) -> Iterator[Annotation | Rejected]:
    """What ``read`` gives, and in place of an error in the record's form a :class:`Rejected`."""
    try:
        yield from read()
    except CorpusFormatError as error:
        yield Rejected(source, str(error), raw)


def proposals_of(link: Link) -> tuple[Proposal, ...]:
    """What the annotator was shown: the chosen concept first, then the others in their order."""
    rows = [Proposal(c.concept_id, round_score(c.score)) for c in link.candidates]
    if link.concept_id is not None and link.concept_id not in {row.concept_id for row in rows}:
        return (Proposal(link.concept_id), *rows)
    return tuple(sorted(rows, key=lambda row: row.concept_id != link.concept_id))


def proposed_ids(link: Link) -> tuple[str, ...]:
    """The ids of :func:`proposals_of`."""
    return tuple(row.concept_id for row in proposals_of(link))


def _fits(text: str, span: Marked) -> bool:
    """Whether the text at the span's offsets is its surface, white space aside."""
    found = text[max(span.start, 0) : max(span.end, 0)]
    return found == span.surface or bool(span.surface.strip()) and _squeeze(found) == _squeeze(span.surface)


def _squeeze(text: str) -> str:
    return " ".join(text.split())


def cut(text: str, start: int, end: int) -> str:
    """The surface at offsets that the file gives without it.

    :raises CorpusFormatError: when they lie outside of the text.
    """
    if not 0 <= start < end <= len(text):
        raise CorpusFormatError(
            "offsets outside of the text", expected=f"0 <= start < end <= {len(text)}", got=f"[{start}, {end})"
        )
    return text[start:end]


def with_links(sheet: Sheet, links: Sequence[Link], text: str) -> Sheet:
    """The sheet with the proposals of a baseline, and with its text where the file's differs only in white space."""
    same = sheet.text is not None and len(text) == len(sheet.text) and _squeeze(text) == _squeeze(sheet.text)
    return replace(sheet, links=tuple(links), text=text if text and (same or sheet.text is None) else sheet.text)


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


def one_concept(written: str) -> tuple[str, bool]:
    """As :func:`concept_of`, for fields in which ``|``, ``+``, ``,`` and ``;`` part several ids.

    :raises CorpusFormatError: when there are several.
    """
    parts = [part for part in re.split(r"[|+,;]", written) if part.strip()]
    if len(parts) > 1:
        raise CorpusFormatError("several concepts for one span", expected="one", got=str(len(parts)))
    return concept_of(parts[0] if parts else "")


def concept_in_label(label: str) -> tuple[str, bool]:
    """The concept id that a label is or ends in, for tools that have nothing but labels.

    An id has a digit in it and no space. A label without one is a type and names no concept.

    >>> concept_in_label("Seizure (HP:0001250)"), concept_in_label("E11.9"), concept_in_label("Disease")
    (('HP:0001250', False), ('E11.9', False), ('', False))
    """
    bracketed = _BRACKETED.search(label)
    written = bracketed[1] if bracketed else label.strip()
    if concept_of(written)[1] or _BARE_ID.fullmatch(written):
        return concept_of(written)
    return "", False


def time_of(value: Any) -> datetime | None:  # noqa: ANN401 - any JSON
    """The time of an ISO 8601 string or of seconds since 1970, in UTC where it has no zone; ``None`` for others.

    >>> time_of("2024-05-01T10:00:00Z") == time_of(1714557600)
    True
    """
    try:
        if isinstance(value, str):
            time = datetime.fromisoformat(value.strip())
            return time if time.tzinfo else time.replace(tzinfo=UTC)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return datetime.fromtimestamp(value, UTC)
    except (ValueError, OverflowError, OSError):
        pass
    return None


def from_utf16(text: str, start: int, end: int, surface: str) -> tuple[int, int]:
    """Offsets that count UTF-16 units, as those of Java and JavaScript do, in code points.

    They stay as they are where they fit no characters, or where the surface is not what the text holds there.

    >>> from_utf16("😀 fit", 3, 6, "fit")
    (2, 5)
    """
    if text.isascii() or not 0 <= start < end <= 2 * len(text):
        return start, end
    units = text.encode("utf-16-le")
    try:
        new_start = len(units[: 2 * start].decode("utf-16-le"))
        new_end = new_start + len(units[2 * start : 2 * end].decode("utf-16-le"))
    except UnicodeDecodeError:
        return start, end
    return (new_start, new_end) if not surface or text[new_start:new_end] == surface else (start, end)


def to_utf16(text: str, offset: int) -> int:
    """The offset of a code point in UTF-16 units.

    >>> to_utf16("😀 fit", 2)
    3
    """
    return len(text[:offset].encode("utf-16-le")) // 2

"""From what an annotator left in a document to verdicts: the marked spans beside the links that were proposed."""

from __future__ import annotations

import json
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial

from medlink.errors import CorpusFormatError
from medlink.formats.batch_files import BatchFile
from medlink.formats.concept_ids import MAX_LABEL, NIL, concept_of
from medlink.formats.json_records import JsonRecord, json_records, shorten
from medlink.formats.proposed import Proposed, Reading
from medlink.formats.xml_tree import NO_XML
from medlink.records import Annotation, Rejected, Source, Verdict

#: No mention has more characters: whoever marks so much has marked the document.
MAX_MENTION = 10_000
_TOO_LONG = f"a span of more than {MAX_MENTION:,} characters"


@dataclass(frozen=True, slots=True)
class Marked:
    """A span as the annotator left it.

    :param concept_id: the concept it names, empty where it names none.
    :param nil: whether it says outright that no concept fits.
    :param problem: why it is no answer although it is where it is; empty where it is one.
    :param raw: the record as the file has it.
    """

    start: int
    end: int
    surface: str
    source: Source
    concept_id: str = ""
    nil: bool = False
    expanded: str = ""
    problem: str = ""
    raw: str = ""

    def naming(self, *written: str) -> Marked:
        """The span with the concept that its tool writes, an id or a word for none; several are a problem."""
        concepts = [concept_of(one) for one in written]
        ids = sorted({concept_id for concept_id, _ in concepts} - {""})
        if len(ids) > 1:
            return replace(self, problem=f"several concepts for one span; expected one; got {len(ids)}")
        is_nil = not ids and any(is_nil for _, is_nil in concepts)
        return replace(self, concept_id="".join(ids), nil=is_nil)


@dataclass(frozen=True, slots=True)
class Sheet:
    """One annotator's version of one document.

    :param proposed: by the system; ``None`` where the file does not say.
    :param text: the document's text, ``None`` where it is not known.
    """

    doc_id: str
    tool: str
    source: Source
    text: str | None = None
    proposed: tuple[Proposed, ...] | None = None
    annotator: str = ""
    time: datetime | None = None


@dataclass(frozen=True, slots=True)
class _Answer:
    """A verdict with what it is about."""

    verdict: Verdict
    concept_id: str = ""
    rejected: tuple[str, ...] = field(default=())


def judge(sheet: Sheet, marked: Iterable[Marked | Rejected]) -> Iterator[Annotation | Rejected]:
    """The verdicts of an annotator who edits what was proposed: per proposal, then per span that is new.

    - A span that is still there: **accept** with the same concept, **correct** with another, **NIL** with none.
    - One that is gone: **not a mention**; unless a span of the document cannot be read or is not where its offsets
      say, as it may be that one: then the proposals without a span are left open, and one record says how many.
    - A new one: **missed**, with its concept, or without one where it says that none fits. A new span that says
      neither is unfinished work and is rejected. So is the same span with the same concept again.

    Of several concepts on one proposed span, the proposed one or else the first answers, the others are missed ones.
    Where the tool counts offsets in another way, so that the text at a span's offsets is not its surface, spans and
    proposals with equal surfaces are paired in their order.

    :param marked: the spans, and in place of each that cannot be read the reason, which is passed on.
    """
    spans: list[Marked] = []
    unreadable: list[Rejected] = []
    for item in marked:
        if isinstance(item, Rejected):
            unreadable.append(item)
        else:
            spans.append(item)
    yield from unreadable
    spans, repeated = _drop_repeated(spans)
    yield from repeated
    pairs = _pair(sheet, spans)
    used = {id(span) for _, span in pairs}
    new = [span for span in spans if id(span) not in used]
    for link, span in [*pairs, *((None, span) for span in new)]:
        if span is not None:
            yield _answer_to(sheet, span, link)
    is_unsure = bool(unreadable) or any(_is_displaced(sheet, span) for span in new)
    yield from _take_back(sheet, [link for link, span in pairs if span is None], is_unsure=is_unsure)


def _answer_to(sheet: Sheet, span: Marked, link: Proposed | None) -> Annotation | Rejected:
    """What a span says about the proposal that it stands on, if there is one."""
    if span.problem:
        return Rejected(span.source, span.problem, span.raw)
    if link is not None:
        return annotation(sheet, span, _compare(link, span), link)
    if span.concept_id or span.nil:
        return annotation(sheet, span, _Answer(Verdict.MISSED, span.concept_id))
    return Rejected(span.source, f"a span without a concept: name one, or {NIL} where none fits", span.raw)


def _take_back(sheet: Sheet, gone: Sequence[Proposed], *, is_unsure: bool) -> Iterator[Annotation | Rejected]:
    """What it says that proposals have no span any more."""
    if gone and is_unsure:
        yield Rejected(sheet.source, f"{len(gone)} proposals left open: a span of this document could not be placed")
        return
    for link in gone:
        span = Marked(link.start, link.end, link.surface, sheet.source)
        yield annotation(sheet, span, _Answer(Verdict.NOT_A_MENTION, rejected=link.ids), link)


def _compare(link: Proposed, span: Marked) -> _Answer:
    shown = link.ids
    if not span.concept_id:
        return _Answer(Verdict.NIL, rejected=shown)
    verdict = Verdict.ACCEPT if span.concept_id == link.concept_id else Verdict.CORRECT
    return _Answer(verdict, span.concept_id, tuple(shown_id for shown_id in shown if shown_id != span.concept_id))


def _drop_repeated(spans: Iterable[Marked]) -> tuple[list[Marked], list[Rejected]]:
    seen: set[tuple[int, int, str, str]] = set()
    unique: list[Marked] = []
    repeated: list[Rejected] = []
    for span in spans:
        key = (span.start, span.end, span.concept_id, span.problem)
        if key in seen:
            repeated.append(Rejected(span.source, "the same span with the same concept again", span.raw))
        else:
            unique.append(span)
        seen.add(key)
    return unique, repeated


def _pair(sheet: Sheet, spans: Sequence[Marked]) -> list[tuple[Proposed, Marked | None]]:
    """Every proposal with the span that answers it."""
    proposed = sheet.proposed or ()
    by_place = defaultdict[tuple[int, int], dict[str, Marked]](dict)
    for span in spans:
        by_place[_core(span)].setdefault(span.concept_id, span)
    answers: dict[int, Marked] = {}
    for number, link in enumerate(proposed):
        rivals = by_place.get(_core(link))
        if rivals:
            concept_id = link.concept_id if link.concept_id in rivals else next(iter(rivals))
            if _same(rivals[concept_id].surface, link.surface):
                answers[number] = rivals.pop(concept_id)
    taken = {id(span) for span in answers.values()}
    waiting = defaultdict[str, deque[Marked]](deque)
    for span in sorted(spans, key=lambda span: (span.start, span.end)):
        if id(span) not in taken and _is_displaced(sheet, span):
            waiting[_squeeze(span.surface)].append(span)
    for number, link in enumerate(proposed):
        if number not in answers and waiting[_squeeze(link.surface)]:
            answers[number] = waiting[_squeeze(link.surface)].popleft()
    return [(link, answers.get(number)) for number, link in enumerate(proposed)]


def annotation(sheet: Sheet, span: Marked, answer: _Answer, link: Proposed | None = None) -> Annotation | Rejected:
    """The record of an answer, or why it is none."""
    text = sheet.text
    surface = span.surface
    if text is not None and _fits(text, span):
        surface = text[span.start : span.end]  # with the line breaks that the file cannot hold
    if span.end - span.start > MAX_MENTION:
        return Rejected(span.source, f"{_TOO_LONG}: [{span.start}, {span.end})", span.raw)
    if len(answer.concept_id) > MAX_LABEL or any(map(str.isspace, answer.concept_id)):
        return Rejected(span.source, "something too long or with spaces in the place of a concept id", span.raw)
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
            expanded=span.expanded or (link.expanded if link else ""),
            section=link.section if link else "",
            text=text,
            proposed=link.candidates if link else (),
            rejected=answer.rejected,
            annotator=sheet.annotator,
            time=sheet.time,
            release=link.release if link else "",
            ontology_version=link.ontology_version if link else "",
        )
    except ValueError as error:
        return Rejected(span.source, str(error), span.raw)


def answered(
    sheet: Sheet, span: Marked, verdict: Verdict, link: Proposed | None = None, *, reject_all: bool = False
) -> Annotation | Rejected:
    """The record of a verdict that the tool states itself; what it proposed and the span does not name is rejected.

    :param reject_all: whether that holds for the verdict **ignore**, too.
    """
    concept_id = span.concept_id if verdict.takes_concept else ""
    shown = link.ids if link and (reject_all or verdict is not Verdict.IGNORE) else ()
    answer = _Answer(verdict, concept_id, tuple(shown_id for shown_id in shown if shown_id != concept_id))
    return annotation(sheet, span, answer, link)


def ignored(sheet: Sheet) -> Iterator[Annotation | Rejected]:
    """A verdict **ignore** for everything that was proposed, as of a document that the annotator skipped."""
    for link in sheet.proposed or ():
        span = Marked(link.start, link.end, link.surface, sheet.source)
        yield annotation(sheet, span, _Answer(Verdict.IGNORE), link)


def guarded(
    source: Source, raw: str, read: Callable[[], Iterable[Annotation | Rejected]]
) -> Iterator[Annotation | Rejected]:
    """What ``read`` gives, and in place of an error in the record's form a :class:`Rejected`."""
    try:
        yield from read()
    except CorpusFormatError as error:
        yield Rejected(source, str(error), raw)
    except RecursionError:
        yield Rejected(source, "nested too deep", raw)


def guarded_records(
    file: BatchFile, reading: Reading, read: Callable[[JsonRecord], Iterable[Annotation | Rejected]]
) -> Iterator[Annotation | Rejected]:
    """What ``read`` gives for each JSON record of a file, guarded; see :func:`guarded` and :func:`json_records`."""
    for record in json_records(file, reading.limits):
        if isinstance(record, Rejected):
            yield record
        else:
            yield from guarded(record.source, record.raw, partial(read, record))


def _is_displaced(sheet: Sheet, span: Marked) -> bool:
    """Whether the text at the span's offsets is known not to be its surface."""
    return sheet.text is not None and bool(span.surface) and not _fits(sheet.text, span)


def _fits(text: str, span: Marked) -> bool:
    """Whether the text at the span's offsets is its surface, white space aside."""
    found = piece(text, span.start, span.end)
    return found == span.surface or (bool(span.surface.strip()) and _squeeze(found) == _squeeze(span.surface))


def _core(span: Marked | Proposed) -> tuple[int, int]:
    """Where the span would start and end without the white space around it, which not every tool can mark."""
    surface = _flat(span.surface)
    core = surface.strip()
    if not core or len(surface) != span.end - span.start:
        return span.start, span.end
    start = span.start + surface.index(core)
    return start, start + len(core)


def _same(surface: str, proposed: str) -> bool:
    """Whether two surfaces are the same, white space aside, as far as both are known."""
    return not surface or not proposed or _squeeze(surface) == _squeeze(proposed)


def _squeeze(text: str) -> str:
    return " ".join(_flat(text).split())


def _flat(text: str) -> str:
    """The text with spaces for the characters that XML cannot hold."""
    return text if text.isprintable() else NO_XML.sub(" ", text)


def holds(text: str, pieces: Sequence[tuple[int, int]], surface: str) -> bool:
    """Whether the text in the pieces, or from the first to the last, is the surface, white space aside."""
    return surface.split() in (_joined(text, pieces).split(), _joined(text, [_hull(pieces)]).split())


def span_of(pieces: Sequence[tuple[int, int]], surface: str, text: str, source: Source) -> Marked:
    """The span from the first piece to the last, with the text there as its surface.

    Of pieces with words between them that are no part of the mention, the surface becomes the expanded form: that of
    "left and right kidney" in two pieces is "left kidney". Where the text holds something else, or is empty, the
    surface stays as it is.

    :param pieces: ``[start, end)`` each; at least one.
    """
    start, end = _hull(pieces)
    whole, joined = _joined(text, [(start, end)]), _joined(text, pieces)
    if len(pieces) > 1 and whole.split() != surface.split() and joined.split() == surface.split() and surface:
        return Marked(start, end, whole, source, expanded=surface)
    return Marked(start, end, surface, source)


def _hull(pieces: Sequence[tuple[int, int]]) -> tuple[int, int]:
    return min(start for start, _ in pieces), max(end for _, end in pieces)


def _joined(text: str, pieces: Iterable[tuple[int, int]]) -> str:
    return " ".join(piece(text, start, end) for start, end in pieces)


def piece(text: str, start: int, end: int) -> str:
    """What the text holds at these offsets; nothing where they lie outside or are further apart than any mention's."""
    return text[max(start, 0) : max(end, 0)] if end - start <= MAX_MENTION else ""


def shorten_raw(row: object) -> str:
    """A record of plain values as JSON for quarantine; empty where it is too large."""
    return shorten(json.dumps(row, ensure_ascii=False))


def cut(text: str, start: int, end: int) -> str:
    """The surface at offsets that the file gives without it.

    :raises CorpusFormatError: when they lie outside of the text.
    """
    if not 0 <= start < end <= len(text):
        raise CorpusFormatError(
            "offsets outside of the text", expected=f"0 <= start < end <= {len(text)}", got=f"[{start}, {end})"
        )
    if end - start > MAX_MENTION:
        raise CorpusFormatError(_TOO_LONG, got=f"[{start}, {end})")
    return text[start:end]


def complete(sheet: Sheet, reading: Reading) -> Sheet:
    """The sheet with what the baseline knows and its file does not.

    Those are the proposals, where the file carries none, and the text, where the file's has the same characters but
    for white space and control characters, as formats without line breaks and XML do.
    """
    known, text = reading.text(sheet.doc_id), sheet.text
    if known and (text is None or (len(known) == len(text) and _squeeze(known) == _squeeze(text))):
        text = known
    proposed = reading.proposed(sheet.doc_id) if sheet.proposed is None else sheet.proposed
    return replace(sheet, proposed=proposed, text=text)

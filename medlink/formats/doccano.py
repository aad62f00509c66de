"""doccano's JSON Lines, in and out: a document a line, with concepts as labels."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any, BinaryIO

from medlink.errors import CorpusFormatError
from medlink.formats.batch_files import BatchFile
from medlink.formats.concept_ids import NIL, concept_in_label
from medlink.formats.json_records import (
    JsonRecord,
    as_object,
    as_offset,
    list_of,
    offset_of,
    shorten,
    text_of,
)
from medlink.formats.proposed import KEY, Reading, parse_carried, proposed_row
from medlink.formats.units import Place, likelier_reader, to_utf16
from medlink.formats.verdicts import Marked, Sheet, complete, cut, guarded_records, judge
from medlink.records import Annotation, LinkedDocument, Rejected, Source

TOOL = "doccano"
# The names of the files of an export that are not named for an annotator.
_SHARED = frozenset({"all", "unknown"})


def write_doccano(links: Iterable[LinkedDocument], stream: BinaryIO) -> None:
    """One line per note for import as JSONL with the column ``label``: ``[[start, end, "Seizure (HP:0001250)"], …]``.

    The tool has no place for a concept, so labels name it; ``NIL`` is a label, too. ``doc_id`` and ``medlink``, which
    holds what was proposed, become metadata, which doccano exports again. Offsets count UTF-16 units, as the tool does
    (doccano#2290): leave the project's setting "count grapheme clusters as one character" off.
    """
    for linked in links:
        line = json.dumps(_line(linked), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        stream.write(line.encode() + b"\n")


def _line(linked: LinkedDocument) -> dict[str, Any]:
    labels = []
    for link in linked.links:
        name = next((c.name for c in link.candidates if c.concept_id == link.concept_id), "")
        label = f"{name} ({link.concept_id})" if name else link.concept_id or NIL
        start, end = (to_utf16(linked.document.text, at) for at in (link.mention.start, link.mention.end))
        labels.append([start, end, label])
    return {
        "text": linked.document.text,
        "label": labels,
        "doc_id": linked.document.id,
        KEY: [proposed_row(link) for link in linked.links],
    }


def read_doccano(file: BatchFile, reading: Reading) -> Iterator[Annotation | Rejected]:
    """The verdicts in an export as JSONL, of spans (``label``, ``labels``) or of spans and relations (``entities``).

    A label names a concept when it is an id or ends in one in brackets; other labels are spans without concept. The
    spans are compared with what the line carries under ``medlink``, else with the baseline. Offsets count UTF-16 units
    and are given in code points; where more spans are those that were proposed when they are taken as code points, they
    are taken so. doccano's archive holds a file per annotator: in an archive, the file's stem is the annotator, unless
    it is ``all`` or ``unknown``.
    """
    stem = file.inner.rpartition("/")[2]
    annotator = stem if file.in_archive and stem not in _SHARED else ""
    return guarded_records(file, reading, partial(_read, annotator=annotator, reading=reading))


def _read(record: JsonRecord, annotator: str, reading: Reading) -> Iterator[Annotation | Rejected]:
    row = as_object(record.value)
    text = row.get("text")
    meta = row.get("meta")
    meta = meta if isinstance(meta, dict) else {}
    doc_id = text_of(row, "doc_id") or text_of(meta, "doc_id") or text_of(row, "id")
    if not doc_id or not isinstance(text, str):
        raise CorpusFormatError("no document", expected="'text', and 'doc_id' or 'id'")
    source = Source(record.source.file, record.source.line, text_of(row, "id"))
    proposed = parse_carried(row.get(KEY) or meta.get(KEY))
    sheet = complete(Sheet(doc_id, TOOL, source, text, proposed, annotator), reading)
    items = list_of(row, "entities") or list_of(row, "label") or list_of(row, "labels")
    spans = [_span_or_reason(item, source) for item in items]
    marked = [span for span in spans if isinstance(span, Marked)]
    known = {(link.start, link.end) for link in sheet.proposed or ()}
    place = likelier_reader(text, marked, lambda start, end, _: (start, end) in known, default_utf16=True)
    yield from judge(sheet, (_placed(span, place, text) for span in spans))


def _placed(span: Marked | Rejected, place: Callable[[int, int], Place], text: str) -> Marked | Rejected:
    if isinstance(span, Rejected):
        return span
    start, end = place(span.start, span.end)
    try:
        return replace(span, start=start, end=end, surface=cut(text, start, end))
    except CorpusFormatError as error:
        return Rejected(span.source, str(error), span.raw)


def _span_or_reason(item: object, source: Source) -> Marked | Rejected:
    try:
        return _span(item, source)
    except CorpusFormatError as error:
        return Rejected(source, str(error), shorten(json.dumps(item)))


def _span(item: object, source: Source) -> Marked:
    if isinstance(item, list) and len(item) == 3:
        start, end, label = as_offset(item[0], "start"), as_offset(item[1], "end"), item[2]
    else:
        row = as_object(item, "a label")
        start, end, label = offset_of(row, "start_offset"), offset_of(row, "end_offset"), row.get("label")
        source = Source(source.file, source.line, text_of(row, "id") or source.record_id)
    if not isinstance(label, str):
        raise CorpusFormatError("a label that is no text", got=type(label).__name__)
    concept_id, is_nil = concept_in_label(label)
    return Marked(start, end, "", source, concept_id, is_nil, raw=shorten(json.dumps(item)))

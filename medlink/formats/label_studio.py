"""Label Studio's JSON, in and out: predictions to be edited, and the annotators' versions of them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, BinaryIO

from medlink.errors import CorpusFormatError
from medlink.formats.batch_files import BatchFile
from medlink.formats.concept_ids import NIL, concept_in_label
from medlink.formats.decision import decide, round_score
from medlink.formats.json_records import JsonRecord, as_object, list_of, offset_of, text_of, time_of
from medlink.formats.proposed import KEY, Proposed, Reading, parse_carried, proposed_row, score_of
from medlink.formats.units import likelier_reader
from medlink.formats.verdicts import (
    Marked,
    Sheet,
    complete,
    guarded,
    guarded_records,
    ignored,
    judge,
    piece,
    shorten_raw,
)
from medlink.records import Annotation, Link, LinkedDocument, Proposal, Rejected, Source

TOOL = "label-studio"
#: The labelling interface that the exported tasks are made for.
LABEL_CONFIG = """<View>
  <Labels name="mention" toName="text"><Label value="Concept"/><Label value="NIL"/></Labels>
  <Text name="text" value="$text"/>
  <TextArea name="concept" toName="text" perRegion="true" editable="true" maxSubmissions="1"/>
</View>
"""
# The controls that mark a span, and those that say something of one.
_SPAN_TYPES = frozenset({"labels", "hypertextlabels"})
_CONCEPT_TYPES = frozenset({"textarea", "choices", "taxonomy"})


def write_label_studio(links: Iterable[LinkedDocument], stream: BinaryIO) -> None:
    """A JSON array with one task per note, made for the interface :data:`LABEL_CONFIG`.

    A mention is a region with the label ``Concept`` or ``NIL``; its concept is the region's text field, and the
    region's information shows name, score and alternatives. Offsets count code points, as the
    tool does today (label-studio#1559).
    ``data`` holds the note's ``text`` and ``id`` and, under ``medlink``, what was proposed. Constant memory.
    """
    stream.write(b"[")
    for number, linked in enumerate(links):
        packed = json.dumps(_task(linked), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        stream.write((",\n" if number else "\n").encode() + packed.encode())
    stream.write(b"\n]\n")


def _task(linked: LinkedDocument) -> dict[str, Any]:
    text = linked.document.text
    results = [row for number, link in enumerate(linked.links, start=1) for row in _region(text, f"m{number}", link)]
    return {
        "data": {"id": linked.document.id, "text": text, KEY: [proposed_row(link) for link in linked.links]},
        "predictions": [
            {"model_version": linked.links[0].release if linked.links else "", "result": results},
        ],
    }


def _region(text: str, region: str, link: Link) -> Iterator[dict[str, Any]]:
    mention, decision = link.mention, decide(link)
    value = {"start": mention.start, "end": mention.end, "text": mention.surface}
    others = ", ".join(f"{c.name} ({c.concept_id})" for c in decision.alternatives)
    yield {
        "id": region,
        "from_name": "mention",
        "to_name": "text",
        "type": "labels",
        "score": round_score(decision.score),
        "value": {**value, "labels": [NIL if decision.is_nil else "Concept"]},
        "meta": {
            "text": [f"{decision.name or 'no concept'} {round_score(decision.score)}; others: {others or 'none'}"]
        },
    }
    if not decision.is_nil:
        yield {
            "id": region,
            "from_name": "concept",
            "to_name": "text",
            "type": "textarea",
            "value": {"start": value["start"], "end": value["end"], "text": [decision.concept_id]},
        }


def read_label_studio(file: BatchFile, reading: Reading) -> Iterator[Annotation | Rejected]:
    """The verdicts in an export of the kind JSON: every annotator's version of a task against what was proposed.

    Proposed is what the task carries under ``medlink``, else its first prediction, else the baseline. A span's concept
    is what a text field, choice or taxonomy (its last level) with the same region id says, else an id in its label; the
    label ``NIL`` says that none fits. A skipped task (``was_cancelled``) is **ignore**; drafts, and tasks that nobody
    has annotated, say nothing. Offsets count code points, or UTF-16 units in exports of old versions: whatever fits
    more of a version's surfaces. The annotator is ``completed_by``: an e-mail address where the export holds it, else
    a number.
    """
    return guarded_records(file, reading, partial(_read, reading=reading))


def _read(record: JsonRecord, reading: Reading) -> Iterator[Annotation | Rejected]:
    task = as_object(record.value)
    if "annotation_id" in task:
        raise CorpusFormatError("the short export, JSON-MIN, which lacks what was proposed", expected="the export JSON")
    data = as_object(task.get("data"), "'data'")
    source = Source(record.source.file, record.source.line, text_of(task, "id"))
    text = text_of(data, "text") or None
    sheet = Sheet(
        doc_id=text_of(data, "id", "doc_id") or text_of(task, "id"),
        tool=TOOL,
        source=source,
        text=text,
        proposed=_predicted(task, text or "", source) if data.get(KEY) is None else parse_carried(data[KEY]),
    )
    if not sheet.doc_id:
        raise CorpusFormatError("no document id", expected="'id' in 'data' or in the task")
    for value in list_of(task, "annotations"):
        yield from guarded(source, record.raw, partial(_read_version, complete(sheet, reading), value))


def _read_version(sheet: Sheet, value: object) -> Iterator[Annotation | Rejected]:
    row = as_object(value, "an annotation")
    source = Source(sheet.source.file, sheet.source.line, text_of(row, "id") or sheet.source.record_id)
    by = row.get("completed_by")
    who = text_of(by, "email", "username", "id") if isinstance(by, Mapping) else text_of(row, "completed_by")
    time = time_of(row.get("updated_at")) or time_of(row.get("created_at"))
    sheet = replace(sheet, source=source, annotator=who, time=time)
    if row.get("was_cancelled") is True:
        yield from ignored(sheet)
        return
    yield from judge(sheet, _spans(list_of(row, "result"), sheet.text or "", source))


def _spans(results: Iterable[object], text: str, source: Source) -> Iterator[Marked | Rejected]:
    """The regions, each with the concept of its siblings."""
    rows = [as_object(result, "a result") for result in results]
    written: dict[str, str] = {}
    for row in rows:
        if text_of(row, "type") not in _SPAN_TYPES:
            written[text_of(row, "id")] = written.get(text_of(row, "id")) or _written(row)
    spans = [_span_or_reason(row, written, source) for row in rows if text_of(row, "type") in _SPAN_TYPES]
    marked = [span for span in spans if isinstance(span, Marked)]
    place = likelier_reader(
        text, marked, lambda start, end, span: piece(text, start, end) == span.surface, default_utf16=False
    )
    for span in spans:
        if isinstance(span, Marked):
            start, end = place(span.start, span.end)
            surface = span.surface or piece(text, start, end)
            yield replace(span, start=start, end=end, surface=surface)
        else:
            yield span


def _span_or_reason(row: Mapping[str, Any], written: Mapping[str, str], source: Source) -> Marked | Rejected:
    try:
        return _span(row, written.get(text_of(row, "id"), ""), source)
    except CorpusFormatError as error:
        return Rejected(source, str(error), shorten_raw(row))


def _written(row: Mapping[str, Any]) -> str:
    """What a control beside a region says; empty where it is of a kind that says no concept."""
    value = row.get("value")
    kind = text_of(row, "type")
    if not isinstance(value, Mapping) or kind not in _CONCEPT_TYPES:
        return ""
    items: Any = value.get("text" if kind == "textarea" else kind)
    while isinstance(items, list) and items:
        items = items[-1]  # of a taxonomy the last path and its last level
    return items if isinstance(items, str) else ""


def _span(row: Mapping[str, Any], written: str, source: Source) -> Marked:
    value = as_object(row.get("value"), "'value'")
    place = as_object(value.get("globalOffsets") or value, "'globalOffsets'")
    surface = value["text"] if isinstance(value.get("text"), str) else ""
    start, end = offset_of(place, "start"), offset_of(place, "end")
    labels = [label for label in list_of(value, text_of(row, "type")) if isinstance(label, str)]
    concept_id, is_nil = concept_in_label(written)
    for label in () if written else labels:
        concept_id, is_nil = concept_in_label(label)
    return Marked(start, end, surface, source, concept_id, is_nil, raw=shorten_raw(row))


def _predicted(task: Mapping[str, Any], text: str, source: Source) -> tuple[Proposed, ...] | None:
    """The first prediction as proposals, for tasks that were not made by us."""
    predictions = list_of(task, "predictions")
    if not predictions or not isinstance(predictions[0], Mapping):
        return None
    prediction = predictions[0]
    score, release = score_of(prediction.get("score")), text_of(prediction, "model_version")
    spans = _spans(list_of(prediction, "result"), text, source)
    return tuple(
        Proposed(
            span.start,
            span.end,
            span.surface,
            span.concept_id,
            (Proposal(span.concept_id, score),) if span.concept_id else (),
            release=release,
        )
        for span in spans
        if isinstance(span, Marked)
    )

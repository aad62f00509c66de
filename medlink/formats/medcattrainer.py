"""MedCATtrainer's export, in and out: projects of documents whose annotations carry their own verdict."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, BinaryIO

from medlink.errors import CorpusFormatError
from medlink.formats.batch_files import BatchFile
from medlink.formats.concept_ids import NIL, concept_of
from medlink.formats.decision import decide, round_score
from medlink.formats.json_records import as_object, list_of, offset_of, read_json, shorten, text_of, time_of
from medlink.formats.proposed import KEY, Proposed, Reading, parse_proposed, proposed_row, score_of
from medlink.formats.verdicts import Marked, Sheet, answered, complete, guarded
from medlink.records import Annotation, Link, LinkedDocument, Proposal, Rejected, Source, Verdict

TOOL = "medcattrainer"


def write_medcattrainer(links: Iterable[LinkedDocument], stream: BinaryIO) -> None:
    """One project with every note, in the form that MedCATtrainer exports and can make a project of.

    A mention is an annotation that nobody has validated, with the chosen concept as ``cui`` (``NIL`` where there is
    none) and its score as ``acc``. What was proposed goes along under ``medlink``; a trainer that drops it needs the
    baseline when the file comes back. Offsets count code points. Constant memory.
    """
    stream.write(b'{"projects":[{"id":1,"name":"medlink","cuis":"","documents":[')
    for number, linked in enumerate(links, start=1):
        annotations = [_annotation(at, link) for at, link in enumerate(linked.links, start=1)]
        document = {"id": number, "name": linked.document.id, "text": linked.document.text, "annotations": annotations}
        packed = json.dumps(document, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        stream.write((",\n" if number > 1 else "\n").encode() + packed.encode())
    stream.write(b"\n]}]}\n")


def _annotation(number: int, link: Link) -> dict[str, Any]:
    mention, decision = link.mention, decide(link)
    flags = ("validated", "correct", "deleted", "alternative", "killed", "irrelevant", "manually_created")
    return {
        "id": number,
        "cui": decision.concept_id or NIL,
        "value": mention.surface,
        "start": mention.start,
        "end": mention.end,
        **dict.fromkeys(flags, False),
        "acc": round_score(decision.score),
        "meta_anns": {},
        KEY: proposed_row(link),
    }


def read_medcattrainer(file: BatchFile, reading: Reading) -> Iterator[Annotation | Rejected]:
    """The verdicts of an export: each annotation states its own by flags.

    - ``manually_created``: **missed**, with its ``cui``.
    - ``correct``: **accept**; where the baseline proposed another concept, **correct**.
    - ``alternative``: **correct**, with the ``cui``, or with the flag's own value where that is an id. The trainer
      keeps no trace of the first concept; what was carried along or the baseline has it.
    - ``deleted``, ``killed`` (the name must never mean the concept): **not a mention**, and the concept is rejected.
    - ``irrelevant``: **ignore**.
    - The ``cui`` ``NIL`` on a validated annotation: **NIL**.

    What nobody has validated says nothing and is passed over. Offsets count code points. The document's id is its
    ``name``; the annotator is ``user``.
    """
    source = Source(file.name)
    yield from guarded(source, "", partial(_projects, file, reading, source))


def _projects(file: BatchFile, reading: Reading, source: Source) -> Iterator[Annotation | Rejected]:
    export = as_object(read_json(file, reading.limits), "the file")
    number = 0
    for project in list_of(export, "projects"):
        for document in list_of(as_object(project, "a project"), "documents"):
            number += 1
            place = replace(source, line=number)
            yield from guarded(place, "", partial(_document, document, place, reading))


def _document(value: object, source: Source, reading: Reading) -> Iterator[Annotation | Rejected]:
    row = as_object(value, "a document")
    doc_id = text_of(row, "name", "id")
    if not doc_id:
        raise CorpusFormatError("no document id", expected="'name' or 'id' in the document")
    sheet = complete(Sheet(doc_id, TOOL, source, text_of(row, "text") or None), reading)
    links = {(link.start, link.end): link for link in sheet.proposed or ()}
    for item in list_of(row, "annotations"):
        raw = shorten(json.dumps(item, ensure_ascii=False))
        place = replace(source, record_id=text_of(item, "id") if isinstance(item, dict) else "")
        yield from guarded(place, raw, partial(_read, replace(sheet, source=place), links, item, raw))


def _read(
    sheet: Sheet, links: Mapping[tuple[int, int], Proposed], value: object, raw: str
) -> Iterator[Annotation | Rejected]:
    row = as_object(value, "an annotation")
    sheet = replace(
        sheet,
        annotator=text_of(row, "user", "user_id"),
        time=time_of(row.get("last_modified")) or time_of(row.get("create_time")),
    )
    concept_id, is_nil = concept_of(_concept(row))
    start, end = offset_of(row, "start"), offset_of(row, "end")
    span = Marked(start, end, text_of(row, "value"), sheet.source, concept_id, is_nil, raw=raw)
    link = parse_proposed(row[KEY]) if KEY in row else links.get((start, end))
    verdict = _verdict(row, span, link)
    if verdict is not None:
        yield answered(sheet, span, verdict, link or _shown(row, span, verdict))


def _concept(row: Mapping[str, Any]) -> str:
    alternative = row.get("alternative")
    return alternative if isinstance(alternative, str) and alternative else text_of(row, "cui")


def _verdict(row: Mapping[str, Any], span: Marked, link: Proposed | None) -> Verdict | None:
    if row.get("deleted") is True or row.get("killed") is True:
        return Verdict.NOT_A_MENTION
    if row.get("irrelevant") is True:
        return Verdict.IGNORE
    if row.get("manually_created") is True:
        return Verdict.MISSED
    corrected = bool(row.get("alternative"))
    if not corrected and row.get("correct") is not True and row.get("validated") is not True:
        return None
    if span.nil:
        return Verdict.NIL
    other = corrected if link is None else link.concept_id != span.concept_id
    return Verdict.CORRECT if other else Verdict.ACCEPT


def _shown(row: Mapping[str, Any], span: Marked, verdict: Verdict) -> Proposed | None:
    """What must have been shown where nothing else says it: the concept itself, unless it is the annotator's."""
    if verdict in (Verdict.CORRECT, Verdict.MISSED, Verdict.NIL) or not span.concept_id:
        return None
    candidates = (Proposal(span.concept_id, score_of(row.get("acc"))),)
    return Proposed(span.start, span.end, span.surface, span.concept_id, candidates)

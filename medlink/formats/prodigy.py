"""Prodigy's JSON Lines, in and out: a question per mention with its candidates as options, or a document with spans."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import Any, BinaryIO

from medlink.errors import CorpusFormatError
from medlink.formats.batch_files import BatchFile
from medlink.formats.concept_ids import NIL, concept_in_label, concept_of
from medlink.formats.decision import decide, round_score
from medlink.formats.json_records import JsonRecord, as_object, list_of, offset_of, text_of, time_of
from medlink.formats.proposed import KEY, Proposed, Reading, parse_carried, proposed_row, score_of
from medlink.formats.verdicts import Marked, Sheet, answered, complete, cut, guarded_records, ignored, judge
from medlink.records import Annotation, Link, LinkedDocument, Proposal, Rejected, Verdict

TOOL = "prodigy"
# The option beside the candidates and NIL.
NOT_A_MENTION = "NOT_A_MENTION"
# The options beside the candidates in spaCy's tutorial on entity linking: neither says that no concept fits.
_UNDECIDED = frozenset({"NIL_otherLink", "NIL_ambiguous"})


def write_prodigy(links: Iterable[LinkedDocument], stream: BinaryIO) -> None:
    """One line per mention, in the order of the links, for ``prodigy mark DATASET FILE --view-id choice``.

    ``text`` is the whole note and ``spans`` the mention; the ``options`` are the candidates, then ``NIL`` (no concept
    fits) and ``NOT_A_MENTION``; ``accept`` holds what was chosen. ``meta`` shows document and score. The key
    ``medlink`` carries document and proposal, which Prodigy hands back untouched. A note without links has no line.
    """
    for linked in links:
        for link in linked.links:
            line = json.dumps(_question(linked, link), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
            stream.write(line.encode() + b"\n")


def _question(linked: LinkedDocument, link: Link) -> dict[str, Any]:
    mention, decision = link.mention, decide(link)
    options = [{"id": c.concept_id, "text": f"{c.name} ({c.concept_id})"} for c in link.candidates]
    options.append({"id": NIL, "text": "a mention, but no concept fits"})
    options.append({"id": NOT_A_MENTION, "text": "nothing to be marked"})
    return {
        "text": linked.document.text,
        "spans": [{"start": mention.start, "end": mention.end, "label": mention.label or "CONCEPT"}],
        "options": options,
        "accept": [link.concept_id or NIL],
        "meta": {"document": linked.document.id, "score": round_score(decision.score)},
        KEY: {"doc_id": linked.document.id, "links": [proposed_row(link)]},
    }


def read_prodigy(file: BatchFile, reading: Reading) -> Iterator[Annotation | Rejected]:
    """The verdicts in what ``prodigy db-out`` exports.

    - With ``options``, a line is about its one span. Accepted with one option: **accept** when that is what was
      proposed (without the key ``medlink``: the first option), else **correct**; ``NIL`` and ``NOT_A_MENTION`` say
      what they say. Every other option is a rejected candidate. Rejected: **not a mention**. Ignored, or
      ``NIL_otherLink`` and ``NIL_ambiguous`` of spaCy's tutorial: **ignore**; of the former the options are rejected
      candidates, as the right one is not among them.
    - Without, a line is a document and its ``spans`` are compared with the proposals that it carries, or with the
      baseline; a span's concept is its ``kb_id``, else an id in its label. Rejected or ignored: **ignore**, where
      a rejected span's concept is a rejected candidate.

    Offsets count code points. The annotator is ``_annotator_id``, else ``_session_id``; the time is ``_timestamp``.
    """
    return guarded_records(file, reading, partial(_read, reading=reading))


def _read(record: JsonRecord, reading: Reading) -> Iterator[Annotation | Rejected]:
    row = as_object(record.value)
    carried = row.get(KEY)
    carried = carried if isinstance(carried, Mapping) else {}
    meta = row["meta"] if isinstance(row.get("meta"), Mapping) else {}
    doc_id = text_of(carried, "doc_id") or text_of(row, "doc_id", "id") or text_of(meta, "document", "doc_id", "id")
    if not doc_id:
        raise CorpusFormatError("no document id", expected="'doc_id' or 'id' in the record or its 'meta'")
    sheet = Sheet(
        doc_id=doc_id,
        tool=TOOL,
        source=record.source,
        text=text_of(row, "text") or None,
        proposed=parse_carried(carried),
        annotator=text_of(row, "_annotator_id", "_session_id"),
        time=time_of(row.get("_timestamp")),
    )
    answer = row.get("answer")
    if answer not in ("accept", "reject", "ignore"):
        raise CorpusFormatError("no answer", expected="'answer' with accept, reject or ignore")
    if "options" in row:
        yield _choice(sheet, row, answer, record)
    else:
        yield from _document(complete(sheet, reading), row, answer, record)


def _choice(sheet: Sheet, row: Mapping[str, Any], answer: str, record: JsonRecord) -> Annotation | Rejected:
    spans = [_span(sheet, span, record) for span in list_of(row, "spans")]
    if len(spans) != 1:
        raise CorpusFormatError("a question with options is about one span", got=f"{len(spans)} spans")
    span = spans[0]
    link = sheet.proposed[0] if sheet.proposed else _shown(span, row)
    if answer != "accept":
        return answered(sheet, span, Verdict.NOT_A_MENTION if answer == "reject" else Verdict.IGNORE, link)
    accepted = [choice for choice in list_of(row, "accept") if isinstance(choice, str | int)]
    if len(accepted) != 1:
        raise CorpusFormatError("an accepted question needs one accepted option", got=str(len(accepted)))
    choice = str(accepted[0])
    if choice in _UNDECIDED:
        return answered(sheet, span, Verdict.IGNORE, link, reject_all=choice == "NIL_otherLink")
    if choice == NOT_A_MENTION:
        return answered(sheet, span, Verdict.NOT_A_MENTION, link)
    concept_id, is_nil = concept_of(choice)
    if is_nil:
        return answered(sheet, span, Verdict.NIL, link)
    verdict = Verdict.ACCEPT if concept_id == link.concept_id else Verdict.CORRECT
    return answered(sheet, span.naming(concept_id), verdict, link)


def _shown(span: Marked, row: Mapping[str, Any]) -> Proposed:
    """What a question that carries no proposal showed: its options, the first as the proposed one."""
    candidates = []
    for value in list_of(row, "options"):
        option = as_object(value, "an option")
        written = text_of(option, "id")
        concept_id, is_nil = concept_of(written)
        if concept_id and not is_nil and written not in {*_UNDECIDED, NOT_A_MENTION}:
            candidates.append(Proposal(concept_id, score_of(option.get("score"))))
    first = candidates[0].concept_id if candidates else ""
    return Proposed(span.start, span.end, span.surface, first, tuple(candidates))


def _document(sheet: Sheet, row: Mapping[str, Any], answer: str, record: JsonRecord) -> Iterator[Annotation | Rejected]:
    spans = [_span(sheet, span, record) for span in list_of(row, "spans")]
    if answer == "accept":
        yield from judge(sheet, spans)
    elif sheet.proposed:
        yield from ignored(sheet)
    else:
        for span in spans:
            shown = (Proposal(span.concept_id),) if span.concept_id else ()
            link = Proposed(span.start, span.end, span.surface, span.concept_id, shown)
            yield answered(sheet, span, Verdict.IGNORE, link, reject_all=answer == "reject")


def _span(sheet: Sheet, value: object, record: JsonRecord) -> Marked:
    row = as_object(value, "a span")
    start, end = offset_of(row, "start"), offset_of(row, "end")
    written = text_of(row, "kb_id", "concept_id")
    concept_id, is_nil = concept_of(written) if written else concept_in_label(text_of(row, "label"))
    surface = text_of(row, "text") or (cut(sheet.text, start, end) if sheet.text is not None else "")
    return Marked(start, end, surface, record.source, concept_id, is_nil, raw=record.raw)

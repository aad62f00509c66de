"""Linked documents as canonical JSON lines, and back."""

from __future__ import annotations

import json
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from medlink.errors import CorpusFormatError
from medlink.formats.decision import decide, round_score
from medlink.records import Assertion, Candidate, Document, Link, LinkedDocument, Mention

# JSON allows these three unescaped, but `str.splitlines` would break the line at them.
_LINE_BREAKS = str.maketrans({"\x85": "\\u0085", "\u2028": "\\u2028", "\u2029": "\\u2029"})


def dump_line(linked: LinkedDocument, *, with_text: bool) -> str:
    """One line of JSON without its newline: the same string for equal documents, whatever made them.

    Keys come in a fixed order, nothing is padded, scores are rounded to 4 decimals. ``concept_name`` and ``score`` of
    a link repeat what its candidates say, for readers that look no further; :func:`parse_line` derives them anew.

    :param with_text: whether the note's text is part of the line; surfaces always are.
    :raises ValueError: when a score is not finite.
    """
    line: dict[str, Any] = {"id": linked.document.id}
    if with_text:
        line["text"] = linked.document.text
    line["links"] = [link_row(link) for link in linked.links]
    packed = json.dumps(line, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return packed.translate(_LINE_BREAKS)


def link_row(link: Link) -> dict[str, Any]:
    """The link as plain values that JSON and msgpack know, keys in canonical order."""
    mention, decision = link.mention, decide(link)
    # Only where other systems were asked for: without them a line is what it always was.
    others = {"equivalents": list(link.equivalents)} if link.equivalents else {}
    return {
        "start": mention.start,
        "end": mention.end,
        "surface": mention.surface,
        "expanded": mention.expanded,
        "concept_id": link.concept_id,
        "concept_name": decision.name,
        "score": round_score(decision.score),
        "assertion": list(mention.assertion.labels),
        "section": mention.section,
        "sentence": list(mention.sentence),
        "label": mention.label,
        "candidates": [_candidate_row(candidate) for candidate in link.candidates],
        "release": link.release,
        "ontology_version": link.ontology_version,
    } | others


def _candidate_row(candidate: Candidate) -> dict[str, Any]:
    return {
        "concept_id": candidate.concept_id,
        "name": candidate.name,
        "matched": candidate.matched,
        "lexical": round_score(candidate.lexical),
        "dense": None if candidate.dense is None else round_score(candidate.dense),
        "score": round_score(candidate.score),
    }


def parse_line(line: str) -> LinkedDocument:
    """The linked document of a line that :func:`dump_line` wrote.

    Equals the document that was written, when that had scores of at most 4 decimals and was written with its text.
    A line without text gives a document with empty text; its mentions keep surfaces and offsets.

    :raises CorpusFormatError: when the line is no JSON, lacks or adds a field, holds a wrong type, or when a surface
        is not what the text holds at its offsets.
    """
    try:
        row = _LineRow.model_validate_json(line)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False, include_context=False)[0]
        place = ".".join(map(str, first["loc"])) or "the line"
        # Without its cause: pydantic's message quotes the input, which is clinical text.
        raise CorpusFormatError("no line of links", where=place, got=_reason(first["type"])) from None
    links = tuple(_link(row.id, link) for link in row.links)
    if row.text is not None:
        for link in links:
            _check_surface(link.mention, row.text)
    return LinkedDocument(Document(row.id, row.text or ""), links)


def _reason(kind: str) -> str:
    """The kind of a pydantic error in words: "missing", "json invalid", "string type"."""
    return kind.replace("_", " ")


def _check_surface(mention: Mention, text: str) -> None:
    if text[mention.start : mention.end] != mention.surface:
        raise CorpusFormatError(
            "a surface differs from the text at its offsets",
            where=f"document {mention.doc_id!r}, [{mention.start}, {mention.end})",
        )


class _Row(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class _CandidateRow(_Row):
    concept_id: str
    name: str
    matched: str
    lexical: float
    dense: float | None
    score: float


class _LinkRow(_Row):
    start: int
    end: int
    surface: str
    expanded: str
    concept_id: str | None
    concept_name: str
    score: float
    assertion: tuple[str, ...]
    section: str
    sentence: tuple[int, int]
    label: str
    candidates: tuple[_CandidateRow, ...]
    release: str
    ontology_version: str
    equivalents: tuple[str, ...] = ()


class _LineRow(_Row):
    id: str
    text: str | None = None
    links: tuple[_LinkRow, ...]


def _link(doc_id: str, row: _LinkRow) -> Link:
    where = f"document {doc_id!r}, [{row.start}, {row.end})"
    unknown = set(row.assertion) - set(Assertion.__slots__)
    if unknown:
        raise CorpusFormatError(
            "an unknown assertion",
            where=where,
            expected=" or ".join(Assertion.__slots__),
            got=", ".join(sorted(unknown)),
        )
    if not 0 <= row.start < row.end or len(row.surface) != row.end - row.start:
        raise CorpusFormatError("offsets that do not fit the surface", where=where, expected="0 <= start < end")
    mention = Mention(
        doc_id=doc_id,
        start=row.start,
        end=row.end,
        surface=row.surface,
        expanded=row.expanded,
        sentence=row.sentence,
        section=row.section,
        assertion=Assertion(**dict.fromkeys(row.assertion, True)),
        label=row.label,
    )
    candidates = tuple(Candidate(**dict(candidate)) for candidate in row.candidates)
    return Link(mention, candidates, row.concept_id, row.release, row.ontology_version, row.equivalents)

"""Annotations in medlink's own form: a JSON line or a CSV row for each verdict, with a published JSON Schema.

The schema is docs/annotation.schema.json. Only ``doc_id``, ``start``, ``end`` and ``verdict`` are required, and of
``surface`` and ``text`` at least one.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from math import isfinite
from typing import Any, BinaryIO

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from medlink.errors import NoteReadError
from medlink.formats.batch_files import BatchFile
from medlink.formats.csv_table import guard
from medlink.formats.lines import RecordLines, read_lines
from medlink.formats.note_files import csv_rows
from medlink.formats.proposed import Reading
from medlink.records import Annotation, Proposal, Rejected, Source, Verdict

TOOL = "medlink"
CSV_COLUMNS = (
    "doc_id", "start", "end", "surface", "verdict", "concept_id", "expanded", "section", "text", "proposed", "rejected",
    "annotator", "time", "release", "ontology_version", "doc_hash", "before", "after", "adjudicator", "tool",
    "source_file", "source_line", "source_record",
)  # fmt: skip
#: Columns that are there for who fills in the table; they are not read.
REMARKS = ("candidates",)
_SEPARATOR = " | "
_SCORED = re.compile(r"(?P<id>.+?)(?: \((?P<score>[0-9.eE+-]+)\))?")
# JSON allows these three unescaped, but `str.splitlines` would break the line at them.
_LINE_BREAKS = str.maketrans({"\x85": "\\u0085", "\u2028": "\\u2028", "\u2029": "\\u2029"})


class _Row(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class ProposalRow(_Row):
    """A concept that the annotator was shown."""

    concept_id: str = Field(min_length=1)
    score: float | None = None


class SourceRow(_Row):
    """Where the record was read first."""

    file: str
    line: int = Field(0, ge=0)
    record_id: str = ""


class AnnotationRow(_Row):
    """One annotator's verdict on one mention. Offsets count Unicode code points of the untouched text."""

    doc_id: str = Field(min_length=1)
    start: int = Field(ge=0)
    end: int = Field(ge=1, description="Offset behind the last character.")
    surface: str = Field("", description="The mention as it stands in the text.")
    verdict: Verdict
    concept_id: str | None = Field(None, description="The right concept: for accept and correct, and for missed.")
    expanded: str = Field("", description="The long form of an abbreviation.")
    section: str = ""
    text: str | None = Field(None, description="The whole text of the document.")
    proposed: tuple[ProposalRow, ...] = Field((), description="The candidates that were shown, best first.")
    rejected: tuple[str, ...] = Field((), description="Concepts that were shown and not accepted.")
    annotator: str = ""
    time: AwareDatetime | None = None
    release: str = Field("", description="Of the system that proposed.")
    ontology_version: str = ""
    doc_hash: str = Field("", description="What the ledger calls the document's text.")
    before: str = Field("", description="What stands directly before the mention.")
    after: str = Field("", description="What stands directly behind it.")
    adjudicator: bool = Field(False, description="Whether the annotator decides between the others.")
    tool: str = TOOL
    source: SourceRow | None = None
    quarantine: str = Field("", description="Why the record is in quarantine; it may stay when that is mended.")


class _UnmendedRow(_Row):
    """A record in quarantine that could not be understood."""

    source: SourceRow
    quarantine: str
    raw: str


def json_schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of a line."""
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema"} | AnnotationRow.model_json_schema()
    return schema | {"title": "medlink annotation"}


def read_annotation_jsonl(file: BatchFile, reading: Reading) -> Iterator[Annotation | Rejected]:
    """The annotation of each line that is not blank, or what is wrong with it; constant memory."""
    limit = reading.limits.line_bytes
    with file.open() as stream:
        for number, line in enumerate(read_lines(stream, limit), start=1):
            source = Source(file.name, number)
            if line.n_bytes > limit:
                yield Rejected(source, f"the line has {line.n_bytes:,} bytes; expected at most {limit:,}")
            elif line.data.strip():
                yield parse_annotation(line.data, source)


def parse_annotation(line: bytes, source: Source) -> Annotation | Rejected:
    """The annotation of one line, or what is wrong with it."""
    try:
        return _annotation(AnnotationRow.model_validate_json(line), source)
    except ValidationError as error:
        return _unmended(line) or Rejected(source, _reason(error), _decoded(line))
    except ValueError as error:
        return Rejected(source, str(error), _decoded(line))


def read_annotation_csv(file: BatchFile, reading: Reading) -> Iterator[Annotation | Rejected]:
    """The annotation of each row of a table with a header, or what is wrong with it; constant memory.

    Columns are those of :data:`CSV_COLUMNS`, in any order; what the schema does not require may be left out.
    Those of :data:`REMARKS` are passed over. ``proposed`` and ``rejected`` are joined by ``" | "``, scores stand in
    parentheses: ``HP:0001250 (0.92)``.
    """
    limit = reading.limits.line_bytes
    csv.field_size_limit(max(csv.field_size_limit(), limit))
    with file.open() as stream:
        yield from _read_rows(csv_rows(RecordLines(read_lines(stream, limit), limit), file.name, limit), file.name)


def _read_rows(rows: Iterable[tuple[str, list[str]] | NoteReadError], file: str) -> Iterator[Annotation | Rejected]:
    header: list[str] | None = None
    for row in rows:
        if isinstance(row, NoteReadError):
            yield Rejected(_source_of(row.where, file), str(row).removeprefix(f"{row.where}: "))
        elif header is None:
            header = [name.strip().lower() for name in row[1]]
            if problem := _header_problem(header):
                yield Rejected(_source_of(row[0], file), problem)
                return
        else:
            yield _from_cells(header, row[1], _source_of(row[0], file))


def dump_annotation(annotation: Annotation, *, quarantined: str = "") -> str:
    """The annotation as one line of JSON without its newline; what has its default value is left out.

    :param quarantined: why it is in quarantine, where it is.
    """
    row: dict[str, Any] = {"doc_id": annotation.doc_id, "start": annotation.start, "end": annotation.end}
    row |= {name: value for name in _OPTIONAL if (value := getattr(annotation, name)) not in ("", None)}
    row["verdict"] = annotation.verdict.value
    if annotation.proposed:
        row["proposed"] = [_proposal(proposal) for proposal in annotation.proposed]
    if annotation.rejected:
        row["rejected"] = list(annotation.rejected)
    if annotation.time is not None:
        row["time"] = annotation.time.isoformat()
    row |= {name: text for name, text in zip(("before", "after"), annotation.context, strict=True) if text}
    if annotation.adjudicator:
        row["adjudicator"] = True
    row["source"] = _source_row(annotation.source)
    if quarantined:
        row["quarantine"] = quarantined
    return _pack(row)


def dump_rejected(rejected: Rejected) -> str:
    """A record that could not be understood as one line of JSON without its newline."""
    return _pack({"source": _source_row(rejected.source), "quarantine": rejected.reason, "raw": rejected.raw})


def write_annotation_jsonl(annotations: Iterable[Annotation], stream: BinaryIO) -> None:
    """One UTF-8 line for each annotation; constant memory."""
    for annotation in annotations:
        stream.write(dump_annotation(annotation).encode() + b"\n")


def write_annotation_csv(annotations: Iterable[Annotation], stream: BinaryIO) -> None:
    """A UTF-8 table with the header :data:`CSV_COLUMNS`, safe to open in a spreadsheet; constant memory."""
    text = io.TextIOWrapper(stream, encoding="utf-8", newline="", write_through=True)
    rows = csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)
    rows.writerow(CSV_COLUMNS)
    for annotation in annotations:
        rows.writerow([protect(cell) if isinstance(cell, str) else cell for cell in _cells(annotation)])
    text.detach()


_OPTIONAL = (
    "surface", "concept_id", "expanded", "section", "text", "annotator", "release", "ontology_version", "doc_hash",
    "tool",
)  # fmt: skip


def _annotation(row: AnnotationRow, source: Source) -> Annotation:
    if row.source:
        source = Source(row.source.file, row.source.line, row.source.record_id)
    if not row.surface and row.text is None:
        raise ValueError("there is neither the mention's surface nor the document's text")
    return Annotation(
        doc_id=row.doc_id,
        start=row.start,
        end=row.end,
        surface=row.surface,
        verdict=row.verdict,
        source=source,
        tool=row.tool,
        concept_id=row.concept_id or None,
        expanded=row.expanded,
        section=row.section,
        text=row.text,
        proposed=tuple(Proposal(proposal.concept_id, proposal.score) for proposal in row.proposed),
        rejected=row.rejected,
        annotator=row.annotator,
        time=row.time,
        release=row.release,
        ontology_version=row.ontology_version,
        doc_hash=row.doc_hash,
        context=(row.before, row.after),
        adjudicator=row.adjudicator,
    )


def _unmended(line: bytes) -> Rejected | None:
    """The record that went to quarantine without being understood, where the line is one that nobody has mended."""
    try:
        row = _UnmendedRow.model_validate_json(line)
    except ValidationError:
        return None
    return Rejected(Source(row.source.file, row.source.line, row.source.record_id), row.quarantine, row.raw)


def _reason(error: ValidationError) -> str:
    """The first problem in words; pydantic's own message quotes the input, which is clinical text."""
    first = error.errors(include_input=False, include_url=False)[0]
    place = ".".join(map(str, first["loc"])) or "the line"
    expected = first.get("ctx", {}).get("expected", "") if first["type"] == "enum" else ""
    return f"{place}: {first['type'].replace('_', ' ')}" + (f"; expected {expected}" if expected else "")


def _decoded(line: bytes) -> str:
    return line.decode(errors="replace").rstrip("\r\n")


def _source_of(where: str, file: str) -> Source:
    """The source of a place that reads ``file:line``, with or without more behind it."""
    number = re.match(r":(\d+)", where.removeprefix(file))
    return Source(file, int(number.group(1)) if number else 0)


def _header_problem(header: Sequence[str]) -> str:
    missing = [name for name in ("doc_id", "start", "end", "verdict") if name not in header]
    if missing:
        return f"the table has no column {', '.join(missing)}"
    if len(set(header)) < len(header):
        return "two columns have the same name"
    unknown = len(set(header) - {*CSV_COLUMNS, *REMARKS})
    # Counted and not named: without a header the first line is a patient's.
    return f"{unknown} columns have other names than {', '.join(CSV_COLUMNS)}" if unknown else ""


def _from_cells(header: Sequence[str], cells: Sequence[str], source: Source) -> Annotation | Rejected:
    raw = _csv_line(cells)
    if len(cells) != len(header):
        return Rejected(source, f"the row has {len(cells)} cells; expected {len(header)}", raw)
    filled = {name: _unprotect(cell) for name, cell in zip(header, cells, strict=True) if cell and name not in REMARKS}
    try:
        "".join(filled.values()).encode()
        values: dict[str, Any] = dict(filled)
        values["proposed"] = tuple(map(_parse_proposal, _split(filled.get("proposed", ""))))
        values["rejected"] = tuple(_split(filled.get("rejected", "")))
        origin = {name: values.pop(f"source_{name}", "") for name in ("file", "line", "record")}
        if origin["file"]:
            place = {"file": origin["file"], "line": origin["line"] or 0, "record_id": origin["record"]}
            values["source"] = place
        return _annotation(AnnotationRow.model_validate(values, strict=False), source)
    except UnicodeEncodeError:
        return Rejected(source, "the row is not UTF-8")
    except ValidationError as error:
        return Rejected(source, _reason(error), raw)
    except ValueError as error:
        return Rejected(source, str(error), raw)


def _split(cell: str) -> list[str]:
    return [part for part in cell.split(_SEPARATOR) if part]


def _parse_proposal(text: str) -> dict[str, Any]:
    match = _SCORED.fullmatch(text)
    if match is None:
        raise ValueError("a proposed concept is not written as ID or ID (SCORE)")
    return {"concept_id": match["id"], "score": match["score"] and float(match["score"])}


def _cells(annotation: Annotation) -> tuple[str | int | None, ...]:
    return (
        annotation.doc_id,
        annotation.start,
        annotation.end,
        annotation.surface,
        annotation.verdict.value,
        annotation.concept_id,
        annotation.expanded,
        annotation.section,
        annotation.text,
        join_proposed(annotation.proposed),
        _SEPARATOR.join(annotation.rejected),
        annotation.annotator,
        None if annotation.time is None else annotation.time.isoformat(),
        annotation.release,
        annotation.ontology_version,
        annotation.doc_hash,
        *annotation.context,
        "yes" if annotation.adjudicator else "",
        annotation.tool,
        annotation.source.file,
        annotation.source.line,
        annotation.source.record_id,
    )


def join_proposed(proposed: Iterable[Proposal]) -> str:
    """Proposals as the cell of a table has them."""
    return _SEPARATOR.join(p.concept_id if p.score is None else f"{p.concept_id} ({p.score})" for p in proposed)


def protect(cell: str) -> str:
    """The cell as :func:`guard` has it, so that :func:`_unprotect` can tell a guarded cell from one with a ``'``."""
    return f"'{cell}" if cell.startswith("'") else guard(cell)


def _unprotect(cell: str) -> str:
    inner = cell[1:]
    return inner if cell.startswith("'") and (inner.startswith("'") or guard(inner) != inner) else cell


def _csv_line(cells: Sequence[str]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(cells)
    return line.getvalue().encode(errors="replace").decode()


def _proposal(proposal: Proposal) -> dict[str, Any]:
    has_score = proposal.score is not None and isfinite(proposal.score)
    return {"concept_id": proposal.concept_id} | ({"score": proposal.score} if has_score else {})


def _source_row(source: Source) -> dict[str, Any]:
    return {"file": source.file, "line": source.line, "record_id": source.record_id}


def _pack(row: object) -> str:
    packed = json.dumps(row, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return packed.translate(_LINE_BREAKS)

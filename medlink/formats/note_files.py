"""Notes within one open file: plain text, JSON Lines, CSV and Parquet, each row checked on its own."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal

from medlink.errors import NoteReadError, SettingError
from medlink.formats.lines import BOM, RecordLines, read_lines
from medlink.records import Document

_CONVERT = "Convert it first, for example with: iconv -f WINDOWS-1252 -t UTF-8"
_PARQUET_BATCH = 64  # rows decoded at a time; a note may have megabytes


@dataclass(frozen=True, slots=True)
class NoteOptions:
    """How files of notes are read.

    :param text_field: the field or column that holds a note's text.
    :param id_field: the field or column that holds its id, text or a whole number.
    :param max_bytes: the largest text file, JSON line or CSV record that is read.
    :param stdin_format: what standard input holds.
    """

    text_field: str = "text"
    id_field: str = "id"
    max_bytes: int = 20_000_000
    stdin_format: Literal["txt", "jsonl", "csv"] = "txt"

    def __post_init__(self) -> None:
        if self.max_bytes < 1:
            raise SettingError(
                "no note could be read", where="max_bytes", expected="at least 1", got=str(self.max_bytes)
            )
        if self.stdin_format not in ("txt", "jsonl", "csv"):
            raise SettingError(
                "no such format", where="stdin_format", expected="txt, jsonl or csv", got=repr(self.stdin_format)
            )


@dataclass(frozen=True, slots=True)
class Located:
    """A note and the place it comes from: file, and line or row."""

    where: str
    document: Document


Reader = Callable[[BinaryIO, str, str, NoteOptions], Iterator[Located | NoteReadError]]


def printable(path: str | Path) -> str:
    """The path in characters that can be printed, whatever bytes the file system holds."""
    return str(path).encode(errors="backslashreplace").decode()


def read_text(stream: BinaryIO, where: str, doc_id: str, options: NoteOptions) -> Iterator[Located | NoteReadError]:
    """The file as one note with the id ``doc_id``."""
    data = stream.read(options.max_bytes + 1)
    if len(data) > options.max_bytes:
        yield _too_large(where, options.max_bytes)
        return
    try:
        text = data.removeprefix(BOM).decode()
    except UnicodeDecodeError as error:
        yield NoteReadError("not UTF-8", where=f"{where}, byte {error.start}", hint=_CONVERT)
        return
    yield _check(where, doc_id, text, options)


def read_jsonl(stream: BinaryIO, where: str, doc_id: str, options: NoteOptions) -> Iterator[Located | NoteReadError]:
    """A note per line that is not blank; ``doc_id`` is not used."""
    for number, line in enumerate(read_lines(stream, options.max_bytes), start=1):
        place = f"{where}:{number}"
        if line.n_bytes > options.max_bytes:
            yield _too_large(place, options.max_bytes)
        elif line.data.strip():
            yield _parse_json(place, line.data.rstrip(), options)


def _parse_json(where: str, line: bytes, options: NoteOptions) -> Located | NoteReadError:
    try:
        row = json.loads(line.decode())
    except UnicodeDecodeError as error:
        return NoteReadError("not UTF-8", where=f"{where}, byte {error.start}", hint=_CONVERT)
    except json.JSONDecodeError as error:
        return NoteReadError(f"broken JSON: {error.msg}", where=f"{where}, column {error.colno}")
    except (ValueError, RecursionError):
        return NoteReadError("JSON with a number too long or nesting too deep", where=where)
    if not isinstance(row, dict):
        return NoteReadError("no JSON object", where=where, expected="one object per line")
    for field in (options.id_field, options.text_field):
        if field not in row:
            return NoteReadError(f"no field {field!r}", where=where, got=f"fields {', '.join(map(repr, row))}")
    return _check(where, row[options.id_field], row[options.text_field], options)


def read_csv(stream: BinaryIO, where: str, doc_id: str, options: NoteOptions) -> Iterator[Located | NoteReadError]:
    """A note per row of a comma-separated table with a header (RFC 4180); ``doc_id`` is not used."""
    lines = RecordLines(read_lines(stream, options.max_bytes), options.max_bytes)
    csv.field_size_limit(max(csv.field_size_limit(), options.max_bytes))  # 131,072 by default, less than a long note
    rows = csv_rows(lines, where, options.max_bytes)
    header = next(rows, (where, []))
    if isinstance(header, NoteReadError):
        yield header
        return
    columns = header[1]
    missing = [repr(field) for field in (options.id_field, options.text_field) if field not in columns]
    if missing:
        # The columns are counted and not named: without a header they are a patient's note.
        yield NoteReadError(
            f"no column {' and no column '.join(missing)}", where=where, got=f"{len(columns)} other columns in line 1"
        )
        return
    id_at, text_at = columns.index(options.id_field), columns.index(options.text_field)
    for row in rows:
        if isinstance(row, NoteReadError):
            yield row
        elif len(row[1]) != len(columns):
            yield NoteReadError(
                "a row of another length", where=row[0], expected=str(len(columns)), got=str(len(row[1]))
            )
        else:
            yield _check(row[0], row[1][id_at], row[1][text_at], options)


def csv_rows(lines: RecordLines, where: str, max_bytes: int) -> Iterator[tuple[str, list[str]] | NoteReadError]:
    """The rows that are not blank, each with its place; a broken one gives an error."""
    reader = csv.reader(lines, strict=True)
    while True:
        place = f"{where}:{reader.line_num + 1}"
        lines.begin_record()
        try:
            row = next(reader, None)
        except csv.Error as error:
            yield NoteReadError(f"broken CSV: {error}", where=place)
            continue
        if lines.is_too_large:
            yield _too_large(place, max_bytes)
        elif row is None:
            return
        elif row:
            yield place, row


def read_parquet(stream: BinaryIO, where: str, doc_id: str, options: NoteOptions) -> Iterator[Located | NoteReadError]:
    """A note per row, read in batches; ``doc_id`` is not used."""
    import pyarrow as pa  # a third of a second, for this format alone
    import pyarrow.parquet as pq

    fields = [options.id_field, options.text_field]
    try:
        file = pq.ParquetFile(stream)
        missing = [repr(field) for field in fields if field not in file.schema_arrow.names]
        if missing:
            known = ", ".join(map(repr, file.schema_arrow.names))
            yield NoteReadError(f"no column {' and no column '.join(missing)}", where=where, got=f"columns {known}")
            return
        n_rows = 0
        for batch in file.iter_batches(batch_size=_PARQUET_BATCH, columns=fields):
            for doc_id_value, text in zip(batch.column(fields[0]), batch.column(fields[1]), strict=True):
                n_rows += 1
                yield _check_scalars(f"{where}, row {n_rows}", doc_id_value, text, options)
    except pa.ArrowException as error:
        yield NoteReadError(f"broken Parquet ({type(error).__name__})", where=where)


def _check_scalars(where: str, doc_id: object, text: object, options: NoteOptions) -> Located | NoteReadError:
    try:
        return _check(where, doc_id.as_py(), text.as_py(), options)  # type: ignore[attr-defined]
    except UnicodeDecodeError:
        return NoteReadError("not UTF-8", where=where)


def _check(where: str, doc_id: object, text: object, options: NoteOptions) -> Located | NoteReadError:
    """The note, or what is wrong with its id or text."""
    if isinstance(doc_id, int) and not isinstance(doc_id, bool):
        doc_id = str(doc_id)
    if not isinstance(doc_id, str) or not doc_id:
        return NoteReadError("no id", where=where, expected="text or a whole number", got=type(doc_id).__name__)
    if not isinstance(text, str):
        return NoteReadError("no text", where=where, expected="a string", got=type(text).__name__)
    try:
        doc_id.encode()
        n_bytes = len(text.encode())
    except UnicodeEncodeError:  # half a surrogate pair: an undecodable byte of a file or its name, or a JSON escape
        return NoteReadError("not UTF-8", where=where, hint=_CONVERT)
    if n_bytes > options.max_bytes:
        return _too_large(where, options.max_bytes)
    if not text.strip():
        return NoteReadError("the note is empty", where=where)
    return Located(where, Document(doc_id, text))


def _too_large(where: str, max_bytes: int) -> NoteReadError:
    return NoteReadError("too large for one note", where=where, expected=f"at most {max_bytes:,} bytes")


READERS: dict[str, Reader] = {".txt": read_text, ".jsonl": read_jsonl, ".csv": read_csv, ".parquet": read_parquet}

"""JSON that others wrote, as records: lines or the items of an array, each parsed on its own."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NoReturn

from medlink.errors import CorpusFormatError
from medlink.formats.batch_files import READ_ERRORS, BatchFile, Limits
from medlink.formats.lines import BOM, read_lines
from medlink.records import Rejected, Source

RAW_LIMIT = 100_000
_MAX_OFFSET = 2**31
_SPACE = re.compile(r"[ \t\n\r]*")
_MAYBE_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_CONVERT = "convert it to UTF-8 first, for example with: iconv -f WINDOWS-1252 -t UTF-8"


@dataclass(frozen=True, slots=True)
class JsonRecord:
    """A record and where it starts.

    :param raw: as the file has it; empty where it is longer than :data:`RAW_LIMIT`.
    """

    source: Source
    value: Any
    raw: str


def decode(data: bytes) -> str:
    """The text of UTF-8 bytes, with or without byte order mark.

    :raises CorpusFormatError: when they are something else.
    """
    try:
        return data.removeprefix(BOM).decode()
    except UnicodeDecodeError as error:
        raise CorpusFormatError(f"not UTF-8 at byte {error.start}: {_CONVERT}") from None


def parse_json(text: str) -> Any:  # noqa: ANN401 - any JSON
    """The value of a JSON text.

    :raises CorpusFormatError: when it is broken, too deep, holds a number too long, or half a surrogate pair.
    """
    value, end = _parse_at(text, _skip(text, 0))
    if _skip(text, end) < len(text):
        raise CorpusFormatError("broken JSON: more behind its end")
    return value


def read_json(file: BatchFile, limits: Limits) -> Any:  # noqa: ANN401 - any JSON
    """The value that a whole file holds.

    :raises CorpusFormatError: as :func:`parse_json` does, and when the file cannot be read.
    """
    return parse_json(decode(file.read(limits.file_bytes)))


def json_records(file: BatchFile, limits: Limits) -> Iterator[JsonRecord | Rejected]:
    """The records of a file: the items of its array when it starts with ``[``, else one a line.

    A broken line costs that line. In an array everything before the first broken item is kept. Lines are read in
    constant memory.
    """
    try:
        with file.open() as stream:
            head = stream.read(1024).removeprefix(BOM).lstrip()
        if head.startswith(b"["):
            yield from _items(file, limits)
        else:
            yield from _lines(file, limits)
    except CorpusFormatError as error:
        yield Rejected(Source(file.name), str(error))
    except READ_ERRORS as error:
        yield Rejected(Source(file.name), f"the file cannot be read ({type(error).__name__})")


def _lines(file: BatchFile, limits: Limits) -> Iterator[JsonRecord | Rejected]:
    with file.open() as stream:
        for number, line in enumerate(read_lines(stream, limits.line_bytes), start=1):
            source = Source(file.name, number)
            if line.n_bytes > limits.line_bytes:
                yield Rejected(source, f"a line of {line.n_bytes:,} bytes, at most {limits.line_bytes:,} are read")
            elif line.data.strip():
                yield _parse_line(source, line.data)


def _parse_line(source: Source, data: bytes) -> JsonRecord | Rejected:
    text = ""
    try:
        text = decode(data).strip()
        return JsonRecord(source, parse_json(text), shorten(text))
    except CorpusFormatError as error:
        return Rejected(source, str(error), shorten(text))


def _items(file: BatchFile, limits: Limits) -> Iterator[JsonRecord | Rejected]:
    text = decode(file.read(limits.file_bytes))
    at = _skip(text, text.index("[") + 1)
    line, counted = 1, 0
    while text[at : at + 1] != "]":
        line, counted = line + text.count("\n", counted, at), at
        source = Source(file.name, line)
        try:
            value, end = _parse_at(text, at)
        except CorpusFormatError as error:
            yield Rejected(source, f"{error}; the rest of the file is left out", shorten(text[at:]))
            return
        yield JsonRecord(source, value, shorten(text[at:end]))
        at = _skip(text, end)
        if text[at : at + 1] == ",":
            at = _skip(text, at + 1)
        elif text[at : at + 1] != "]":
            yield Rejected(Source(file.name, line), "broken JSON: the array has no end, or no comma between two items")
            return


def _parse_at(text: str, at: int) -> tuple[Any, int]:
    try:
        value, end = _DECODER.raw_decode(text, at)
    except json.JSONDecodeError as error:
        raise CorpusFormatError(f"broken JSON: {error.msg} (line {error.lineno}, column {error.colno})") from None
    except (ValueError, RecursionError):
        raise CorpusFormatError("JSON with a number too long, no number, or nesting too deep") from None
    if _MAYBE_SURROGATE.search(text, at, end):
        try:
            json.dumps(value, ensure_ascii=False).encode()
        except (UnicodeEncodeError, RecursionError):
            raise CorpusFormatError("JSON that escapes half a surrogate pair") from None
    return value, end


def _skip(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    return match.end() if match else at


def _refuse(constant: str) -> NoReturn:
    raise ValueError(constant)


_DECODER = json.JSONDecoder(parse_constant=_refuse)


def shorten(raw: str) -> str:
    """The record for quarantine; empty where it is too large."""
    return raw if len(raw) <= RAW_LIMIT else ""


def as_object(value: object, what: str = "the record") -> Mapping[str, Any]:
    """The value as a JSON object.

    :raises CorpusFormatError: when it is none.
    """
    if not isinstance(value, dict):
        raise CorpusFormatError(f"{what} is no JSON object", got=type(value).__name__)
    return value


def list_of(row: Mapping[str, Any], key: str) -> list[Any]:
    """The list under a key; an empty one where the key is missing or null.

    :raises CorpusFormatError: when something else is there.
    """
    value = row.get(key)
    if value is None:
        return []
    if not isinstance(value, list | tuple):
        raise CorpusFormatError(f"{key!r} is no list", got=type(value).__name__)
    return list(value)


def offset_of(row: Mapping[str, Any], key: str) -> int:
    """The whole number under a key.

    :raises CorpusFormatError: when there is none.
    """
    return as_offset(row.get(key), key)


def as_offset(value: object, key: str) -> int:
    """The value as an offset; ``12.0`` is one, too.

    :raises CorpusFormatError: when it is no whole number, or larger than any text.
    """
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool):
        raise CorpusFormatError(f"{key!r} is no whole number", got=type(value).__name__)
    if abs(value) > _MAX_OFFSET:
        raise CorpusFormatError(f"{key!r} is larger than any text")
    return value


def text_of(row: Mapping[str, Any], *keys: str) -> str:
    """The first text or whole number under one of the keys, as text; empty where there is none."""
    for key in keys:
        value = row.get(key)
        if isinstance(value, str) and value:
            return value
        if isinstance(value, int) and not isinstance(value, bool) and abs(value) < _MAX_OFFSET**2:
            return str(value)
    return ""


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

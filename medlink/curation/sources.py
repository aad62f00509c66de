"""Annotation files by format: which reader a file needs, told from its content."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from medlink.curation.intake import Incoming
from medlink.errors import UnknownNameError
from medlink.formats.annotation_jsonl import read_annotation_csv, read_annotation_jsonl
from medlink.formats.lines import BOM
from medlink.formats.note_files import printable
from medlink.records import Annotation, Rejected, Source
from medlink.store.artifacts import file_sha256

AUTO = "auto"
_HEAD_BYTES = 4096

READERS: dict[str, Callable[[BinaryIO, str], Iterator[Annotation | Rejected]]] = {
    "jsonl": read_annotation_jsonl,
    "csv": read_annotation_csv,
}


def open_incoming(path: Path, *, format: str = AUTO) -> Incoming:
    """A file with its hash and its records, which are read as they are asked for.

    One that cannot be read holds a single record, the reason, so that the others of a batch are taken in all the same.

    :param format: a key of :data:`READERS`; by default the content tells.
    :raises UnknownNameError: when no format has that name.
    """
    if format != AUTO and format not in READERS:
        raise UnknownNameError("no such format of annotations", expected=", ".join((AUTO, *READERS)), got=repr(format))
    name = printable(path)
    try:
        return Incoming(name, file_sha256(path), _records(path, name, format))
    except OSError as error:
        return Incoming(name, "", (_unreadable(name, error),))


def _records(path: Path, name: str, format: str) -> Iterator[Annotation | Rejected]:
    try:
        with path.open("rb") as stream:
            chosen = _detect(stream.read(_HEAD_BYTES)) if format == AUTO else format
            stream.seek(0)
            yield from READERS[chosen](stream, name)
    except OSError as error:
        yield _unreadable(name, error)


def _unreadable(name: str, error: OSError) -> Rejected:
    return Rejected(Source(name), f"the file cannot be read: {error.strerror or type(error).__name__}")


def _detect(head: bytes) -> str:
    """The format that a file's beginning shows."""
    return "jsonl" if head.removeprefix(BOM).lstrip().startswith(b"{") else "csv"

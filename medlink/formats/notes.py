"""Notes from files, folders, globs and standard input, one at a time."""

from __future__ import annotations

import glob
import logging
import os
import re
import stat
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from medlink.errors import NoteReadError
from medlink.formats.note_files import READERS, Located, NoteOptions, printable
from medlink.formats.seen_ids import SeenIds
from medlink.records import Document

logger = logging.getLogger(__name__)

STDIN = "-"
_MAGIC = re.compile(r"[*?\[]")
_KNOWN = ", ".join(READERS)


@dataclass(frozen=True, slots=True)
class _NoteFile:
    """A file of notes and the document id that a plain text file gets."""

    path: Path
    doc_id: str


def read_notes(
    sources: Sequence[str], *, options: NoteOptions, stdin: BinaryIO | None = None
) -> Iterator[Document | NoteReadError]:
    """The notes of all sources in their order, and in place of each that cannot be read the reason.

    A source is a file, a folder (read with all its subfolders in order of names; hidden files, and files of other
    kinds, are passed over), a glob pattern (``**`` included; matches in order of names), or ``-`` for standard input.
    A name that exists is never taken for a pattern.

    - ``.txt`` is one note. Its id is the path without suffix, relative to the given folder, or to the part of the
      pattern before its first wildcard; for a file given by name it is the file's name; for standard input ``stdin``.
    - ``.jsonl``, ``.csv`` (with a header) and ``.parquet`` have a note per row; the options name the fields.

    The text is untouched: line ends stay, and only a byte order mark before the first character is no part of it.
    Memory is constant but for 16 bytes a note, which tell duplicates: a second note with an id is an error.
    An unreadable, empty or gigantic note, one that is not UTF-8, a broken row, a missing field: each gives one error
    that names file and line, and reading goes on behind it.

    :param stdin: the binary stream that ``-`` stands for, standard input by default.
    """
    seen = SeenIds()
    for source in sources:
        for item in _read_source(source, options, stdin):
            if isinstance(item, NoteReadError):
                yield item
            elif not seen.add(item.document.id):
                yield NoteReadError(
                    f"a second note with the id {item.document.id!r}",
                    where=item.where,
                    hint="Ids must differ within a run; for files of the same name, give the folder above them.",
                )
            else:
                yield item.document


def _read_source(source: str, options: NoteOptions, stdin: BinaryIO | None) -> Iterator[Located | NoteReadError]:
    if source == STDIN:
        yield from _read_stream(
            stdin or sys.stdin.buffer, _NoteFile(Path("stdin"), "stdin"), f".{options.stdin_format}", options
        )
        return
    for file in _find_files(source):
        if isinstance(file, NoteReadError):
            yield file
            continue
        try:
            if not stat.S_ISREG(file.path.stat().st_mode):  # reading a pipe could wait for ever
                yield NoteReadError("no regular file", where=printable(file.path))
                continue
            with file.path.open("rb") as stream:
                yield from _read_stream(stream, file, file.path.suffix.lower(), options)
        except OSError as error:
            yield _unreadable(file.path, error)


def _read_stream(
    stream: BinaryIO, file: _NoteFile, suffix: str, options: NoteOptions
) -> Iterator[Located | NoteReadError]:
    return READERS[suffix](stream, printable(file.path), file.doc_id, options)


def _unreadable(path: str | Path, error: OSError) -> NoteReadError:
    return NoteReadError(f"cannot be read: {error.strerror or type(error).__name__}", where=printable(path))


def _find_files(source: str) -> Iterator[_NoteFile | NoteReadError]:
    """The files of notes that a source names, or why there are none."""
    path = Path(source)
    if os.path.lexists(path):
        if os.path.isdir(path):
            yield from _or_nothing(_walk(path, path), source)
        elif path.suffix.lower() in READERS:
            yield _NoteFile(path, path.stem)
        else:
            yield NoteReadError("not a kind of file that holds notes", where=printable(path), expected=_KNOWN)
    elif _MAGIC.search(source):
        yield from _or_nothing(_match(source), source)
    else:
        yield NoteReadError("no such file or folder", where=printable(path))


def _or_nothing(files: Iterable[_NoteFile | NoteReadError], source: str) -> Iterator[_NoteFile | NoteReadError]:
    """The files, or an error where there is none."""
    n_files = 0
    for n_files, file in enumerate(files, start=1):  # noqa: B007 - read behind the loop
        yield file
    if not n_files:
        yield NoteReadError("no notes found", where=printable(source), expected=f"files that end in {_KNOWN}")


def _match(pattern: str) -> Iterator[_NoteFile | NoteReadError]:
    literal = Path(*_leading_literals(Path(pattern).parts))
    for match in sorted(glob.iglob(pattern, recursive=True)):
        path = Path(match)
        if os.path.isdir(path):
            if "**" not in pattern:  # which matches what is in the folder, too
                yield from _walk(path, literal)
        elif path.suffix.lower() in READERS:
            yield _NoteFile(path, _relative_id(path, literal))


def _leading_literals(parts: Iterable[str]) -> Iterator[str]:
    for part in parts:
        if _MAGIC.search(part):
            return
        yield part


def _walk(folder: Path, root: Path) -> Iterator[_NoteFile | NoteReadError]:
    """The files of notes below the folder in order of names; a folder behind a symbolic link is not entered."""
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        yield _unreadable(folder, error)
        return
    n_others = 0
    for entry in entries:
        path = Path(entry.path)
        if entry.name.startswith("."):
            continue
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(path, root)
        elif path.suffix.lower() in READERS:
            yield _NoteFile(path, _relative_id(path, root))
        else:
            n_others += 1
    if n_others:
        logger.info("%s: passed over %d files that are no notes", printable(folder), n_others)


def _relative_id(path: Path, root: Path) -> str:
    return path.relative_to(root).with_suffix("").as_posix()

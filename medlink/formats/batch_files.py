"""The files of an annotation batch: a file, a folder or a zip archive, opened without trusting any of them."""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, cast

from medlink.errors import CorpusFormatError
from medlink.formats.note_files import printable
from medlink.records import Rejected, Source

AnyPath = Path | zipfile.Path
_ZIP_MAGIC = (b"PK\x03\x04", b"PK\x05\x06")
_DRIVE = re.compile(r"[A-Za-z]:")
# INCEpTION's project archives hold an archive per annotator; nothing holds an archive in that again.
_MAX_NESTING = 2
_MAX_MEMBERS = 100_000
# Text shrinks to a tenth. A larger member that shrinks to a hundredth holds no annotations.
_SUSPECT_BYTES, _SUSPECT_RATIO = 10_000_000, 100
#: What reading a damaged file or archive raises.
READ_ERRORS = (OSError, zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError)
# What a library that checks little raises on bytes whose parts do not fit each other.
PARSE_ERRORS = (ArithmeticError, AssertionError, AttributeError, LookupError, RecursionError, TypeError, ValueError)


@dataclass(frozen=True, slots=True)
class Limits:
    """How much is read at most.

    :param line_bytes: of one line of a file that is read by lines.
    :param file_bytes: of a file that is read whole, and of all that an archive holds.
    """

    line_bytes: int = 20_000_000
    file_bytes: int = 1_000_000_000


@dataclass(frozen=True, slots=True)
class BatchFile:
    """One file of a batch, on disk or in an archive.

    :param name: as the user gave it; a member of a folder or archive behind the name of that.
    :param inner: its path within the folder or archive, without suffix, ``/`` between folders; a lone file's stem.
    """

    name: str
    inner: str
    path: AnyPath

    @property
    def in_archive(self) -> bool:
        """Whether it is a member of a zip archive."""
        return isinstance(self.path, zipfile.Path)

    def open(self) -> BinaryIO:
        """A binary stream of its content.

        :raises CorpusFormatError: when it cannot be opened.
        """
        try:
            return cast("BinaryIO", self.path.open("rb"))
        except READ_ERRORS as error:
            raise CorpusFormatError("the file cannot be opened", got=type(error).__name__) from None

    def read(self, limit: int) -> bytes:
        """Its content.

        :raises CorpusFormatError: when it cannot be read, or has more than ``limit`` bytes.
        """
        try:
            with self.open() as stream:
                data = stream.read(limit + 1)
        except READ_ERRORS as error:
            raise CorpusFormatError("the file cannot be read", got=type(error).__name__) from None
        if len(data) > limit:
            raise CorpusFormatError("the file is too large to be read whole", expected=f"at most {limit:,} bytes")
        return data

    def sibling(self, name: str) -> BatchFile | None:
        """The file of that name in the same folder, if there is one."""
        folder = cast("AnyPath", self.path.parent)
        path = folder / name
        if not path.is_file():
            return None
        head = self.name.rpartition("/")[0]
        return replace(self, name=f"{head}/{name}" if head else name, path=path)


def find_batch_files(path: Path, limits: Limits, *, first: str = "") -> Iterator[BatchFile | Rejected]:
    """The files that a path names, in order of names, and in place of what cannot be opened the reason.

    A folder is walked with all its subfolders, a zip archive likewise, wherever it lies; archives within archives are
    opened once. Hidden files and symbolic links to folders are passed over. An archive is refused whole when a member's
    name is absolute or holds ``..``, when it holds more than :class:`Limits` allows, or when it is so densely packed
    that it can only be a bomb. Nothing is unpacked to disk.

    :param first: the name of a file that comes before all others of its folder, even where it is hidden.
    """
    name = printable(path)
    finder = _Finder(limits, first)
    if path.is_dir():
        yield from finder.walk(path, name, "")
    elif path.is_file():
        yield from finder.open(BatchFile(name, printable(path.stem), path), "", 0)
    else:
        yield Rejected(Source(name), "no such file or folder")


@dataclass(slots=True)
class _Finder:
    """A walk through folders and archives.

    :param n_unpacked: the bytes of all archives opened so far.
    """

    limits: Limits
    first: str
    n_unpacked: int = 0

    def walk(self, folder: Path, name: str, inner: str) -> Iterator[BatchFile | Rejected]:
        """The files in and below a folder."""
        try:
            entries = sorted(folder.iterdir(), key=lambda entry: (entry.name != self.first, entry.name))
        except OSError as error:
            yield Rejected(Source(name), f"cannot be read: {error.strerror or type(error).__name__}")
            return
        for entry in entries:
            label = printable(entry.name)
            if self._is_hidden(entry.name):
                continue
            if entry.is_file():  # a pipe could let us wait for ever
                yield from self.open(BatchFile(f"{name}/{label}", inner + _stem(label), entry), inner, 0)
            elif entry.is_dir() and not entry.is_symlink():
                yield from self.walk(entry, f"{name}/{label}", f"{inner}{label}/")

    def _is_hidden(self, name: str) -> bool:
        return name.startswith((".", "__MACOSX")) and name != self.first

    def open(self, file: BatchFile, inner: str, nesting: int) -> Iterator[BatchFile | Rejected]:
        """The file itself, or what is in it when it is an archive."""
        try:
            with file.open() as stream:
                magic = stream.read(4)
        except (CorpusFormatError, *READ_ERRORS):
            yield Rejected(Source(file.name), "the file cannot be opened")
            return
        if magic not in _ZIP_MAGIC:
            yield file
        elif nesting >= _MAX_NESTING:
            yield Rejected(Source(file.name), "an archive within an archive within an archive is not opened")
        else:
            yield from self._open_archive(file, inner, nesting)

    def _open_archive(self, file: BatchFile, inner: str, nesting: int) -> Iterator[BatchFile | Rejected]:
        try:
            source = file.path if isinstance(file.path, Path) else io.BytesIO(file.read(self.limits.file_bytes))
            with zipfile.ZipFile(source) as archive:
                problem = self._problem(archive.infolist())
                if problem:
                    yield Rejected(Source(file.name), f"refused: {problem}")
                    return
                # INCEpTION names an archive in an archive for the annotator.
                below = f"{file.inner}/" if nesting or inner else ""
                for member in self._members(archive):
                    name = printable(member)
                    folder, slash, leaf = name.rpartition("/")
                    inside = f"{below}{folder}{slash}"
                    found = BatchFile(f"{file.name}/{name}", inside + _stem(leaf), zipfile.Path(archive, member))
                    yield from self.open(found, inside, nesting + 1)
        except (CorpusFormatError, ValueError, *READ_ERRORS) as error:
            yield Rejected(Source(file.name), f"a broken archive ({type(error).__name__})")

    def _members(self, archive: zipfile.ZipFile) -> list[str]:
        """The names of the files in an archive, folder by folder."""
        split = [member.filename.rpartition("/") for member in archive.infolist() if not member.is_dir()]
        split.sort(key=lambda parts: (parts[0], parts[2] != self.first, parts[2]))
        return [
            f"{folder}{slash}{leaf}"
            for folder, slash, leaf in split
            if not any(map(self._is_hidden, (*folder.split("/"), leaf)))
        ]

    def _problem(self, members: Sequence[zipfile.ZipInfo]) -> str:
        """Why the archive is not opened; empty when it is."""
        if len(members) > _MAX_MEMBERS:
            return f"an archive of more than {_MAX_MEMBERS:,} files"
        self.n_unpacked += sum(member.file_size for member in members)
        if self.n_unpacked > self.limits.file_bytes:
            return f"unpacked, the archives would have more than {self.limits.file_bytes:,} bytes"
        for member in members:
            parts = member.filename.replace("\\", "/").removesuffix("/").split("/")
            if {"", ".", ".."}.intersection(parts) or _DRIVE.match(parts[0]):
                return "the archive holds a path that leaves its folder"
            if member.file_size > max(_SUSPECT_BYTES, _SUSPECT_RATIO * member.compress_size):
                return "the archive is packed like a zip bomb"
        return ""


def _stem(name: str) -> str:
    """The name without its suffix, the whole of a hidden one."""
    return name.rpartition(".")[0] or name

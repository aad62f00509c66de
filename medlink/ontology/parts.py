"""A release of an ontology that is several files: a folder, a zip archive or one file, read as streams."""

from __future__ import annotations

import csv
import gzip
import hashlib
import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, NamedTuple, cast

from medlink.errors import OntologyFormatError
from medlink.ontology.source import GZIP_MAGIC, decode_line, hash_file, readable

# NLM packs the Metathesaurus into zip archives that it calls .nlm.
ARCHIVES = (".zip", ".nlm")
# A file may be gzipped, and split: MRCONSO.RRF.aa.gz, MRCONSO.RRF.ab.gz, …
_PACKED = r"(?:\.(?P<part>[a-z]{2}))?(?:\.gz)?"
_PIECE = 1 << 20
# The earliest time that a zip archive can hold: equal files make equal archives.
_EPOCH = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True, slots=True, order=True)
class Part:
    """One stored file: on disk, or a member of an archive.

    :param folder: where it is inside of the release, with ``/`` between names.
    :param name: its file name.
    :param container: the archive that holds it, or the file itself.
    :param member: its name in the archive; empty for a file on disk.
    """

    folder: str
    name: str
    container: Path
    member: str = ""

    def __str__(self) -> str:
        return f"{self.container}/{self.member}" if self.member else str(self.container)

    @contextmanager
    def open(self) -> Iterator[BinaryIO]:
        """Its content as a stream, unpacked where it is gzipped.

        :raises OntologyFormatError: when it cannot be read.
        """
        with readable(str(self)), ExitStack() as stack:
            raw = self._open_raw(stack)
            packed = raw.read(len(GZIP_MAGIC)) == GZIP_MAGIC
            raw.seek(0)
            yield cast(BinaryIO, stack.enter_context(gzip.GzipFile(fileobj=raw))) if packed else raw

    @contextmanager
    def open_stored(self) -> Iterator[BinaryIO]:
        """Its content as it is stored, gzipped or not.

        :raises OntologyFormatError: when it cannot be read.
        """
        with readable(str(self)), ExitStack() as stack:
            yield self._open_raw(stack)

    def _open_raw(self, stack: ExitStack) -> BinaryIO:
        if not self.member:
            return stack.enter_context(self.container.open("rb"))
        archive = stack.enter_context(zipfile.ZipFile(self.container))
        return cast(BinaryIO, stack.enter_context(archive.open(self.member)))


class Line(NamedTuple):
    """A line of a part, without its end.

    :param part: where it stands; of a line that goes on in the next part, the one where it ends.
    :param number: counted from 1 in each part.
    """

    text: str
    part: Part
    number: int

    @property
    def where(self) -> str:
        """File and line, for messages."""
        return f"{self.part}:{self.number}"


class Release:
    """The files of a release that a reader asks for.

    :param path: a folder, a zip archive, or a single file.
    :param wanted: regular expressions of file names by what the reader calls them, the main file first; a suffix
        ``.gz``, and one such as ``.aa`` before it, may follow. Case does not count.
    :raises OntologyFormatError: when the path cannot be read, or holds a file of one kind in several folders.
    """

    def __init__(self, path: Path, wanted: Mapping[str, str]) -> None:
        self.path = path
        parts = tuple(list_parts(path))
        self._parts: dict[str, tuple[Part, ...]] = {}
        for kind, pattern in wanted.items():
            self._parts[kind] = self._choose(kind, pattern, parts)

    def __contains__(self, kind: str) -> bool:
        return bool(self._parts[kind])

    def need(self, *kinds: str) -> None:
        """Checks that files are there.

        :raises OntologyFormatError: when one of them is not.
        """
        missing = [kind for kind in kinds if kind not in self]
        if missing:
            raise OntologyFormatError(
                "a file of the release is missing",
                where=str(self.path),
                expected=" and ".join(missing),
                hint="Archives inside of an archive are not opened: unpack the outer one, and give its folder.",
            )

    def parts(self, kind: str) -> tuple[Part, ...]:
        """The stored files of one kind, in their order; empty where there is none."""
        return self._parts[kind]

    def lines(self, kind: str) -> Iterator[Line]:
        """The lines of all parts of a file as if it were one; none where it is missing.

        :raises OntologyFormatError: when a part cannot be read or a line is no UTF-8; names the line.
        """
        begun = b""
        for part in self._parts[kind]:
            number = 0
            with part.open() as stream:
                for number, piece in enumerate(stream, start=1):
                    whole, begun = begun + piece, b""
                    if whole.endswith(b"\n"):
                        yield Line(_decode(whole, part, number), part, number)
                    else:
                        begun = whole
        if begun:
            yield Line(_decode(begun, part, number), part, number)

    def tables(self, kind: str, columns: Sequence[str]) -> Iterator[tuple[Line, list[str]]]:
        """The rows of tab-separated files that each begin with a header line; no cell is quoted.

        :param columns: those wanted, as the header names them; case does not count.
        :returns: each row's cells for these columns, in their order.
        :raises OntologyFormatError: when a column is missing, or a row has not as many cells as the header.
        """
        for part in self._parts[kind]:
            places, width = list[int](), 0
            for line in part_lines(part):
                cells = line.text.split("\t")
                if line.number == 1:
                    places, width = find_columns(cells, columns, line.where), len(cells)
                    continue
                if len(cells) != width:
                    raise OntologyFormatError(
                        "the row does not fit the header",
                        where=line.where,
                        expected=f"{width} cells parted by tabs",
                        got=str(len(cells)),
                    )
                yield line, [cells[place] for place in places]

    def csv_tables(self, kind: str, columns: Sequence[str], delimiter: str) -> Iterator[tuple[str, list[str]]]:
        """The rows of files with a header line and quoting as in CSV; a quoted cell may contain line ends.

        :param columns: those wanted, as the header names them; case does not count. One that begins with ``?`` may be
            missing; its cells are then empty.
        :returns: file and line of each row, and its cells for these columns, in their order.
        :raises OntologyFormatError: when a column is missing, a row has not as many cells as the header, or is no CSV.
        """
        for part in self._parts[kind]:
            rows = csv.reader((f"{line.text}\n" for line in part_lines(part)), delimiter=delimiter, strict=True)
            header = _next_row(rows, part) or []
            names = [name.strip().lower() for name in header]
            needed = [column for column in columns if not column.startswith("?") or column[1:].lower() in names]
            found = dict(zip(needed, find_columns(header, [c.lstrip("?") for c in needed], f"{part}:1"), strict=True))
            places = [found.get(column) for column in columns]
            while True:
                where = f"{part}:{rows.line_num + 1}"
                cells = _next_row(rows, part)
                if cells is None:
                    break
                if len(cells) != len(header):
                    raise OntologyFormatError(
                        "the row does not fit the header",
                        where=where,
                        expected=f"{len(header)} cells",
                        got=str(len(cells)),
                    )
                yield where, ["" if place is None else cells[place] for place in places]

    @property
    def sha256(self) -> str:
        """The sha256 in hexadecimal: of a single file or archive itself, of a folder of the files that are used."""
        return hash_release(self) if self.path.is_dir() else hash_file(self.path)

    def used(self) -> tuple[Part, ...]:
        """All parts that a reader can ask for."""
        return tuple(sorted(part for parts in self._parts.values() for part in parts))

    def _choose(self, kind: str, pattern: str, parts: Sequence[Part]) -> tuple[Part, ...]:
        """The parts of one kind in one folder: that of the first kind, else the one that is nearest to the top."""
        expression = re.compile(f"(?:{pattern}){_PACKED}", re.IGNORECASE)
        found = [part for part in parts if expression.fullmatch(part.name)]
        main = next((chosen[0].folder for chosen in self._parts.values() if chosen), None)
        folders = {part.folder for part in found}
        if main not in folders and folders:
            depth = min(map(_depth, folders))
            nearest = sorted(folder for folder in folders if _depth(folder) == depth)
            if len(nearest) > 1:
                raise OntologyFormatError(
                    "several releases in one place",
                    where=str(self.path),
                    expected=f"files {kind} in one folder",
                    got=", ".join(folder or "." for folder in nearest),
                    hint="Name the folder of one release.",
                )
            main = nearest[0]
        return tuple(sorted(part for part in found if part.folder == main))


def list_parts(path: Path) -> Iterator[Part]:
    """All stored files of a release: those of a folder and of the archives in it, or of an archive, or the one file.

    :raises OntologyFormatError: when the path or an archive cannot be read.
    """
    with readable(str(path)):
        if path.is_dir():
            for file in sorted(path.rglob("*")):
                if file.is_file():
                    yield from _parts_of_file(file, file.parent.relative_to(path).as_posix().removeprefix("."))
        else:
            yield from _parts_of_file(path, "")


def _parts_of_file(file: Path, folder: str) -> Iterator[Part]:
    if file.suffix.lower() not in ARCHIVES:
        yield Part(folder, file.name, file)
        return
    with readable(str(file)), zipfile.ZipFile(file) as archive:
        for info in archive.infolist():
            if not info.is_dir():
                inside = PurePosixPath(info.filename)
                place = "/".join(filter(None, (folder, inside.parent.as_posix().removeprefix("."))))
                yield Part(place, inside.name, file, info.filename)


def part_lines(part: Part) -> Iterator[Line]:
    """The lines of one part.

    :raises OntologyFormatError: when it cannot be read or a line is no UTF-8; names the line.
    """
    with part.open() as stream:
        for number, line in enumerate(stream, start=1):
            yield Line(_decode(line, part, number), part, number)


def _decode(line: bytes, part: Part, number: int) -> str:
    """As :func:`decode_line`; where a line stands is put into words only if something is wrong with it."""
    try:
        if number > 1:
            return line.decode().rstrip("\r\n")
    except UnicodeDecodeError:
        pass
    return decode_line(line, f"{part}:{number}", first=number == 1)


def _next_row(rows: Any, part: Part) -> list[str] | None:  # noqa: ANN401 - the csv module has no public type for it
    """The next row that is not empty; ``None`` at the end."""
    first_line = rows.line_num + 1
    try:
        return next((cells for cells in rows if any(cells)), None)
    except csv.Error as error:
        raise OntologyFormatError(
            "the row is no CSV", where=f"{part}:{first_line}", expected="cells with closed quotes", got=str(error)
        ) from error


def find_columns(header: Sequence[str], wanted: Sequence[str], where: str) -> list[int]:
    """The places of the wanted columns in a header; case does not count.

    :raises OntologyFormatError: when one is missing.
    """
    names = [name.strip().strip('"').lower() for name in header]
    missing = [column for column in wanted if column.lower() not in names]
    if missing:
        raise OntologyFormatError(
            "the header lacks columns", where=where, expected=", ".join(missing), got=", ".join(header)[:200]
        )
    return [names.index(column.lower()) for column in wanted]


def hash_release(release: Release) -> str:
    """The sha256 over the names and contents of the files that are used, in hexadecimal."""
    digest = hashlib.sha256()
    for part in release.used():
        digest.update(_label(part))
        with part.open_stored() as stream:
            while piece := stream.read(_PIECE):
                digest.update(piece)
    return digest.hexdigest()


def pack_release(release: Release, target: Path) -> str:
    """Writes the files that are used into one zip archive, and returns what :func:`hash_release` gives for them."""
    digest = hashlib.sha256()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for part in release.used():
            info = zipfile.ZipInfo("/".join(filter(None, (part.folder, part.name))), _EPOCH)
            info.compress_type = zipfile.ZIP_STORED if part.name.endswith(".gz") else zipfile.ZIP_DEFLATED
            digest.update(_label(part))
            with part.open_stored() as stream, archive.open(info, "w", force_zip64=True) as copy:
                while piece := stream.read(_PIECE):
                    digest.update(piece)
                    copy.write(piece)
    return digest.hexdigest()


def _label(part: Part) -> bytes:
    """What is hashed of a part before its content."""
    return f"{part.folder}/{part.name}\n".encode()


def _depth(folder: str) -> int:
    return len(PurePosixPath(folder).parts)

"""A release of an ontology that is several files: a folder, a zip archive or one file, read as streams."""

from __future__ import annotations

import csv
import hashlib
import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from medlink.errors import OntologyFormatError
from medlink.ontology.parts import Line, Part, decode, list_parts, part_lines
from medlink.ontology.source import hash_file

# A file may be gzipped, and split: MRCONSO.RRF.aa.gz, MRCONSO.RRF.ab.gz, …
_PACKED = r"(?:\.(?P<part>[a-z]{2}))?(?:\.gz)?"
_PIECE = 1 << 20
# The earliest time that a zip archive can hold: equal files make equal archives.
_EPOCH = (1980, 1, 1, 0, 0, 0)


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
                        yield Line(decode(whole, part, number), part, number)
                    else:
                        begun = whole
        if begun:
            yield Line(decode(begun, part, number), part, number)

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


def _depth(folder: str) -> int:
    return len(PurePosixPath(folder).parts)

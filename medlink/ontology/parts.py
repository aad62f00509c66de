"""The stored files of a release: on disk or inside of archives, plain or gzipped, as streams."""

from __future__ import annotations

import gzip
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO, NamedTuple, cast

from medlink.ontology.source import GZIP_MAGIC, decode_line, readable

# NLM packs the Metathesaurus into zip archives that it calls .nlm.
ARCHIVES = (".zip", ".nlm")


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
            yield Line(decode(line, part, number), part, number)


def decode(line: bytes, part: Part, number: int) -> str:
    """As :func:`decode_line`; where a line stands is put into words only if something is wrong with it."""
    try:
        if number > 1:
            return line.decode().rstrip("\r\n")
    except UnicodeDecodeError:
        pass
    return decode_line(line, f"{part}:{number}", first=number == 1)

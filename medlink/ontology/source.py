"""What every ontology reader returns, and how a source file becomes lines and concepts with their line numbers."""

from __future__ import annotations

import gzip
import hashlib
import logging
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO, Protocol, cast

from medlink.errors import OntologyFormatError
from medlink.records import Concept, Name

logger = logging.getLogger(__name__)

GZIP_MAGIC = b"\x1f\x8b"


@dataclass(frozen=True, slots=True)
class Ontology:
    """An ontology as read from one file or release, or joined from several.

    :param name: its key in the catalogue, such as ``hpo``.
    :param title: its name for people.
    :param version: the release date, or whatever the file gives as its version; ``sha256:…`` where it gives none.
    :param licence: the licence or its address, as the file states it; empty where it does not.
    :param sha256: of the source, in hexadecimal: of a file, or of the files of a folder that are used.
    :param concepts: sorted by id, each id once; obsolete ones included.
    """

    name: str
    title: str
    version: str
    licence: str
    sha256: str
    concepts: Sequence[Concept]

    def __post_init__(self) -> None:
        if not isinstance(self.concepts, tuple):
            return  # stored ones were checked when they were a tuple
        for before, after in pairwise(concept.id for concept in self.concepts):
            if before >= after:
                raise ValueError(f"ontology {self.name!r}: expected sorted, unique ids, got {after!r} after {before!r}")


class OntologyReader(Protocol):
    """One file format of ontologies."""

    def __call__(self, path: Path, *, name: str, show_progress: bool = False) -> Ontology:
        """The ontology in a file, complete or not at all.

        :param name: its key in the catalogue.
        :raises OntologyFormatError: when the file breaks a rule of its format; names the file and the line.
        """


class ConceptCollector:
    """Gathers the concepts of one file and holds the rules that span several of them.

    :param path: the file, for messages.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._concepts: dict[str, Concept] = {}
        self._lines: dict[str, int] = {}

    def add(self, concept: Concept, line: int) -> None:
        """Takes the concept that begins at a line.

        :raises OntologyFormatError: when its id was there before.
        """
        if concept.id in self._lines:
            raise OntologyFormatError(
                "an id comes twice",
                where=f"{self._path}:{line}",
                expected="every id once",
                got=f"{concept.id}, which line {self._lines[concept.id]} has already",
            )
        self._concepts[concept.id] = concept
        self._lines[concept.id] = line

    def sorted_concepts(self) -> tuple[Concept, ...]:
        """All concepts by id; see :func:`sort_concepts`.

        :raises OntologyFormatError: when there is none.
        """
        return sort_concepts(self._concepts, self._path)


def sort_concepts(concepts: Mapping[str, Concept], path: Path) -> tuple[Concept, ...]:
    """All concepts by id; parents that the file does not hold stay in the record and are warned of once.

    :param path: the file, for messages.
    :raises OntologyFormatError: when there is none.
    """
    if not concepts:
        raise OntologyFormatError("no concept found", where=str(path), expected="at least one")
    missing = {parent for concept in concepts.values() for parent in concept.parents if parent not in concepts}
    if missing:
        examples = ", ".join(sorted(missing)[:3])
        logger.warning("%s: parents that are not in the file: %d, such as %s", path.name, len(missing), examples)
    return tuple(concepts[concept_id] for concept_id in sorted(concepts))


def distinct_synonyms(preferred: str, synonyms: Iterable[Name]) -> tuple[Name, ...]:
    """The synonyms without the preferred name, one for each text, by (scope rank, text).

    Of equal texts the most trusted scope stays, and then one that says its kind.
    """
    best: dict[str, Name] = {}
    for synonym in sorted(synonyms, key=lambda n: (n.scope.rank, n.text, not n.kind, n.kind)):
        if synonym.text and synonym.text != preferred:
            best.setdefault(synonym.text, synonym)
    return tuple(best.values())


def tidy(text: str) -> str:
    """The text with every run of white space as one space, none at the ends.

    >>> tidy("  Renal   cyst ")
    'Renal cyst'
    """
    return " ".join(text.split())


def hash_file(path: Path) -> str:
    """The file's sha256 in hexadecimal.

    :raises OntologyFormatError: when it cannot be read.
    """
    with readable(path), path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def read_lines(path: Path) -> Iterator[str]:
    """The lines of a UTF-8 file, plain or gzipped, each with a line feed at its end, without byte order mark.

    :raises OntologyFormatError: when the file cannot be read or a line is no UTF-8; names the line.
    """
    with readable(path), path.open("rb") as raw:
        packed = raw.read(len(GZIP_MAGIC)) == GZIP_MAGIC
        raw.seek(0)
        stream = cast(BinaryIO, gzip.GzipFile(fileobj=raw)) if packed else raw
        for number, line in enumerate(stream, start=1):
            yield decode_line(line, f"{path}:{number}", first=number == 1) + "\n"


def decode_line(line: bytes, where: str, *, first: bool) -> str:
    """A line of a file as text without its end.

    :param where: file and line, for messages.
    :param first: whether it is the file's first line, which may begin with a byte order mark.
    :raises OntologyFormatError: when it is no UTF-8.
    """
    try:
        return line.decode("utf-8-sig" if first else "utf-8").rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise OntologyFormatError(
            "a byte that is no UTF-8",
            where=where,
            expected="text in UTF-8",
            got=f"byte 0x{line[error.start]:02x} at position {error.start + 1} of the line",
        ) from error


@contextmanager
def readable(path: Path | str) -> Iterator[None]:
    """Turns what the system, gzip or zip has against a file into an error that names it.

    :raises OntologyFormatError: instead of theirs.
    """
    try:
        yield
    except (OSError, EOFError, zlib.error, zipfile.BadZipFile) as error:
        raise OntologyFormatError(
            "the file cannot be read",
            where=str(path),
            expected="a readable, complete file",
            got=getattr(error, "strerror", None) or str(error) or type(error).__name__,
        ) from error

"""Corpora in brat's standoff form: a .txt and an .ann file a note, as `medlink link --format brat` writes them."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from urllib.parse import unquote

from medlink.errors import CorpusFormatError
from medlink.evaluation.annotations import Annotation, Corpus, Problem, check_surface
from medlink.records import Document

_SPAN = re.compile(r"(?P<key>T\S*)\t(?P<kind>\S+) (?P<offsets>\d+ \d+(?:;\d+ \d+)*)\t(?P<surface>.*)")
_REFERENCE = re.compile(r"N\S*\tReference (?P<key>T\S+) (?P<id>\S+)(?:\t.*)?")
# Attributes, relations, events, equivalences, notes of people: nothing that says a span or a concept.
_OTHERS = tuple("AMREW*#")


def read_brat(folder: Path) -> Corpus:
    """The notes in and below a folder, with the concepts of their ``N`` lines, ``N1 Reference T1 HP:0001250 …``.

    A note's id is the path of its text without suffix. A ``T`` line without ``N`` line is a span without concept; one
    with several means all of them. A span in pieces reaches from the first to the last. Lines of other kinds are
    passed over; one that fits no form is left out, and a surface that differs from the text at its offsets counts
    where the offsets are. The problems name both.

    Format: https://brat.nlplab.org/standoff.html

    :raises CorpusFormatError: when there is no note, or a file is no UTF-8.
    """
    documents: list[Document] = []
    annotations: list[Annotation] = []
    problems: list[Problem] = []
    for path in sorted(folder.rglob("*.txt")):
        document = Document(path.relative_to(folder).with_suffix("").as_posix(), _read(path))
        documents.append(document)
        annotation_file = path.with_suffix(".ann")
        if not annotation_file.is_file():
            problems.append(Problem(str(path), "a text without .ann file: no gold mention in it", lost=False))
            continue
        annotations.extend(_read_annotations(annotation_file, document, problems))
    if not documents:
        raise CorpusFormatError("there is no note in this folder", where=str(folder), expected=".txt and .ann files")
    return Corpus(tuple(documents), tuple(annotations), tuple(problems))


def _read_annotations(path: Path, document: Document, problems: list[Problem]) -> Iterator[Annotation]:
    spans: dict[str, tuple[str, re.Match[str]]] = {}
    concepts = defaultdict[str, set[str]](set)
    for number, line in enumerate(_read(path).split("\n"), start=1):
        line = line.rstrip("\r")
        where = f"{path}:{number}"
        span, reference = _SPAN.fullmatch(line), _REFERENCE.fullmatch(line)
        if span:
            spans[span["key"]] = (where, span)
        elif reference:
            concepts[reference["key"]].add(unquote(reference["id"]).removeprefix("ID:"))
        elif line.strip() and not line.startswith(_OTHERS):
            problems.append(Problem(where, "a line of another form"))
    yield from _join(document, spans, concepts, problems)


def _join(
    document: Document,
    spans: Mapping[str, tuple[str, re.Match[str]]],
    concepts: Mapping[str, set[str]],
    problems: list[Problem],
) -> Iterator[Annotation]:
    for key, (where, span) in spans.items():
        pieces = [tuple(map(int, piece.split())) for piece in span["offsets"].split(";")]
        start, end = pieces[0][0], pieces[-1][1]
        if start >= end:
            problems.append(Problem(where, "offsets that are no span"))
            continue
        annotation = Annotation(
            document.id, start, end, span["surface"], frozenset(concepts.get(key, ())), span["kind"]
        )
        problems.extend(_check_pieces(annotation, pieces, document, where))
        yield annotation
    problems.extend(
        Problem(f"document {document.id}", f"a concept for {key}, which is no span") for key in concepts.keys() - spans
    )


def _check_pieces(
    annotation: Annotation, pieces: Sequence[tuple[int, ...]], document: Document, where: str
) -> Iterator[Problem]:
    if len(pieces) == 1:
        yield from check_surface(annotation, document, where)
        return
    written = " ".join(document.text[start:end] for start, end in pieces)
    if written.split() != annotation.surface.split():
        yield Problem(where, f"the surface differs from the text at its offsets in document {document.id}", lost=False)


def _read(path: Path) -> str:
    try:
        return path.read_bytes().decode()
    except (OSError, UnicodeDecodeError) as error:
        raise CorpusFormatError("the file cannot be read as UTF-8", where=str(path)) from error

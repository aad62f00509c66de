"""Corpora in the PubTator form (Wei et al. 2013): BC5CDR, NCBI Disease, and what many tools put out."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from medlink.errors import CorpusFormatError
from medlink.evaluation.annotations import Annotation, Corpus, Problem, check_surface, concepts_of
from medlink.records import Document

_TEXT = re.compile(r"(?P<id>[^|\t]+)\|(?P<part>[ta])\|(?P<text>.*)", re.DOTALL)
_SPAN_FIELDS = range(5, 8)  # without an id, with it, and with the parts of a composite
_RELATION_FIELDS = 4


def read_pubtator(path: Path) -> Corpus:
    r"""The records of a file, parted by empty lines: ``id|t|title``, ``id|a|abstract``, then a line a mention.

    A mention's line holds, parted by tabs, document, start, end, surface, type and ids; in a seventh column the parts
    of a composite, which are not needed. ``|`` and ``+`` part ids that are all meant. No id, ``-`` or ``-1`` says that
    there is no concept. Lines of four columns are relations and are passed over. The text is title, one space,
    abstract.

    A document that comes again is left out, as is a line of another form; a surface that differs from the text at its
    offsets counts where the offsets are. The problems name all of them.

    :raises CorpusFormatError: when the file cannot be read as UTF-8 or holds no document.
    """
    documents: dict[str, Document] = {}
    annotations: list[Annotation] = []
    problems: list[Problem] = []
    for record in _records(path):
        document, first_line, spans = _read_document(record, path, problems)
        if document is None:
            continue
        if document.id in documents:
            problems.append(Problem(f"{path}:{first_line}", f"document {document.id} comes again"))
            continue
        documents[document.id] = document
        for where, fields in spans:
            annotation = _read_span(fields, where, document, problems)
            if annotation is not None:
                annotations.append(annotation)
    if not documents:
        raise CorpusFormatError("there is no document in this file", where=str(path), expected="lines id|t|title")
    return Corpus(tuple(documents.values()), tuple(annotations), tuple(problems))


def _records(path: Path) -> Iterator[list[tuple[int, str]]]:
    """The lines of each record with their numbers."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise CorpusFormatError("the file cannot be read as UTF-8", where=str(path)) from error
    record: list[tuple[int, str]] = []
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            record.append((number, line.rstrip("\r")))
        elif record:
            yield record
            record = []
    if record:
        yield record


def _read_document(
    record: Sequence[tuple[int, str]], path: Path, problems: list[Problem]
) -> tuple[Document | None, int, list[tuple[str, list[str]]]]:
    """The document of a record, its first line, and the fields of its other lines with their places."""
    parts: dict[str, str] = {}
    doc_id, spans = "", []
    for number, line in record:
        match = _TEXT.fullmatch(line)
        if match:
            doc_id = doc_id or match["id"].strip()
            parts[match["part"]] = match["text"]
        else:
            spans.append((f"{path}:{number}", line.split("\t")))
    if not parts:
        problems.append(Problem(f"{path}:{record[0][0]}", "lines without a document"))
        return None, record[0][0], []
    text = f"{parts.get('t', '')} {parts.get('a', '')}"
    return Document(doc_id, text), record[0][0], spans


def _read_span(fields: Sequence[str], where: str, document: Document, problems: list[Problem]) -> Annotation | None:
    if len(fields) == _RELATION_FIELDS:
        return None
    well_formed = len(fields) in _SPAN_FIELDS and fields[1].isdecimal() and fields[2].isdecimal()
    if not well_formed or not int(fields[1]) < int(fields[2]):
        problems.append(Problem(where, "a line of another form"))
        return None
    if fields[0].strip() != document.id:
        problems.append(Problem(where, f"a line of another document than {document.id}"))
        return None
    annotation = Annotation(
        doc_id=document.id,
        start=int(fields[1]),
        end=int(fields[2]),
        surface=fields[3],
        concepts=concepts_of(fields[5]) if len(fields) > 5 else frozenset(),
        kind=fields[4].strip(),
    )
    problems.extend(check_surface(annotation, document, where))
    return annotation

"""BioC XML and JSON, in and out."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, BinaryIO

from medlink.errors import CorpusFormatError
from medlink.extras import import_extra
from medlink.formats.batch_files import READ_ERRORS, BatchFile
from medlink.formats.concept_ids import NIL, split_ids
from medlink.formats.decision import decide, round_score
from medlink.formats.json_records import (
    as_object,
    as_offset,
    decode,
    list_of,
    offset_of,
    parse_json,
    shorten,
    text_of,
    time_of,
)
from medlink.formats.proposed import KEY, Reading, parse_carried, proposed_row
from medlink.formats.verdicts import Marked, Sheet, complete, guarded, holds, judge, span_of
from medlink.formats.xml_tree import NO_XML, iterate_xml
from medlink.records import Annotation, LinkedDocument, Rejected, Source

TOOL = "bioc"
# The infons that hold a concept, in the order in which they are asked: ours and PubTator's, then other tools'.
_CONCEPT_INFONS = ("identifier", "concept_id", "conceptid", "cui", "mesh", "omim", "hpo", "normalized_id")
_MAX_PADDING = 10_000_000


def write_bioc(links: Iterable[LinkedDocument], stream: BinaryIO) -> None:
    """A BioC XML collection with one document of one passage per note. Constant memory.

    A mention is an annotation with the infons ``type`` (the recogniser's label, else ``Concept``), ``identifier``
    (``NIL`` where no concept was chosen), ``score`` and ``name``. Offsets count code points from the start of the note.
    The document's infon ``medlink`` holds what was proposed. Characters that XML cannot hold are spaces.
    """
    bioc = import_extra("bioc", what="BioC output", extra="annotation")
    encoder = import_extra("bioc.biocxml.encoder", what="BioC output", extra="annotation")
    writer = encoder.BioCXMLDocumentWriter(stream, encoding="utf-8")
    collection = bioc.BioCCollection()
    collection.source, collection.date, collection.key = "medlink", "", "medlink.key"
    writer.write_collection_info(collection)
    for linked in links:
        writer.write_document(_document(bioc, linked, lambda text: NO_XML.sub(" ", text)))
    writer.close()


def write_bioc_json(links: Iterable[LinkedDocument], stream: BinaryIO) -> None:
    """The same as JSON, with every character in place."""
    bioc = import_extra("bioc", what="BioC output", extra="annotation")
    encoder = import_extra("bioc.biocjson.encoder", what="BioC output", extra="annotation")
    stream.write(
        b'{"bioctype":"BioCCollection","source":"medlink","date":"","key":"medlink.key","infons":{},"documents":['
    )
    for number, linked in enumerate(links):
        row = encoder.toJSON(_document(bioc, linked, str))
        packed = json.dumps(row, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        stream.write((",\n" if number else "\n").encode() + packed.encode())
    stream.write(b"\n]}\n")


def _document(bioc: Any, linked: LinkedDocument, clean: Callable[[str], str]) -> Any:  # noqa: ANN401 - bioc has no types
    document, passage = bioc.BioCDocument(), bioc.BioCPassage()
    document.id = clean(linked.document.id)
    document.infons[KEY] = json.dumps([proposed_row(link) for link in linked.links], separators=(",", ":"))
    passage.offset, passage.text = 0, clean(linked.document.text)
    for number, link in enumerate(linked.links, start=1):
        mention, decision = link.mention, decide(link)
        annotation = bioc.BioCAnnotation()
        annotation.id, annotation.text = f"T{number}", clean(mention.surface)
        annotation.infons = {
            "type": clean(mention.label or "Concept"),
            "identifier": clean(decision.concept_id or NIL),
            "name": clean(decision.name),
            "score": str(round_score(decision.score)),
        }
        annotation.add_location(bioc.BioCLocation(mention.start, mention.end - mention.start))
        passage.add_annotation(annotation)
    document.add_passage(passage)
    return document


def read_bioc(file: BatchFile, reading: Reading) -> Iterator[Annotation | Rejected]:
    """The verdicts in BioC XML: the annotations compared with what the document carries, or with the baseline.

    The concept is the infon ``identifier``, or another of the usual names; ``-``, ``-1`` and ``NIL`` say that none
    fits. Offsets count from the start of the document; one that counts from the start of its passage or sentence, as
    INCEpTION writes them, is found by its text and mended. An annotation in pieces reaches from the first to the last.
    TeamTat's infons ``annotator`` and ``updated_at`` name annotator and time; without them a document is one
    annotator's. The library ``bioc``, which writes this format, is not used to read it: it takes a collection whole or,
    where one number is missing, not at all. Constant memory; what stands before a broken place is kept.
    """
    documents = map(_xml_document, _xml_documents(file))
    yield from guarded(Source(file.name), "", partial(_read_all, documents, file, reading))


def read_bioc_json(file: BatchFile, reading: Reading) -> Iterator[Annotation | Rejected]:
    """The verdicts in BioC JSON, as :func:`read_bioc` gives them; also in PubTator 3's form of it."""
    documents = _json_documents(file, reading)
    yield from guarded(Source(file.name), "", partial(_read_all, documents, file, reading))


def _xml_documents(file: BatchFile) -> Iterator[Any]:
    try:
        with file.open() as stream:
            yield from iterate_xml(stream, root="collection", tag="document")
    except READ_ERRORS as error:
        raise CorpusFormatError("the file cannot be read", got=type(error).__name__) from None


def _xml_document(element: Any) -> dict[str, Any]:  # noqa: ANN401 - lxml has no types
    """The element in the form that BioC JSON has for it."""
    row: dict[str, Any] = {"infons": {child.get("key") or "": child.text or "" for child in element.findall("infon")}}
    row["id"] = element.get("id") or element.findtext("id") or ""
    row["text"] = element.findtext("text")
    row["offset"] = _number(element.findtext("offset"))
    row["locations"] = [
        {"offset": _number(child.get("offset")), "length": _number(child.get("length"))}
        for child in element.findall("location")
    ]
    for tag in ("passage", "sentence", "annotation"):
        row[f"{tag}s"] = [_xml_document(child) for child in element.findall(tag)]
    return row


def _number(text: str | None) -> int | None:
    return int(text) if text and re.fullmatch(r"\s*-?[0-9]{1,12}\s*", text) else None


def _json_documents(file: BatchFile, reading: Reading) -> Iterator[object]:
    text = decode(file.read(reading.limits.file_bytes))
    value = as_object(parse_json(text), "the file")
    if "passages" in value:
        yield value
    yield from list_of(value, "documents") or list_of(value, "PubTator3")


def _read_all(documents: Iterable[object], file: BatchFile, reading: Reading) -> Iterator[Annotation | Rejected]:
    for number, document in enumerate(documents, start=1):
        source = Source(file.name, number)
        yield from guarded(source, "", partial(_read, document, source, reading))


def _read(value: object, source: Source, reading: Reading) -> Iterator[Annotation | Rejected]:
    document = as_object(value, "a document")
    doc_id = text_of(document, "id")
    if not doc_id:
        raise CorpusFormatError("no document id", expected="'id' in the document")
    infons = document.get("infons")
    carried = infons.get(KEY) if isinstance(infons, Mapping) else None
    proposed = parse_carried(parse_json(carried)) if isinstance(carried, str) else None
    text = _text(document)
    by_author: dict[tuple[str, str], list[Marked | Rejected]] = {("", ""): []}
    for block in _blocks(document):
        for item in list_of(block.row, "annotations"):
            author, span = _authored(item, block, text, source)
            by_author.setdefault(author, []).append(span)
    if len(by_author) > 1 and not by_author["", ""]:
        del by_author["", ""]
    for name in dict.fromkeys(name for name, _ in by_author):
        spans = [span for (author, _), authored in by_author.items() if author == name for span in authored]
        time = max((time for (author, time) in by_author if author == name), default="")
        sheet = Sheet(doc_id, TOOL, source, text or None, proposed, name, time_of(time))
        yield from judge(complete(sheet, reading), spans)


@dataclass(frozen=True, slots=True)
class _Block:
    """A document, passage or sentence.

    :param origin: where in the document it starts.
    """

    row: Mapping[str, Any]
    origin: int


def _blocks(document: Mapping[str, Any]) -> Iterator[_Block]:
    yield _Block(document, 0)
    for value in list_of(document, "passages"):
        passage = as_object(value, "a passage")
        yield _Block(passage, _origin(passage))
        for inner in list_of(passage, "sentences"):
            sentence = as_object(inner, "a sentence")
            yield _Block(sentence, _origin(sentence))


def _origin(row: Mapping[str, Any]) -> int:
    return as_offset(row.get("offset"), "offset")


def _text(document: Mapping[str, Any]) -> str:
    """The document's text: every passage, or else its sentences, at its own offset, spaces between."""
    text = ""
    for block in _blocks(document):
        part = block.row.get("text")
        if not isinstance(part, str) or block.origin < len(text):  # a sentence of a passage that has its text
            continue
        if block.origin - len(text) > _MAX_PADDING:
            raise CorpusFormatError("a passage far behind the others", got=f"offset {block.origin}")
        text += " " * (block.origin - len(text)) + part
    return text


def _authored(item: object, block: _Block, text: str, source: Source) -> tuple[tuple[str, str], Marked | Rejected]:
    """The span of an annotation, or why there is none; before it annotator and time, where it names them."""
    author = ("", "")
    raw = shorten(json.dumps(item, ensure_ascii=False))
    try:
        row = as_object(item, "an annotation")
        source = replace(source, record_id=text_of(row, "id"))
        infons = {key.lower(): value for key, value in as_object(row.get("infons") or {}, "'infons'").items()}
        author = text_of(infons, "annotator"), text_of(infons, "updated_at")
        pieces = [(offset_of(place, "offset"), offset_of(place, "length")) for place in _locations(row)]
        pieces = [(at, at + length) for at, length in pieces]
        surface = text_of(row, "text")
        moved = [(start + block.origin, end + block.origin) for start, end in pieces]
        if text and not holds(text, pieces, surface) and holds(text, moved, surface):
            pieces = moved
        span = span_of(pieces, surface, text, source)
    except CorpusFormatError as error:
        return author, Rejected(source, str(error), raw)
    return author, replace(span, raw=raw).naming(*split_ids(text_of(infons, *_CONCEPT_INFONS)))


def _locations(row: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    locations = [as_object(place, "a location") for place in list_of(row, "locations")]
    if not locations:
        raise CorpusFormatError("an annotation without a location")
    return locations

"""spaCy DocBin, in and out: documents that any spaCy reads, without medlink and without custom attributes."""

from __future__ import annotations

import zlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, BinaryIO

import spacy
from spacy.language import Language
from spacy.tokens import Doc, DocBin, Span
from spacy.util import filter_spans
from spacy.vocab import Vocab

from medlink.errors import CorpusFormatError
from medlink.formats.batch_files import PARSE_ERRORS, BatchFile, Limits
from medlink.formats.concept_ids import NIL, concept_in_label, concept_of
from medlink.formats.links_json import link_row
from medlink.formats.proposed import Proposed, Reading, parse_carried
from medlink.formats.verdicts import Marked, Sheet, complete, guarded, judge
from medlink.records import Annotation, Link, LinkedDocument, Rejected, Source

SPANS_KEY = "medlink"
DEFAULT_LABEL = "CONCEPT"


def write_docbin(links: Iterable[LinkedDocument], stream: BinaryIO) -> None:
    """A ``.spacy`` file with one ``Doc`` per note, tokenised by ``spacy.blank("en")``.

    - ``doc.spans["medlink"]``: every mention in order, the concept in ``kb_id_`` (empty for NIL), the recogniser's
      label, else ``CONCEPT``, in ``label_``.
    - ``doc.ents``: the same without overlaps, which entities cannot have; the longer span stays, then the earlier.
    - ``doc.user_data``: ``doc_id``, and ``links`` with everything that a JSON line holds, exact offsets included.

    A mention that starts or ends within a token becomes the span of all tokens it touches. One that touches none, as
    only white space can, is in ``links`` alone.

    The format is one compressed block, so all of a run is held in memory: 250 bytes a token at the peak.
    """
    nlp = spacy.blank("en")
    nlp.max_length = 2**31  # the limit guards parsers and taggers; there are none here
    docs = DocBin(attrs=["ENT_IOB", "ENT_TYPE", "ENT_KB_ID"], store_user_data=True)
    for linked in links:
        docs.add(make_doc(nlp, linked))
    stream.write(docs.to_bytes())


def make_doc(nlp: Language, linked: LinkedDocument) -> Doc:
    """The note as a spaCy document with its links, as :func:`write_docbin` stores it."""
    doc = nlp.make_doc(linked.document.text)
    spans = [span for span in (_span(doc, link) for link in linked.links) if span is not None]
    doc.spans[SPANS_KEY] = spans
    doc.set_ents(filter_spans(spans))
    doc.user_data["doc_id"] = linked.document.id
    doc.user_data["links"] = [link_row(link) for link in linked.links]
    return doc


def _span(doc: Doc, link: Link) -> Span | None:
    mention = link.mention
    return doc.char_span(
        mention.start,
        mention.end,
        label=mention.label or DEFAULT_LABEL,
        kb_id=link.concept_id or "",
        alignment_mode="expand",
    )


# What spaCy and numpy raise on bytes that are no DocBin, or on one whose parts do not fit each other.
_LIBRARY_ERRORS = (*PARSE_ERRORS, MemoryError)


def read_docbin(file: BatchFile, reading: Reading) -> Iterator[Annotation | Rejected]:
    """The verdicts in a ``.spacy`` file: the spans of its documents compared with what they carry, or the baseline.

    Read are the spans of ``doc.spans["medlink"]`` where there are any, else the entities. A span's concept is its
    ``kb_id_``, else an id in its label; a span that was exported without a concept and has none now stays without one.
    ``doc.user_data`` holds the document's id as ``doc_id`` and, in what we exported, ``links``, what was proposed, and
    may hold ``annotator``. The proposal for a span is the one whose tokens it has.
    """
    yield from guarded(Source(file.name), "", partial(_read, file, reading))


def _read(file: BatchFile, reading: Reading) -> Iterator[Annotation | Rejected]:
    data = file.read(reading.limits.file_bytes)
    _check_size(data, reading.limits)
    vocab = Vocab()
    try:
        docs = DocBin().from_bytes(data).get_docs(vocab)
        for number, doc in enumerate(docs, start=1):
            source = Source(file.name, number)
            yield from guarded(source, "", partial(_read_doc, doc, source, reading))
    except _LIBRARY_ERRORS as error:
        raise CorpusFormatError("no DocBin that spaCy can read", got=type(error).__name__) from None


def _check_size(data: bytes, limits: Limits) -> None:
    """Refuses what would unpack to more than the limit: spaCy unpacks a file in one go."""
    unpacking = zlib.decompressobj()
    n_bytes = 0
    try:
        while data and not unpacking.eof:
            n_bytes += len(unpacking.decompress(data, 1 << 24))
            data = unpacking.unconsumed_tail
            if n_bytes > limits.file_bytes:
                raise CorpusFormatError("refused: too large when unpacked", expected=f"{limits.file_bytes:,} bytes")
    except zlib.error:
        raise CorpusFormatError("no DocBin", expected="a zlib stream") from None


def _read_doc(doc: Doc, source: Source, reading: Reading) -> Iterator[Annotation | Rejected]:
    data: Mapping[Any, Any] = doc.user_data
    doc_id, annotator = data.get("doc_id"), data.get("annotator")
    if not isinstance(doc_id, str) or not doc_id:
        raise CorpusFormatError("no document id", expected="doc.user_data['doc_id']")
    sheet = Sheet(doc_id, "spacy", source, doc.text, parse_carried(data.get("links")))
    if isinstance(annotator, str):
        sheet = replace(sheet, annotator=annotator)
    sheet = complete(sheet, reading)
    by_tokens = defaultdict[tuple[int, int], list[Proposed]](list)
    for link in sheet.proposed or ():
        tokens = doc.char_span(link.start, link.end, alignment_mode="expand")
        if tokens is not None:  # of white space alone there is no span, and so no answer
            by_tokens[tokens.start, tokens.end].append(link)
    sheet = replace(sheet, proposed=tuple(link for links in by_tokens.values() for link in links))
    spans = doc.spans[SPANS_KEY] if SPANS_KEY in doc.spans else doc.ents
    yield from judge(sheet, [_marked(span, by_tokens[span.start, span.end], source) for span in spans])


def _marked(span: Span, links: list[Proposed], source: Source) -> Marked:
    """The span, at the exact offsets of the proposal that it answers, which is taken from the list."""
    written = span.kb_id_
    concept_id, is_nil = concept_of(written) if written else concept_in_label(span.label_)
    if not links:
        return Marked(span.start_char, span.end_char, span.text, source, concept_id, is_nil or span.label_ == NIL)
    link = next((link for link in links if link.concept_id == concept_id), links[0])
    links.remove(link)
    is_nil = is_nil or not (concept_id or link.concept_id)
    return Marked(link.start, link.end, link.surface, source, concept_id, is_nil)

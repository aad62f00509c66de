"""spaCy DocBin output: documents that any spaCy reads, without medlink and without custom attributes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import BinaryIO

import spacy
from spacy.language import Language
from spacy.tokens import Doc, DocBin, Span
from spacy.util import filter_spans

from medlink.formats.links_json import link_row
from medlink.records import Link, LinkedDocument

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

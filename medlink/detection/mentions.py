"""Mention records from a spaCy ``Doc`` that detection has been over."""

from __future__ import annotations

from bisect import bisect_right
from functools import cache
from operator import attrgetter

from spacy.tokens import Doc, Span

from medlink.detection.attributes import LABEL, register_attributes
from medlink.records import Assertion, Mention


def mentions_of(doc: Doc, doc_id: str, *, spans_key: str | None = None) -> tuple[Mention, ...]:
    """The mentions of a doc, by (start, end); of several with the same offsets the first counts.

    :param doc_id: the note's id.
    :param spans_key: read the span group of that name, empty where the doc has none; by default ``doc.ents``.
    """
    register_attributes()
    spans = doc.ents if spans_key is None else doc.spans.get(spans_key, ())
    unique: dict[tuple[int, int], Span] = {}
    for span in spans:
        unique.setdefault((span.start_char, span.end_char), span)
    sentences = _Sentences(doc)
    ordered = sorted(unique.values(), key=attrgetter("start_char", "end_char"))
    return tuple(_mention(span, doc_id, sentences.around(span)) for span in ordered)


class _Sentences:
    """The sentences of a doc, found by a span in logarithmic time."""

    def __init__(self, doc: Doc) -> None:
        self._text = doc.text
        self._starts = [sent.start_char for sent in doc.sents] if doc.has_annotation("SENT_START") else [0]
        self._visible = cache(self._strip)

    def around(self, span: Span) -> tuple[int, int]:
        """The sentence in which a span starts, without the space around it."""
        return self._visible(bisect_right(self._starts, span.start_char) - 1)

    def _strip(self, place: int) -> tuple[int, int]:
        start = self._starts[place]
        sentence = self._text[start : self._starts[place + 1] if place + 1 < len(self._starts) else None]
        start += len(sentence) - len(sentence.lstrip())
        return start, start + len(sentence.strip())


def _mention(span: Span, doc_id: str, sentence: tuple[int, int]) -> Mention:
    return Mention(
        doc_id=doc_id,
        start=span.start_char,
        end=span.end_char,
        surface=span.text,
        expanded=span._.medlink_expanded,
        sentence=sentence,
        section=span._.medlink_section,
        assertion=Assertion(**dict.fromkeys(span._.medlink_assertion, True)),
        label="" if span.label_ == LABEL else span.label_,
    )

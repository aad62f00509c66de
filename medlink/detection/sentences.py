"""Sentence boundaries of clinical notes: full stops, line ends that were meant, list lines and headings."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING, cast

import numpy as np
from spacy.language import Language
from spacy.tokens import Doc

if TYPE_CHECKING:
    from thinc.types import Ints2d

# Nobody wraps prose at fewer columns: a shorter line was ended on purpose.
_NARROWEST_WRAP = 60
_STOP = re.compile(r"(?<![.?!])[.?!]++[\"'”’)\]]*+(?=\s|,\S)")  # ".,X": a line end in transcripts that lost theirs
_HEADING = re.compile(r"(?<![\w/&-])[A-Z]{2}[A-Z]+(?:[ /&-]+[A-Z]+){0,5}(?=:)")
_LIST_LINE = re.compile(r"[-*•·>]|\(?\d{1,2}[.)]\s|\(?[a-z][.)]\s")
_HEADING_LINE = re.compile(r"[A-Z][\w /&()-]{1,40}:")
_NUMERAL = re.compile(r"\(?\d{1,2}")
_DOTTED = re.compile(r"\(?(?:[a-z]\.)+[a-z]", re.IGNORECASE)  # "e.g", "b.i.d"
_LONGEST_ABBREVIATION = 10
_ABBREVIATIONS = frozenset(
    "al approx ca cf dept dr drs esp est etc ext fig figs hosp hr hrs incl inj lab max min mr mrs ms no nos pt pts "
    "prof resp sec sp st tab tabs tel temp vol vs wk wks wt yr yrs".split()
)  # fmt: skip


def sentence_starts(text: str) -> list[int]:
    r"""The offsets at which the sentences of a text start, ascending; each is a character that is no space.

    A sentence ends with a full stop, question or exclamation mark before a space, unless that belongs to an
    abbreviation or list number; at a blank line; before a list line, a heading line or a heading in capitals within a
    line; and at a line end that was meant: the next line does not start in lower case, and its first word would still
    have fitted.

    >>> text = "Seen by Dr. Poe for 2.5 h, e.g. today. No fever\n\n- cough\n- rash"
    >>> starts = sentence_starts(text)
    >>> [text[start:end].strip() for start, end in zip(starts, [*starts[1:], len(text)])]
    ['Seen by Dr. Poe for 2.5 h, e.g. today.', 'No fever', '- cough', '- rash']
    """
    return [start for begin, end in _passages(text) for start in _starts_within(text, begin, end)]


def _starts_within(text: str, begin: int, end: int) -> Iterator[int]:
    """The sentence starts of one passage, which no line end divides."""
    starts = {begin}
    for match in _STOP.finditer(text, begin, end):
        follower = _next_visible(text, match.end(), end)
        word = _last_word(text, begin, match.start())
        is_list_number = match.start() - len(word) in starts and _NUMERAL.fullmatch(word)
        if follower < end and not is_list_number and _ends_sentence(word, text[follower]):
            starts.add(follower)
    starts.update(match.start() for match in _HEADING.finditer(text, begin, end))
    yield from sorted(starts)


def _last_word(text: str, begin: int, end: int) -> str:
    """The characters up to an offset since the last space, at most as many as an abbreviation has."""
    before = text[max(begin, end - _LONGEST_ABBREVIATION) : end]
    return "" if not before or before[-1].isspace() else before.split()[-1]


def _ends_sentence(word: str, follower: str) -> bool:
    """Whether a stop behind this word, before this character, ends a sentence."""
    lower = word.lstrip("(").lower()
    if _DOTTED.fullmatch(word):
        return False
    if lower in {"no", "nos"}:
        return not follower.isdigit()
    return lower not in _ABBREVIATIONS and (not follower.islower() or len(lower) > 3)


def _next_visible(text: str, position: int, end: int) -> int:
    """The offset of the next character that is neither space nor comma."""
    while position < end and (text[position].isspace() or text[position] == ","):
        position += 1
    return position


def _passages(text: str) -> Iterator[tuple[int, int]]:
    """The ``[start, end)`` of the runs of lines that belong together, without the space around them."""
    begin = end = -1
    for block in _blocks(text):
        width = max(_NARROWEST_WRAP, *(last - first for first, last in block))
        begin, end = block[0]
        for (first, last), (next_first, next_last) in pairwise(block):
            if _is_meant(text, (last - first), text[next_first:next_last], width):
                yield begin, end
                begin = next_first
            end = next_last
        yield begin, end


def _is_meant(text: str, length: int, following: str, width: int) -> bool:
    """Whether the end of a line of this length was meant, given the line that follows it."""
    if _LIST_LINE.match(following) or _HEADING_LINE.match(following):
        return True
    return not following[0].islower() and length + 1 + len(following.split(None, 1)[0]) <= width


def _blocks(text: str) -> Iterator[list[tuple[int, int]]]:
    """The lines between blank lines, each as ``[start, end)`` without the space around it."""
    block: list[tuple[int, int]] = []
    position = 0
    for line in text.splitlines(keepends=True):
        visible = line.strip()
        if visible:
            first = position + line.index(visible[0])
            block.append((first, first + len(visible)))
        elif block:
            yield block
            block = []
        position += len(line)
    if block:
        yield block


def sentence_spans(text: str) -> list[tuple[int, int]]:
    """The ``[start, end)`` of the sentences of a text, each without the space behind it."""
    bounds = [*sentence_starts(text), len(text)]
    return [(start, start + len(text[start:end].rstrip())) for start, end in pairwise(bounds)]


def mark_sentences(doc: Doc) -> Doc:
    """The doc with its sentence starts set; a token across one starts its sentence there."""
    if len(doc):
        offsets = doc.to_array(["IDX"]).ravel()
        marks = np.full((len(doc), 1), -1, dtype=np.int64)
        marks[np.searchsorted(offsets, [0, *sentence_starts(doc.text)[1:]], side="right") - 1] = 1
        doc.from_array(["SENT_START"], cast("Ints2d", marks.astype(np.uint64)))
    return doc


@Language.factory("medlink_sentences", assigns=["token.is_sent_start", "doc.sents"])
class SentenceMarker:
    """A spaCy component that sets the sentence starts of :func:`sentence_starts`."""

    def __init__(self, nlp: Language, name: str) -> None:
        self.name = name

    def __call__(self, doc: Doc) -> Doc:
        """The doc with its sentence starts set."""
        return mark_sentences(doc)

"""Negation: which mentions a note denies."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from operator import attrgetter

from spacy.language import Language
from spacy.tokens import Doc, Span

from medlink.detection.assertion_rules import BACKWARD, FORWARD, PATTERNS, Kind
from medlink.detection.attributes import SPANS_KEY, register_attributes
from medlink.detection.sentences import mark_sentences

Offsets = tuple[int, int]

# How many words may stand between "not" and what it negates, and between a finding and "… was ruled out".
_NEAR_WORDS = 3
_AFTER_WORDS = 5
# How many characters a cue reaches at most; a list of denied symptoms seldom takes more.
_REACH = 1000
_WORD = re.compile(r"\w+")
_NEW_CLAUSE = re.compile(r"[,;]|\b(?:and|or|nor)\b", re.IGNORECASE)
# What may stand between a finding and "… was ruled out": nothing, or where it was looked for.
_LOCATION = re.compile(r"\s*(?:(?:in|on|at|of|by|from|during|within|over|around)\s[^,]*)?", re.IGNORECASE)
_GLUE = re.compile(r"\s*(?P<comma>,)?\s*(?P<word>and|or|nor|&|/)?\s*(?:(?:the|any|an?)\s+)?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Cue:
    """A phrase of a note that has to do with negation, at ``[start, end)``."""

    kind: Kind
    start: int
    end: int


def negated_among(text: str, findings: Sequence[Offsets], sentence: Offsets) -> frozenset[Offsets]:
    """The findings of one sentence that it denies.

    A cue inside a finding ("absence of the septum pellucidum") belongs to its name and denies nothing.

    >>> text = "No cough, denies chest pain but has dyspnea"
    >>> negated = negated_among(text, [(3, 8), (17, 27), (36, 43)], (0, len(text)))
    >>> sorted(text[start:end] for start, end in negated)
    ['chest pain', 'cough']

    :param findings: half-open offsets into the text; nested and overlapping ones are welcome.
    :param sentence: the offsets of the sentence that holds them.
    """
    ordered = sorted(set(findings))
    starts = [start for start, _ in ordered]
    cues = _outside(find_cues(text, sentence), ordered)
    denied: set[Offsets] = set()
    for place, cue in enumerate(cues):
        if cue.kind in FORWARD:
            follower = bisect_left(starts, cue.end)
            first = ordered[follower] if follower < len(ordered) else None
            end = min(_scope_end(text, cue, (cues[i] for i in range(place + 1, len(cues))), first), sentence[1])
            scope = ordered[follower : bisect_left(starts, end)]
            denied.update(_denied_behind(text, cue, [finding for finding in scope if finding[1] <= end]))
        elif cue.kind in BACKWARD:
            begin = cues[place - 1].end if place else sentence[0]
            scope = ordered[bisect_left(starts, begin) : bisect_left(starts, cue.start)]
            denied.update(_denied_before(text, cue, scope))
    return frozenset(denied)


def find_cues(text: str, sentence: Offsets) -> list[Cue]:
    """The cues of a sentence in order, the longest where some overlap; none where no cue negates."""
    if not any(PATTERNS[kind].search(text, *sentence) for kind in (*FORWARD, *BACKWARD)):
        return []
    cues = [Cue(kind, *match.span()) for kind in Kind for match in PATTERNS[kind].finditer(text, *sentence)]
    kept: list[Cue] = []
    taken: set[int] = set()
    for cue in sorted(cues, key=lambda cue: (cue.start - cue.end, cue.start)):
        if taken.isdisjoint(range(cue.start, cue.end)):
            kept.append(cue)
            taken.update(range(cue.start, cue.end))
    return sorted(kept, key=attrgetter("start"))


def _outside(cues: Sequence[Cue], findings: Sequence[Offsets]) -> list[Cue]:
    """The cues that share no character with a finding."""
    taken = {place for start, end in findings for place in range(start, end)}
    return [cue for cue in cues if taken.isdisjoint(range(cue.start, cue.end))]


def _scope_end(text: str, cue: Cue, later: Iterable[Cue], finding: Offsets | None) -> int:
    """Where the scope of a cue that looks forward ends, given the first finding behind it."""
    for other in later:
        if other.start > cue.end + _REACH:
            break
        if other.kind is Kind.STOP:
            return other.start
        if other.kind is Kind.VERB:
            passed = finding is not None and finding[1] <= other.start
            if cue.kind is Kind.PHRASE or passed or _NEW_CLAUSE.search(text, cue.end, other.start):
                return other.start
    return cue.end + _REACH


def _denied_behind(text: str, cue: Cue, findings: Sequence[Offsets]) -> Iterator[Offsets]:
    """The findings in the scope of a cue: all of them, or those near "not" and the list that they open."""
    if cue.kind is not Kind.NEAR:
        yield from findings
        return
    reached = cue.end
    for start, end in findings:
        is_near = "," not in text[cue.end : start] and _count_words(text, cue.end, start) <= _NEAR_WORDS
        if not is_near and not _GLUE.fullmatch(text, reached, start):
            return
        yield start, end
        reached = max(reached, end)


def _denied_before(text: str, cue: Cue, findings: Sequence[Offsets]) -> Iterator[Offsets]:
    """The finding before a cue that looks back, with the list that it closes: "fever, chills and rash were denied"."""
    findings = [finding for finding in findings if finding[1] <= cue.start]
    if not findings:
        return
    last = max(end for _, end in findings)
    limit = 0 if cue.kind is Kind.FREE else _AFTER_WORDS
    if not _LOCATION.fullmatch(text, last, cue.start) or _count_words(text, last, cue.start) > limit:
        return
    outer = _outermost(findings)
    first = len(outer) - 1
    glues = [_GLUE.fullmatch(text, left[1], right[0]) for left, right in pairwise(outer)]
    for place in range(len(glues) - 1, -1, -1):
        glue = glues[place]
        if cue.kind is Kind.FREE or glue is None or not (glue["comma"] or glue["word"]):
            break
        nearest = place == len(glues) - 1
        if nearest and glue["comma"] and not (glue["word"] and place and _is_comma(glues[place - 1])):
            break
        first = place
    yield from (finding for finding in findings if finding[0] >= outer[first][0])


def _is_comma(glue: re.Match[str] | None) -> bool:
    return glue is not None and glue["comma"] is not None and glue["word"] is None


def _outermost(findings: Sequence[Offsets]) -> list[Offsets]:
    """Ordered findings without those that start within an earlier one."""
    outer: list[Offsets] = []
    for start, end in findings:
        if outer and start < outer[-1][1]:
            outer[-1] = (outer[-1][0], max(end, outer[-1][1]))
        else:
            outer.append((start, end))
    return outer


def _count_words(text: str, start: int, end: int) -> int:
    return sum(1 for _ in _WORD.finditer(text, start, end))


class AssertionMarker:
    """A spaCy component that sets ``span._.medlink_assertion`` of the mentions that the note denies.

    It looks at ``doc.ents`` and at the span group, sentence by sentence; a doc without sentences gets those of
    :func:`medlink.detection.sentences.mark_sentences`.

    :param spans_key: the span group with further mentions, where the doc has it.
    """

    def __init__(self, *, spans_key: str) -> None:
        register_attributes()
        self.spans_key = spans_key

    def __call__(self, doc: Doc) -> Doc:
        """The doc with its denied mentions marked."""
        if not doc.has_annotation("SENT_START"):
            mark_sentences(doc)
        mentions = sorted((*doc.ents, *doc.spans.get(self.spans_key, ())), key=lambda span: span.start)
        text, place = doc.text, 0
        for sentence in doc.sents:
            begin = place
            while place < len(mentions) and mentions[place].start < sentence.end:
                place += 1
            if begin < place:
                self._mark(text, sentence, mentions[begin:place])
        return doc

    @staticmethod
    def _mark(text: str, sentence: Span, mentions: Sequence[Span]) -> None:
        findings = [(mention.start_char, mention.end_char) for mention in mentions]
        denied = negated_among(text, findings, (sentence.start_char, sentence.end_char))
        for mention, finding in zip(mentions, findings, strict=True):
            if finding in denied:
                others = [label for label in mention._.medlink_assertion if label != "negated"]
                mention._.medlink_assertion = ("negated", *others)


@Language.factory(
    "medlink_assertion",
    requires=["doc.ents"],
    assigns=["span._.medlink_assertion"],
    default_config={"spans_key": SPANS_KEY},
)
def make_assertion(nlp: Language, name: str, spans_key: str) -> AssertionMarker:
    """The assertion component; see :class:`AssertionMarker`."""
    return AssertionMarker(spans_key=spans_key)

"""Which findings of a sentence the cues of assertion reach."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

from medlink.detection.assertion_cues import Cue, find_cues
from medlink.detection.assertion_kinds import (
    BACKWARD,
    FORWARD,
    HISTORICAL,
    HYPOTHETICAL,
    NEGATED,
    UNCERTAIN,
    Kind,
)
from medlink.records import Assertion

Offsets = tuple[int, int]

# How many words may stand between "not" and what it negates, and between a finding and "… was ruled out".
_NEAR_WORDS = 3
_AFTER_WORDS = 5
# Kinds of which a later cue reaches at least as far as an earlier one, so that the earlier need not reach beyond it.
_COVERED = frozenset({Kind.PHRASE, Kind.CLAUSE, Kind.WHOLE})
# How many characters a cue reaches at most; a list of denied symptoms seldom takes more.
_REACH = 1000
_WORD = re.compile(r"\w+")
_NEW_CLAUSE = re.compile(r"[,;]|\b(?:and|or|nor)\b", re.IGNORECASE)
# What may stand between a finding and "… was ruled out": nothing, or where it was looked for.
_LOCATION = re.compile(r"\s*(?:(?:in|on|at|of|by|from|during|within|over|around)\s[^,]*)?", re.IGNORECASE)
_GLUE = re.compile(r"\s*(?P<comma>,)?\s*(?P<word>and|or|nor|&|/)?\s*(?:(?:the|any|an?)\s+)?", re.IGNORECASE)
# The categories of cues that look forward and end a scope of these categories, as they start a statement of their own.
_ENDED_BY = {
    NEGATED: frozenset({UNCERTAIN}),
    UNCERTAIN: frozenset({NEGATED}),
    HISTORICAL: frozenset({NEGATED, UNCERTAIN}),
}


def assert_findings(
    text: str, findings: Sequence[Offsets], sentence: Offsets, *, evidence: tuple[str, ...] = ()
) -> dict[Offsets, Assertion]:
    """What one sentence says about each of its findings.

    A cue inside a finding ("absence of the septum pellucidum") belongs to its name and tells nothing. What is denied
    is neither doubtful nor past.

    >>> text = "No cough, denies chest pain but has dyspnea"
    >>> found = assert_findings(text, [(3, 8), (17, 27), (36, 43)], (0, len(text)))
    >>> [(text[start:end], assertion.labels) for (start, end), assertion in found.items()]
    [('cough', ('negated',)), ('chest pain', ('negated',)), ('dyspnea', ())]

    :param findings: half-open offsets into the text; nested and overlapping ones are welcome.
    :param sentence: the offsets of the sentence that holds them.
    :param evidence: what the section says about all that stands in it; it counts like a cue in front of the sentence.
    """
    ordered = sorted(set(findings))
    marked = _marked(text, ordered, sentence, evidence)
    return {finding: _assertion(marked[finding]) for finding in ordered}


def _assertion(labels: set[str]) -> Assertion:
    overruled = {UNCERTAIN, HISTORICAL} if NEGATED in labels else set()
    return Assertion(**dict.fromkeys(labels - overruled, True))


def _marked(
    text: str, ordered: Sequence[Offsets], sentence: Offsets, evidence: tuple[str, ...]
) -> dict[Offsets, set[str]]:
    """The labels of each finding, from cue after cue."""
    marked: dict[Offsets, set[str]] = {finding: set() for finding in ordered}
    starts = [start for start, _ in ordered]
    cues = _outside(find_cues(text, sentence), ordered)
    if evidence:
        cues.insert(0, Cue(Kind.WHOLE, evidence, sentence[0], sentence[0]))
    for place, cue in enumerate(cues):
        if cue.kind in FORWARD:
            follower = bisect_left(starts, cue.end)
            first = ordered[follower] if follower < len(ordered) else None
            for label in cue.labels:
                later = (cues[i] for i in range(place + 1, len(cues)))
                end = min(_scope_end(text, cue, label, later, first), sentence[1])
                scope = ordered[follower : bisect_left(starts, end)]
                for finding in _reached_behind(text, cue, label, [found for found in scope if found[1] <= end]):
                    marked[finding].add(label)
        if cue.kind in BACKWARD:
            begin = cues[place - 1].end if place else sentence[0]
            scope = ordered[bisect_left(starts, begin) : bisect_left(starts, cue.start)]
            for finding in _reached_before(text, cue, scope):
                marked[finding].update(cue.labels)
    return marked


def _outside(cues: Sequence[Cue], findings: Sequence[Offsets]) -> list[Cue]:
    """The cues that share no character with a finding."""
    taken = {place for start, end in findings for place in range(start, end)}
    return [cue for cue in cues if taken.isdisjoint(range(cue.start, cue.end))]


def _is_evidence(cue: Cue) -> bool:
    """Whether a cue stands for what the section says, and not for words."""
    return cue.start == cue.end


def _scope_end(text: str, cue: Cue, label: str, later: Iterable[Cue], finding: Offsets | None) -> int:
    """Where the scope of one category of a cue that looks forward ends, given the first finding behind it."""
    if cue.kind is Kind.PREFIX:
        return finding[1] if finding is not None and finding[0] == cue.end else cue.end
    reach = len(text) if _is_evidence(cue) else cue.end + _REACH
    for other in later:
        if other.start > reach:
            break
        if other.kind is cue.kind and label in other.labels and cue.kind in _COVERED and not _is_evidence(cue):
            return other.start
        if _ends(text, cue, label, other, finding):
            return other.start
    return reach


def _ends(text: str, cue: Cue, label: str, other: Cue, finding: Offsets | None) -> bool:
    """Whether a later cue ends the scope of one category of this one."""
    if other.kind is Kind.STOP:
        return label in other.labels
    if other.kind is Kind.BREAK:
        return label in other.labels and not _is_evidence(cue)
    if cue.kind is Kind.WHOLE:
        return False
    passed = finding is not None and finding[1] <= other.start
    if other.kind is Kind.VERB:
        return cue.kind is Kind.PHRASE or passed or _NEW_CLAUSE.search(text, cue.end, other.start) is not None
    if other.kind is Kind.CLAUSE and HYPOTHETICAL in other.labels:
        return label in _ENDED_BY
    return passed and other.kind in FORWARD and not _ENDED_BY.get(label, frozenset()).isdisjoint(other.labels)


def _reached_behind(text: str, cue: Cue, label: str, findings: Sequence[Offsets]) -> Iterator[Offsets]:
    """The findings in the scope of a cue: all of them, or those near the cue and the list that they open."""
    if cue.kind in {Kind.PHRASE, Kind.CLAUSE, Kind.WHOLE}:
        yield from findings
    elif cue.kind is Kind.PREFIX:
        yield from (finding for finding in findings if finding[0] == cue.end)
    else:
        yield from _list_behind(text, cue, findings, any_list=label == NEGATED)


def _list_behind(text: str, cue: Cue, findings: Sequence[Offsets], *, any_list: bool) -> list[Offsets]:
    """The findings near a cue and the list that they open.

    :param any_list: whether commas alone make a list; else it has to close with "and" or "or", as "possible pneumonia,
        fever since Monday" is no list.
    """
    listed: list[Offsets] = []
    n_sure, reached = 0, cue.end
    for start, end in findings:
        is_near = not _NEW_CLAUSE.search(text, cue.end, start) and _count_words(text, cue.end, start) <= _NEAR_WORDS
        glue = _GLUE.fullmatch(text, reached, start)
        if not is_near and not glue and start >= reached:
            break
        listed.append((start, end))
        if any_list or is_near or start < reached or (glue and (glue["word"] or not glue["comma"])):
            n_sure = len(listed)
        reached = max(reached, end)
    return listed[:n_sure]


def _reached_before(text: str, cue: Cue, findings: Sequence[Offsets]) -> Iterator[Offsets]:
    """The finding before a cue that looks back, with the list that it closes: "fever, chills and rash were denied"."""
    findings = [finding for finding in findings if finding[1] <= cue.start]
    if not findings:
        return
    last = max(end for _, end in findings)
    limit = 0 if cue.kind is Kind.SUFFIX else _AFTER_WORDS
    if not _LOCATION.fullmatch(text, last, cue.start) or _count_words(text, last, cue.start) > limit:
        return
    outer = _outermost(findings)
    first = len(outer) - 1
    glues = [_GLUE.fullmatch(text, left[1], right[0]) for left, right in pairwise(outer)]
    for place in range(len(glues) - 1, -1, -1):
        glue = glues[place]
        if cue.kind is not Kind.AFTER or glue is None or not (glue["comma"] or glue["word"]):
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

"""Where the cues of assertion stand in a text."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from medlink.detection.assertion_kinds import FORWARD, Kind, Rule
from medlink.detection.assertion_rules import RULES

# Where a cue may start: at a word, or at one of the marks that some cues start with.
_PLACE = re.compile(r"(?<![^\W_])[^\W_]\w*|[,;:?(|–-]")
_ELEMENT = re.compile(r"\\.|\[[^\]]*\]|.")
_MARKING = frozenset(kind for kind in Kind if kind not in {Kind.PSEUDO, Kind.STOP, Kind.BREAK, Kind.VERB})


@dataclass(frozen=True, slots=True)
class Cue:
    """A phrase of a note that tells something about the findings around it, at ``[start, end)``."""

    kind: Kind
    labels: tuple[str, ...]
    start: int
    end: int


def find_cues(text: str, sentence: tuple[int, int]) -> list[Cue]:
    """The cues of a sentence in order, none overlapping another; none at all where no cue marks anything.

    At each place the longest phrase counts, and the search goes on behind it: time is linear in the sentence's length.
    """
    cues: list[Cue] = []
    position, end = sentence
    while place := _PLACE.search(text, position, end):
        cue = _longest(text, place, end)
        if cue is not None:
            cues.append(cue)
        position = place.end() if cue is None else max(cue.end, place.start() + 1)
    return cues if any(cue.kind in _MARKING for cue in cues) else []


def _longest(text: str, place: re.Match[str], end: int) -> Cue | None:
    best: Cue | None = None
    for rule, pattern in _PATTERNS.get("0" if place.group().isdigit() else place.group().lower(), ()):
        match = pattern.match(text, place.start(), end)
        if match and (best is None or match.end() > best.end):
            best = Cue(rule.kind, rule.labels, match.start(), match.end())
    return best


def _compile() -> dict[str, list[tuple[Rule, re.Pattern[str]]]]:
    """The patterns of all rules by the words and marks that they may start with, in the order of the rules.

    A colon right behind a cue that looks forward belongs to it ("Denies: fever") and ends nothing.
    """
    patterns: dict[str, list[tuple[Rule, re.Pattern[str]]]] = defaultdict(list)
    for rule in RULES:
        colon = r"(?:\s*:)?" if rule.kind in FORWARD else ""
        for phrase in rule.phrases:
            source = phrase.replace(" ?", r"\s*").replace(" ", r"\s+")
            close = r"(?!\w)" if phrase[-1].isalnum() or phrase[-1] in ")?" else ""
            pattern = re.compile(f"(?:{source}){close}{colon}", re.IGNORECASE)
            for head in dict.fromkeys(_heads(phrase)):
                patterns[head].append((rule, pattern))
    return dict(patterns)


def _heads(phrase: str, before: str = "") -> Iterator[str]:
    """The words or marks that a phrase may start with; "0" stands for any number.

    :param before: the letters of the first word that have been read.
    """
    for source in _alternatives(phrase):
        if source.startswith("(?:"):
            inner, rest = _group(source)
            optional = rest.startswith(("?", "{0", "*"))
            rest = re.sub(r"^(?:\?\??|\{\d,\d\}\??|\*)", "", rest)
            for branch in [*_alternatives(inner), *([""] if optional else [])]:
                yield from _heads(branch + rest, before)
        elif source.startswith("\\d"):
            yield "0"
        elif source[:1].isalnum():
            letter, rest = source[0], source[1:]
            if rest.startswith("?"):
                yield from _heads(rest[1:], before)
                rest = rest[1:]
            yield from _heads(rest, before + letter.lower())
        else:
            yield before or source.lstrip("\\[")[0]


def _alternatives(source: str) -> list[str]:
    """The parts of a regular expression between the bars that stand in no group."""
    parts = [""]
    for element, depth in _elements(source):
        if element == "|" and depth == 0:
            parts.append("")
        else:
            parts[-1] += element
    return parts


def _group(source: str) -> tuple[str, str]:
    """What stands in the group that a regular expression starts with, and what stands behind it."""
    position = 0
    for element, depth in _elements(source):
        position += len(element)
        if depth == 0:
            return source[len("(?:") : position - 1], source[position:]
    raise ValueError(f"a group of this cue is not closed: {source!r}")


def _elements(source: str) -> Iterator[tuple[str, int]]:
    """The characters, escapes and sets of a regular expression, each with the number of groups open behind it."""
    depth = 0
    for element in _ELEMENT.findall(source):
        depth += (element == "(") - (element == ")")
        yield element, depth


_PATTERNS = _compile()

"""Texts that carry their expectation: "No [-fever] but [cough]"."""

from __future__ import annotations

import re
from dataclasses import dataclass

_MARK = re.compile(r"\[(?P<negated>-?)(?P<surface>[^\]]+)\]")


@dataclass(frozen=True, slots=True)
class Marked:
    """A text with the ``[start, end)`` of its marked stretches, and which of them are marked as negated."""

    text: str
    spans: tuple[tuple[int, int], ...]
    negated: frozenset[tuple[int, int]]


def unmark(marked: str) -> Marked:
    """The text behind a marked one; ``\\n`` in it stands for a line end."""
    source = marked.replace("\\n", "\n")
    text, position, spans, negated = "", 0, [], set()
    for match in _MARK.finditer(source):
        text += source[position : match.start()]
        span = (len(text), len(text) + len(match["surface"]))
        spans.append(span)
        if match["negated"]:
            negated.add(span)
        text += match["surface"]
        position = match.end()
    return Marked(text + source[position:], tuple(spans), frozenset(negated))

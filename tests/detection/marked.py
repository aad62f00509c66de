"""Texts that carry their expectation: "No [-fever] but [cough]"."""

from __future__ import annotations

import re
from dataclasses import dataclass

SIGNS = {"-": "negated", "?": "uncertain", "<": "historical", ">": "hypothetical", "@": "family"}
_MARK = re.compile(r"\[(?P<signs>[-?<>@]*)(?P<surface>[^\]]+)\]")


@dataclass(frozen=True, slots=True)
class Marked:
    """A text with the ``[start, end)`` of its marked stretches, and the labels that each is marked with."""

    text: str
    labels: dict[tuple[int, int], frozenset[str]]

    @property
    def spans(self) -> tuple[tuple[int, int], ...]:
        """The ``[start, end)`` of the marked stretches, in order."""
        return tuple(self.labels)


def unmark(marked: str) -> Marked:
    """The text behind a marked one; ``\\n`` in it stands for a line end."""
    source = marked.replace("\\n", "\n")
    text, position, labels = "", 0, {}
    for match in _MARK.finditer(source):
        text += source[position : match.start()]
        span = (len(text), len(text) + len(match["surface"]))
        labels[span] = frozenset(SIGNS[sign] for sign in match["signs"])
        text += match["surface"]
        position = match.end()
    return Marked(text + source[position:], labels)

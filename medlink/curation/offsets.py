"""Offsets that a tool counted in its own way, brought back to code points where the text proves how it counted."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate

# How far a span may have slid as a whole: a byte order mark, or a join of title and abstract by none to three spaces.
FARTHEST_SHIFT = 3
# Where a sentence or passage may begin: at the start, behind a line break, behind a full stop and a space.
_BEGINNINGS = re.compile(r"\A|(?<=\n)|(?<=[.!?]\s)|(?<=[.!?]\s\s)")
_SPACES = re.compile(r"\s+")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a mention stands in the untouched text.

    :param start: offset of its first code point.
    :param end: offset behind its last code point.
    :param repair: how the tool had counted, in words; empty where its offsets were right.
    """

    start: int
    end: int
    repair: str = ""


def find_place(start: int, end: int, surface: str, text: str) -> Place | None:
    """The place that a tool's offsets mean; ``None`` where no way of counting makes the text there the surface.

    Tried in order: code points; UTF-16 units and UTF-8 bytes; the same with line breaks of two characters counted as
    one, or the reverse; a slide of at most :data:`FARTHEST_SHIFT` characters (byte order mark, joins of title and
    abstract); offsets that count from the beginning of a sentence or passage. The last two hold only if exactly one
    such place fits. White space may differ in kind and length, as formats with one line per mention cannot hold it.

    :param surface: as the file writes it; where it is empty the offsets are believed, if they lie in the text.
    """
    if not surface:
        return Place(start, end) if end <= len(text) and not text[start:end].isspace() else None
    if is_surface(text[start:end], surface):
        return Place(start, end)
    for name, positions in _countings(text):
        place = _converted(start, end, positions)
        if place and is_surface(text[slice(*place)], surface):
            return Place(*place, repair=name)
    return _slid(start, end, surface, text) or _relative(start, end, surface, text)


def is_surface(found: str, surface: str) -> bool:
    """Whether a piece of text is the surface, white space inside it aside."""
    return found == surface or (
        not found[:1].isspace() and not found[-1:].isspace() and _SPACES.sub(" ", found) == _SPACES.sub(" ", surface)
    )


def carry_over(start: int, end: int, text: str, original: str) -> tuple[int, int] | None:
    """A span of a tool's copy of a text as the span of the original with the same characters.

    ``None`` where the copies differ in more than white space, or the span holds nothing else.
    """
    if text == original:
        return start, end
    ours, theirs = _inked(text), _inked(original)
    if len(ours) != len(theirs) or _letters(text) != _letters(original):
        return None
    first, last = bisect_left(ours, start), bisect_left(ours, end) - 1
    return (theirs[first], theirs[last] + 1) if first <= last else None


@lru_cache(maxsize=4)
def _inked(text: str) -> tuple[int, ...]:
    """The offsets of all characters that are no white space."""
    return tuple(place for place, char in enumerate(text) if not (char.isspace() or char == "\ufeff"))


@lru_cache(maxsize=4)
def _letters(text: str) -> str:
    return "".join(text[place] for place in _inked(text))


@lru_cache(maxsize=4)
def _countings(text: str) -> tuple[tuple[str, tuple[int, ...]], ...]:
    """The ways of counting that differ from code points in this text: name, and each code point's offset in it."""
    plain = tuple(range(len(text) + 1))
    found: dict[tuple[int, ...], str] = {plain: ""}
    for unit, sizes in (
        ("", [1] * len(text)),
        ("UTF-16 units", [1 + (char > "\uffff") for char in text]),
        ("UTF-8 bytes", [len(char.encode(errors="surrogatepass")) for char in text]),
    ):
        for breaks, factors in (("", None), *_line_breaks(text)):
            weights = sizes if factors is None else [s * f for s, f in zip(sizes, factors, strict=True)]
            name = ", ".join(filter(None, (unit, breaks)))
            found.setdefault(tuple(accumulate(weights, initial=0)), name)
    del found[plain]
    return tuple((name, positions) for positions, name in found.items())


def _line_breaks(text: str) -> Iterator[tuple[str, list[int]]]:
    if "\r\n" in text:
        yield (
            "CRLF counted as one character",
            [int(not (char == "\r" and text[i + 1 : i + 2] == "\n")) for i, char in enumerate(text)],
        )
    if "\n" in text:
        yield (
            "line breaks counted as two characters",
            [1 + (char == "\n" and text[max(i - 1, 0) : i] != "\r") for i, char in enumerate(text)],
        )


def _converted(start: int, end: int, positions: tuple[int, ...]) -> tuple[int, int] | None:
    """The code points at these offsets; ``None`` where one lies within a character or behind the text."""
    first, last = bisect_left(positions, start), bisect_left(positions, end)
    if last >= len(positions) or positions[first] != start or positions[last] != end:
        return None
    while first + 1 < len(positions) and positions[first + 1] == start:
        first += 1  # a character that counts for nothing stands before the span
    return first, last


def _slid(start: int, end: int, surface: str, text: str) -> Place | None:
    slides = [step for step in range(-FARTHEST_SHIFT, FARTHEST_SHIFT + 1) if step and start + step >= 0]
    fits = [step for step in slides if text[start + step : end + step] == surface]
    return Place(start + fits[0], end + fits[0], f"shifted by {-fits[0]:+d}") if len(fits) == 1 else None


def _relative(start: int, end: int, surface: str, text: str) -> Place | None:
    beginnings = {match.start() for match in _BEGINNINGS.finditer(text)} - {0}
    fits = [base for base in sorted(beginnings) if text[base + start : base + end] == surface]
    return Place(fits[0] + start, fits[0] + end, "counted from the sentence") if len(fits) == 1 else None

"""Offsets that count UTF-16 units, as Java and JavaScript do, and offsets that count code points."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from medlink.formats.verdicts import Marked

Place = tuple[int, int]


def has_astral(text: str) -> bool:
    """Whether the two ways to count differ in the text: whether it holds a character that takes two units."""
    return not text.isascii() and max(text, default="") > "\uffff"


def to_utf16(text: str, offset: int) -> int:
    """The offset of a code point in UTF-16 units.

    >>> to_utf16("😀 fit", 2)
    3
    """
    return len(text[:offset].encode("utf-16-le")) // 2


def utf16_reader(text: str) -> Callable[[int, int], Place]:
    """What turns a span in UTF-16 units of the text into code points.

    A span that lies outside, or cuts a character in two, stays as it is.

    >>> utf16_reader("😀 fit")(3, 6)
    (2, 5)
    """
    if not has_astral(text):
        return lambda start, end: (start, end)
    offsets: dict[int, int] = {}
    unit = 0
    for offset, char in enumerate(text):
        offsets[unit] = offset
        unit += 2 if char > "\uffff" else 1
    offsets[unit] = len(text)

    def read(start: int, end: int) -> Place:
        return (offsets[start], offsets[end]) if start in offsets and end in offsets else (start, end)

    return read


def likelier_reader(
    text: str, spans: Sequence[Marked], is_right: Callable[[int, int, Marked], bool], *, default_utf16: bool
) -> Callable[[int, int], Place]:
    """What turns a tool's spans into code points, for tools that have counted in both ways in their time.

    The way in which more of the spans of a document are right is taken for all of them.

    :param is_right: tells whether start and end, in code points, are as they should be for a span.
    :param default_utf16: what is taken where both ways are as good.
    """
    read = utf16_reader(text)
    plain = sum(is_right(span.start, span.end, span) for span in spans) if has_astral(text) else 0
    units = sum(is_right(*read(span.start, span.end), span) for span in spans) if has_astral(text) else 0
    if units > plain or (units == plain and default_utf16):
        return read
    return lambda start, end: (start, end)

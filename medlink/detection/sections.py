"""Sections of clinical notes, from their headings."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass

from spacy.language import Language
from spacy.tokens import Doc

from medlink.detection.attributes import SPANS_KEY, register_attributes
from medlink.detection.section_names import SYSTEM, nearest_section_of, section_of

# Where a heading may start: at a line's start, behind a list number or mark; or behind the end of a sentence, which in
# transcripts that have lost their line ends is a stop and a comma, or a comma alone.
_PLACE = re.compile(r"\A|[\n.,;:!?)]")
_LINE = r"\n?(?P<before>[^\S\n]*(?:[-*•#>]+[^\S\n]*|\(?\d{1,2}[.)][^\S\n]+)?)"
_STOP = r"(?:[.:;!?)][^\S\n]*,[^\S\n]*|[.!?;][^\S\n]+|,[^\S\n]*)"
_TEXT = r"(?P<heading>[A-Z](?:[^\W\d_]|[^\S\r\n]|[/&'’()]|-(?!\s)){0,60}+)"
_CLOSE = r"(?P<close>:|,(?=[A-Z0-9])|(?<=\s)-|(?=[\r\n]|\Z))"
_AT_LINE = re.compile(_LINE + _TEXT + _CLOSE)
_WITHIN_LINE = re.compile(_STOP + _TEXT + _CLOSE)
# A heading in capitals that the table lacks; shorter ones are often a finding's name ("COPD: stable").
_UNKNOWN = re.compile(r"(?=.{6})[A-Z]{3,}(?:[ /&-]+[A-Z]+)*")
_EXAMINATION = "physical examination"
# Sections that a body system's heading divides; elsewhere it starts the examination.
_DIVIDED = frozenset(
    {_EXAMINATION, "review of systems", "past medical history", "history of present illness", "assessment",
     "plan", "assessment and plan", "laboratory data", "imaging", "hospital course"}
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Section:
    """A part of a note at ``[start, end)``, with its heading.

    :param name: what the heading means, such as "past medical history"; empty before the first heading, and behind one
        in capitals that is like no known one.
    """

    name: str
    start: int
    end: int


def find_sections(text: str) -> list[Section]:
    r"""The sections of a note, in order, from its start to its end.

    >>> text = "COUGH\nPMH: asthma.,FAMILY HISTORY: ,None."
    >>> [(section.name, text[section.start : section.end]) for section in find_sections(text)]
    [('', 'COUGH\n'), ('past medical history', 'PMH: asthma.,'), ('family history', 'FAMILY HISTORY: ,None.')]
    """
    sections: list[Section] = []
    name, known, start = "", "", 0
    for place, heading_name in _headings(text):
        following = heading_name
        if heading_name == SYSTEM:
            following = known if known in _DIVIDED else _EXAMINATION
        known = following or known
        if following != name:
            if start < place:
                sections.append(Section(name, start, place))
            name, start = following, place
    return [*sections, Section(name, start, len(text))]


def _headings(text: str) -> Iterator[tuple[int, str]]:
    """Where the headings of a note start, and which sections they open."""
    position = 0
    for place in _PLACE.finditer(text):
        if place.start() < position:
            continue
        at_line = place.group() in {"", "\n"}
        match = (_AT_LINE if at_line else _WITHIN_LINE).match(text, place.start())
        if match is None:
            continue
        heading, close = match["heading"].strip(), match["close"]
        name = section_of(heading)
        start = match.start("before" if at_line else "heading")
        if name is not None and _is_heading(heading, close, at_line=at_line):
            yield start, name
        elif name is None and close == ":" and _UNKNOWN.fullmatch(heading):
            yield start, nearest_section_of(heading) or ""
        position = match.end("heading")


def _is_heading(heading: str, close: str, *, at_line: bool) -> bool:
    """Whether words that read like a heading are written like one."""
    capitals = heading.isupper()
    if close == ":":
        return True
    if close == "-":
        return at_line and capitals
    if close == ",":
        return capitals and len(heading) > 4
    return at_line and len(heading) > 2


class SectionMarker:
    """A spaCy component that sets ``span._.medlink_section`` of the mentions that stand in a section.

    It looks at ``doc.ents`` and at the span group.

    :param spans_key: the span group with further mentions, where the doc has it.
    """

    def __init__(self, *, spans_key: str) -> None:
        register_attributes()
        self.spans_key = spans_key

    def __call__(self, doc: Doc) -> Doc:
        """The doc with the sections of its mentions set."""
        mentions = [*doc.ents, *doc.spans.get(self.spans_key, ())]
        if mentions:
            sections = find_sections(doc.text)
            starts = [section.start for section in sections]
            for mention in mentions:
                mention._.medlink_section = sections[bisect_right(starts, mention.start_char) - 1].name
        return doc


@Language.factory(
    "medlink_sections",
    requires=["doc.ents"],
    assigns=["span._.medlink_section"],
    default_config={"spans_key": SPANS_KEY},
)
def make_sections(nlp: Language, name: str, spans_key: str) -> SectionMarker:
    """The section component; see :class:`SectionMarker`."""
    return SectionMarker(spans_key=spans_key)

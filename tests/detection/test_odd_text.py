"""Clinical context in oddly written notes: offsets, sections and assertions stay what they are."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from spacy.language import Language

from medlink.detection.mentions import mentions_of

Found = tuple[str, str, tuple[str, ...]]

# Lines of a note, and of the finding in each its surface and what the line says of it.
LINES: dict[str, tuple[str, tuple[str, ...]]] = {
    "No chest pain.": ("chest pain", ("negated",)),
    "He has fever \N{GRINNING FACE}.": ("fever", ()),
    "\N{ROCKET} Cafe\N{COMBINING ACUTE ACCENT}: possible seizures.": ("seizures", ("uncertain",)),
    "Return if he has cough.": ("cough", ("hypothetical",)),
    "SHE DENIES HEADACHE.": ("HEADACHE", ("negated",)),
    "| fever | no |": ("fever", ("negated",)),
    "| rash | yes |": ("rash", ()),
    "Fever:\tno": ("Fever", ("negated",)),
    "Menie\N{COMBINING ACUTE ACCENT}re disease in 2001.": ("Menie\N{COMBINING ACUTE ACCENT}re disease", ()),
}
# Headings, and what they add to what the lines below them say.
HEADINGS: dict[str, tuple[str, tuple[str, ...]]] = {
    "HISTORY OF PRESENT ILLNESS:": ("history of present illness", ()),
    "PAST MEDICAL HISTORY": ("past medical history", ("historical",)),
    "Family History:": ("family history", ("family",)),
    "PLAN -": ("plan", ()),
}
SPACES = [" ", "\t", "\N{NO-BREAK SPACE}", "  ", "\N{THIN SPACE}"]
LINE_ENDS = ["\n", "\r\n", "\n\n", " \r\n\t"]


@st.composite
def _notes(draw: st.DrawFn) -> tuple[str, list[Found]]:
    """A note, and its findings in order with section and labels."""
    text, expected, section, evidence = "", list[Found](), "", set[str]()
    for line in draw(st.lists(st.sampled_from([*LINES, *HEADINGS]), max_size=12)):
        space, end = draw(st.sampled_from(SPACES)), draw(st.sampled_from(LINE_ENDS))
        text += line.replace(" ", space) + end
        if line in HEADINGS:
            section, added = HEADINGS[line]
            evidence = set(added)
        else:
            surface, labels = LINES[line]
            spared = {"historical"} if "negated" in labels else set()
            expected.append((surface.replace(" ", space), section, tuple(sorted({*labels, *evidence} - spared))))
    return text, expected


def _found(detector: Language, text: str) -> list[Found]:
    return [(m.surface, m.section, tuple(sorted(m.assertion.labels))) for m in mentions_of(detector(text), "d")]


@given(_notes())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_detector_reads_notes_however_they_are_written(detector: Language, note: tuple[str, list[Found]]) -> None:
    text, expected = note
    assert _found(detector, text) == expected
    assert all(text[m.start : m.end] == m.surface for m in mentions_of(detector(text), "d"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("PMH:,FEVER,RASH.,FAMILY HISTORY:,SEIZURES.", [["historical"], ["historical"], ["family"]]),
        ("FEVER: NO\r\nRASH: NO\r\nCOUGH: YES", [["negated"], ["negated"], []]),
        ("Symptom\tPresent\r\nFever\t-\tno\r\nRash\t-\tyes", [["negated"], []]),
    ],
    ids=["capitals", "capitals in lines", "table"],
)
def test_detector_reads_capitals_and_tables(detector: Language, text: str, expected: Sequence[list[str]]) -> None:
    assert [list(m.assertion.labels) for m in mentions_of(detector(text), "d")] == expected


@pytest.mark.slow
@pytest.mark.parametrize(
    "unit",
    ["No fever, rash or cough, ", "mother with fever, ", "FAMILY HISTORY: fever.,", "if fever\r\n", "| fever | no |\t"],
)
def test_detector_comes_to_an_end_on_a_note_of_a_megabyte(detector: Language, unit: str) -> None:
    text = unit * (1_000_000 // len(unit))
    assert len(detector(text).ents) >= text.count(unit)

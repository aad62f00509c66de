"""Sections: which headings are found, what they mean, and that they cover the note."""

from __future__ import annotations

from itertools import pairwise

import pytest
import spacy
from hypothesis import given
from hypothesis import strategies as st
from spacy.tokens import SpanGroup

from medlink.detection.section_names import nearest_section_of, normalise_heading, section_of
from medlink.detection.sections import find_sections
from medlink.detection.tokens import tokenise_by_words


def _named(text: str) -> list[tuple[str, str]]:
    return [(section.name, text[section.start : section.end].strip()) for section in find_sections(text)]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("PAST MEDICAL HISTORY:\nAsthma", "past medical history"),
        ("Past Medical History: asthma", "past medical history"),
        ("past medical history\nAsthma", ""),  # a heading starts with a capital
        ("Past medical history\nAsthma", "past medical history"),
        ("PMH: asthma", "past medical history"),
        ("PMHx - asthma", ""),
        ("PMH - asthma", "past medical history"),
        ("1. FAMILY HISTORY: asthma", "family history"),
        ("* Family History:\tasthma", "family history"),
        ("FAMILY\u00a0HISTORY: asthma", "family history"),
        ("PERTINENT FAMILY HISTORY (per mother): asthma", "family history"),
        ("Past Medical & Surgical History:\r\nAsthma", "past medical history"),
        ("ALLERGIES\r\nNone", "allergies"),
        ("A/P: asthma", "assessment and plan"),
        ("RETURN PRECAUTIONS: fever", "return precautions"),
        ("PHYSICAL EXAMINATION ON ADMISSION: rash", "physical examination"),
        ("HEENT: normal", "physical examination"),
        ("ASTHMA SINCE CHILDHOOD: yes", ""),
        ("The plan is rest: sleep", ""),
        ("Allergies are seasonal", ""),
    ],
)
def test_find_sections_reads_a_heading_however_it_is_written(text: str, name: str) -> None:
    assert [section for section, _ in _named(text)] == [name]


def test_find_sections_reads_notes_with_lines() -> None:
    note = "CC: cough\nHISTORY OF PRESENT ILLNESS:\nCough for a week.\n\nFAMILY HISTORY\nMother: asthma\nPLAN:\n1. Rest"
    assert _named(note) == [
        ("chief complaint", "CC: cough"),
        ("history of present illness", "HISTORY OF PRESENT ILLNESS:\nCough for a week."),
        ("family history", "FAMILY HISTORY\nMother: asthma"),
        ("plan", "PLAN:\n1. Rest"),
    ]


def test_find_sections_reads_transcripts_without_lines() -> None:
    note = "SUBJECTIVE:,  Cough.,ALLERGIES: , None.,REVIEW OF SYSTEMS,Patient denies fever.,IMPRESSION:,1.  Asthma."
    assert _named(note) == [
        ("history of present illness", "SUBJECTIVE:,  Cough.,"),
        ("allergies", "ALLERGIES: , None.,"),
        ("review of systems", "REVIEW OF SYSTEMS,Patient denies fever.,"),
        ("assessment", "IMPRESSION:,1.  Asthma."),
    ]


def test_find_sections_reads_headings_within_a_line() -> None:
    note = "He has gout. Past Medical History: asthma. Family History: none."
    assert [name for name, _ in _named(note)] == ["", "past medical history", "family history"]


def test_a_body_system_stays_in_the_section_that_it_divides() -> None:
    note = "REVIEW OF SYSTEMS:\nCARDIAC: no pain\nALLERGIES: none\nLUNGS: clear"
    assert [name for name, _ in _named(note)] == ["review of systems", "allergies", "physical examination"]


def test_an_unknown_heading_in_capitals_ends_a_section() -> None:
    assert [name for name, _ in _named("FAMILY HISTORY: gout\nSPECIFICATIONS: 2 mm")] == ["family history", ""]
    assert [name for name, _ in _named("PMH: 1. COPD: stable\nGERD: treated")] == ["past medical history"]


@pytest.mark.parametrize(
    ("heading", "section"), [("FATHER NOTIFIED", None), ("GROSS FINDINGS AT SURGERY", "findings"), ("WEATHER", None)]
)
def test_nearest_section_of_needs_more_than_one_word_for_relatives(heading: str, section: str | None) -> None:
    assert nearest_section_of(heading) == section


def test_every_heading_of_the_table_is_written_as_it_is_looked_up() -> None:
    from medlink.detection.section_names import _table

    assert len(_table()) > 500
    assert [heading for heading in _table() if normalise_heading(heading) != heading] == []
    assert section_of("Family History") == "family history"


_PIECES = st.sampled_from(
    [
        "PMH:",
        "FAMILY HISTORY",
        "Plan",
        " ",
        "\n",
        "\r\n",
        "\t",
        "\u00a0",
        ",",
        ".",
        ":",
        "-",
        "1.",
        "e\u0301",
        "😀",
        "A",
        "no",
    ]
)


@given(st.one_of(st.text(max_size=60), st.lists(_PIECES, max_size=25).map("".join)))
def test_sections_cover_the_note_without_gaps(text: str) -> None:
    sections = find_sections(text)
    assert "".join(text[section.start : section.end] for section in sections) == text
    assert all(left.end == right.start for left, right in pairwise(sections))
    assert all(left.name != right.name for left, right in pairwise(sections))


@given(st.lists(_PIECES, max_size=25).map("".join))
def test_sections_do_not_depend_on_line_ends(text: str) -> None:
    unix = text.replace("\r\n", "\n")
    windows = unix.replace("\n", "\r\n")
    assert [(s.name, unix[s.start : s.end]) for s in find_sections(unix)] == [
        (s.name, windows[s.start : s.end].replace("\r\n", "\n")) for s in find_sections(windows)
    ]


@pytest.mark.parametrize("unit", ["A a ", "FAMILY HISTORY: ,x ", ",A", "., ", "A:", "\n", "A" + " " * 500, "- ", ";\t"])
def test_find_sections_comes_to_an_end_on_a_long_note(unit: str) -> None:
    text = unit * (500_000 // len(unit))
    assert find_sections(text)[-1].end == len(text)


def test_component_sets_the_section_of_entities_and_the_span_group() -> None:
    nlp = spacy.blank("en")
    tokenise_by_words(nlp)
    nlp.add_pipe("medlink_sections")
    doc = nlp.make_doc("Gout. FAMILY HISTORY: lung cancer")
    spans = [doc.char_span(0, 4, label="X"), doc.char_span(22, 33, label="X"), doc.char_span(27, 33, label="X")]
    doc.ents = [span for span in spans[:2] if span is not None]
    doc.spans["medlink"] = SpanGroup(doc, spans=[span for span in spans if span is not None])
    doc = nlp.get_pipe("medlink_sections")(doc)
    assert [ent._.medlink_section for ent in doc.ents] == ["", "family history"]
    assert [span._.medlink_section for span in doc.spans["medlink"]] == ["", "family history", "family history"]


@pytest.mark.parametrize("text", ["", "PLAN:", "\n"])
def test_component_takes_docs_without_mentions(text: str) -> None:
    nlp = spacy.blank("en")
    nlp.add_pipe("medlink_sections")
    assert nlp(text).ents == ()

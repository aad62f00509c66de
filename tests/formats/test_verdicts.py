from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medlink.formats.concept_ids import concept_in_label, concept_of, split_ids
from medlink.formats.json_records import time_of
from medlink.formats.proposed import Proposed
from medlink.formats.units import to_utf16, utf16_reader
from medlink.formats.verdicts import Marked, Sheet, judge
from medlink.records import Annotation, Proposal, Rejected, Source

TEXT = "fits and fits and fits"
SOURCE = Source("file", 1)
#: Where the word stands.
PLACES = ((0, 4), (9, 13), (18, 22))


def proposed(number: int, concept_id: str = "HP:1") -> Proposed:
    return Proposed(*PLACES[number], "fits", concept_id, (Proposal(concept_id or "HP:9"),))


def marked(number: int, concept_id: str = "HP:1", *, shift: int = 0) -> Marked:
    start, end = PLACES[number]
    return Marked(start + shift, end + shift, "fits", SOURCE, concept_id)


def said(*spans: Marked | Rejected, links: tuple[Proposed, ...]) -> list[tuple[int, str, str | None]]:
    """Start, verdict and concept; for a rejected record -1 and the first words of the reason."""
    items = judge(Sheet("note", "tool", SOURCE, TEXT, links), spans)
    return [
        (a.start, a.verdict.value, a.concept_id) if isinstance(a, Annotation) else (-1, a.reason[:18], None)
        for a in items
    ]


def test_of_several_concepts_on_a_span_the_proposed_one_answers_and_the_others_were_missed() -> None:
    got = said(marked(0, "HP:2"), marked(0, "HP:1"), links=(proposed(0),))
    assert got == [(0, "accept", "HP:1"), (0, "missed", "HP:2")]


def test_of_several_other_concepts_the_first_corrects() -> None:
    got = said(marked(0, "HP:2"), marked(0, "HP:3"), links=(proposed(0),))
    assert got == [(0, "correct", "HP:2"), (0, "missed", "HP:3")]


def test_a_proposal_of_no_concept_that_is_left_is_nil_and_one_that_gets_a_concept_is_corrected() -> None:
    got = said(marked(0, ""), marked(1, "HP:1"), links=(proposed(0, ""), proposed(1, "")))
    assert got == [(0, "nil", None), (9, "correct", "HP:1")]


def test_spans_that_a_tool_displaced_are_paired_in_their_order() -> None:
    shifted = [marked(2, "HP:2", shift=1), marked(1, shift=1), marked(0, shift=1)]
    got = said(*shifted, links=(proposed(0), proposed(1), proposed(2)))
    assert got == [(1, "accept", "HP:1"), (10, "accept", "HP:1"), (19, "correct", "HP:2")]


def test_a_displaced_span_without_a_proposal_leaves_the_others_open() -> None:
    other = replace(marked(1, shift=1), surface="fever")
    assert said(other, links=(proposed(0),)) == [(10, "missed", "HP:1"), (-1, "1 proposals left o", None)]


def test_an_unreadable_span_leaves_proposals_open_and_judges_the_rest() -> None:
    got = said(Rejected(SOURCE, "unreadable"), marked(0), links=(proposed(0), proposed(1)))
    assert got == [(-1, "unreadable", None), (0, "accept", "HP:1"), (-1, "1 proposals left o", None)]


def test_without_spans_everything_is_taken_back() -> None:
    assert said(links=(proposed(0), proposed(1))) == [(0, "not_a_mention", None), (9, "not_a_mention", None)]


def test_the_same_span_again_is_rejected_once() -> None:
    assert said(marked(0), marked(0), links=(proposed(0),)) == [(-1, "the same span with", None), (0, "accept", "HP:1")]


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("http://purl.obolibrary.org/obo/HP_0002970", ("HP:0002970", False)),
        ("https://identifiers.org/mesh/D012640", ("D012640", False)),
        ("http://identifiers.org/HP:0001250", ("HP:0001250", False)),
        ("http://www.wikidata.org/entity/Q312545", ("http://www.wikidata.org/entity/Q312545", False)),
        ("CUI-less", ("", True)),
        ("  ", ("", False)),
    ],
)
def test_concept_of(written: str, expected: tuple[str, bool]) -> None:
    assert concept_of(written) == expected


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        ("Seizure [HP:0001250]", "HP:0001250"),
        ("Type 2 diabetes", ""),
        ("Disease", ""),
        ("(E11.9)", "E11.9"),
        ("x" * 600 + "1", ""),
        ("http://purl.obolibrary.org/obo/HP_0002970", "HP:0002970"),
    ],
)
def test_concept_in_label(label: str, expected: str) -> None:
    assert concept_in_label(label) == (expected, False)


def test_split_ids() -> None:
    assert split_ids("D1+D2|D3, D4;D5") == ["D1", "D2", "D3", " D4", "D5"]


@pytest.mark.parametrize("value", ["yesterday", "", None, True, 10**30, float("inf"), [], "2024-13-01"])
def test_time_of_what_is_no_time(value: object) -> None:
    assert time_of(value) is None


def test_time_of_keeps_the_zone_and_takes_utc_without_one() -> None:
    assert time_of("2024-05-01 10:00:00.5") == datetime(2024, 5, 1, 10, 0, 0, 500_000, UTC)
    assert str(time_of("2024-05-01T10:00:00+02:00")) == "2024-05-01 10:00:00+02:00"


@given(text=st.text(st.sampled_from("a😀é\u0301\n"), max_size=12), data=st.data())
def test_utf16_offsets_come_back(text: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    units = text.encode("utf-16-le")[2 * to_utf16(text, start) : 2 * to_utf16(text, end)]
    assert units.decode("utf-16-le") == text[start:end]
    assert utf16_reader(text)(to_utf16(text, start), to_utf16(text, end)) == (start, end)

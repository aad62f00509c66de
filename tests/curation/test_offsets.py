"""Offsets are repaired where the text proves how the tool counted, and never guessed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medlink.curation.offsets import Place, carry_over, find_place

TEXT = "🧠🧠🧠🧠 Señora S.\r\nHad a fit. No fever.\r\nFever at night, renal\r\ncyst."
LF = TEXT.replace("\r\n", "\n")


def place_of(surface: str, text: str = TEXT) -> tuple[int, int]:
    start = text.index(surface)
    return start, start + len(surface)


def units(text: str, encoding: str, width: int) -> int:
    return len(text.encode(encoding)) // width


@pytest.mark.parametrize("surface", ["fit", "fever", "Fever", "renal\r\ncyst"])
@pytest.mark.parametrize(
    ("count", "repair"),
    [
        (len, ""),
        (lambda before: units(before, "utf-16-le", 2), "UTF-16 units"),
        (lambda before: units(before, "utf-8", 1), "UTF-8 bytes"),
        (lambda before: len(before.replace("\r\n", "\n")), "CRLF counted as one character"),
        (
            lambda before: units(before.replace("\r\n", "\n"), "utf-16-le", 2),
            "UTF-16 units, CRLF counted as one character",
        ),
        (
            lambda before: units(before.replace("\r\n", "\n"), "utf-8", 1),
            "UTF-8 bytes, CRLF counted as one character",
        ),
    ],
    ids=["code points", "utf-16", "bytes", "crlf", "utf-16 and crlf", "bytes and crlf"],
)
def test_offsets_of_any_counting_are_found(surface: str, count: object, repair: str) -> None:
    start, end = place_of(surface)
    assert callable(count)
    found = find_place(count(TEXT[:start]), count(TEXT[:end]), surface, TEXT)
    assert found is not None
    assert (found.start, found.end) == (start, end)
    assert found.repair == repair


def test_line_breaks_that_a_tool_made_longer() -> None:
    start, end = place_of("Fever", LF)
    grown = len(LF[:start].replace("\n", "\r\n"))
    assert find_place(grown, grown + 5, "Fever", LF) == Place(start, end, "line breaks counted as two characters")


@pytest.mark.parametrize("step", [-3, -1, 1, 2])
def test_a_slide_of_a_few_characters_is_found_where_only_one_fits(step: int) -> None:
    text = "A title. The abstract names a fit."
    start, end = place_of("fit", text)
    assert find_place(start + step, end + step, "fit", text) == Place(start, end, f"shifted by {step:+d}")


def test_a_slide_that_could_be_two_is_left_alone() -> None:
    assert find_place(2, 3, "a", "xa-axxxxxx") is None


def test_offsets_that_count_from_a_sentence() -> None:
    text = "The first sentence is long enough. He had a fit. Then nothing."
    start, end = place_of("fit", text)
    base = text.index("He")
    assert find_place(start - base, end - base, "fit", text) == Place(start, end, "counted from the sentence")


def test_offsets_that_fit_two_sentences_are_left_alone() -> None:
    assert find_place(9, 12, "fit", "A very long beginning. He had a fit. He had a fit.") is None


@pytest.mark.parametrize(("start", "end"), [(0, 3), (500, 503), (30, 33)])
def test_a_surface_that_is_not_there_is_not_found(start: int, end: int) -> None:
    assert find_place(start, end, "gout", TEXT) is None


def test_white_space_inside_a_mention_may_differ() -> None:
    start, end = place_of("renal\r\ncyst")
    assert find_place(start, end, "renal cyst", TEXT) == Place(start, end)


def test_without_a_surface_the_offsets_must_lie_in_the_text() -> None:
    assert find_place(0, 3, "", "fit") == Place(0, 3)
    assert find_place(0, 4, "", "fit") is None
    assert find_place(0, 2, "", "  fit") is None


@given(st.text("a\r\n é🧠.", max_size=30), st.data())
def test_right_offsets_are_never_repaired(text: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(0, len(text)))
    if start < end:
        assert find_place(start, end, text[start:end], text) == Place(start, end)


@given(
    st.text("ab\r\n é🧠.", max_size=30),
    st.integers(0, 40),
    st.integers(1, 5),
    st.text("ab é🧠.", min_size=1, max_size=5),
)
def test_what_is_found_is_the_surface(text: str, start: int, length: int, surface: str) -> None:
    found = find_place(start, start + length, surface, text)
    if found is not None:
        assert text[found.start : found.end].split() == surface.split()


def test_spans_are_carried_over_to_another_spacing() -> None:
    start, end = place_of("renal\ncyst", LF)
    assert carry_over(start, end, LF, TEXT) == place_of("renal\r\ncyst")
    assert carry_over(0, 3, "fit here", "fit there") is None
    assert carry_over(3, 4, "fit here", "fit  here") is None
    assert carry_over(4, 8, "fit here", "\ufefffit here") == (5, 9)

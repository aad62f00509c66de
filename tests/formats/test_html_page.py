from __future__ import annotations

import io
import re

import pytest
from hypothesis import given, settings

from medlink.formats.html_page import note_view, write_html
from medlink.records import Document, LinkedDocument
from tests.formats.html_reader import Page, read_html
from tests.formats.samples import (
    DOCUMENTS,
    EMPTY,
    FORMULA,
    NEGATED,
    SEIZURE,
    UNICODE,
    WARD,
    linked_documents,
    make_link,
)


def _write(*linked: LinkedDocument) -> str:
    stream = io.BytesIO()
    write_html(linked, stream)
    return stream.getvalue().decode()


def _read(*linked: LinkedDocument) -> Page:
    return read_html(_write(*linked))


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(linked=linked_documents())
def test_write_html_highlights_every_mention_of_any_text(linked: LinkedDocument) -> None:
    page = _read(linked)
    assert page.texts == [linked.document.text]
    assert page.titles == [linked.document.id]
    for number, link in enumerate(linked.links, start=1):
        pieces = sorted(p for mark in page.marks[0] if mark.card == f"n1m{number}-card" for p in mark.pieces)
        assert pieces[0][0] == link.mention.start
        assert "".join(text for _, text in pieces) == link.mention.surface
        assert (link.concept_id or "NIL") in page.cards[f"n1m{number}-card"]


def test_write_html_shows_concept_score_assertion_and_alternatives() -> None:
    page = _read(WARD)
    card = page.cards["n1m1-card"]
    for shown in (
        "HP:0001250",
        "Seizure",
        "negated",
        "0.973",
        "“fits”",
        "1.000",
        "0.812",
        "HP:0002315",
        "Headache",
        "0.402",
    ):
        assert shown in card
    assert "short for “gastroesophageal reflux disease”" in page.cards["n1m2-card"]
    assert [mark.look for mark in page.marks[0]] == ["negated", "present", "context", "nil", "present"]


def test_write_html_says_that_nil_has_no_concept() -> None:
    card = _read(WARD).cards["n1m4-card"]
    assert "no concept" in card
    assert "Best candidates, all below the threshold" in card
    assert card.index("HP:0000001") < card.index("HP:0000002")


def test_write_html_nests_marks() -> None:
    page = _read(WARD)
    zebra, pain = page.marks[0][-2:]
    assert zebra.pieces == [(47, "zebra "), (53, "pain")]
    assert pain.pieces == [(53, "pain")]


def test_write_html_splits_crossing_marks_and_gives_an_id_once() -> None:
    marks = _read(UNICODE).marks[0][1:]
    assert [(mark.id, mark.card, mark.pieces) for mark in marks] == [
        ("n1m2", "n1m2-card", [(27, "<b>"), (30, "fits")]),
        ("n1m3", "n1m3-card", [(30, "fits")]),
        (None, "n1m3-card", [(34, "</b>")]),
    ]


def test_write_html_tables_concepts_with_nil_last() -> None:
    document = Document("d", "fits, no FITS, zebra, headache")
    links = tuple(
        make_link(
            document,
            surface,
            SEIZURE,
            nil=surface == "zebra",
            assertion=NEGATED if surface == "FITS" else NEGATED.__class__(),
        )
        for surface in ("zebra", "fits", "FITS")
    )
    rows = [" ".join(row.split()) for row in _read(LinkedDocument(document, links)).tables[0]]
    assert rows == [
        "HP:0001250 Seizure fits ×2 present negated 0.973",
        "NIL no concept zebra present 0.973",
    ]


def test_note_view_counts_equal_surfaces_once() -> None:
    document = Document("d", "fits FITS seizure")
    links = tuple(make_link(document, surface, SEIZURE) for surface in document.text.split())
    [row] = note_view(LinkedDocument(document, links), "n1").concepts
    assert [view.link.mention.surface for view in row.surfaces] == ["fits", "seizure"]
    assert row.assertions == (("present", 3),)


def test_write_html_escapes_everything() -> None:
    bad = '"><script>alert(1)</script>&amp;'
    document = Document(bad, bad)
    link = make_link(document, "<script>", SEIZURE.__class__(bad, bad, bad, 1.0, 1.0, 1.0), expanded=bad)
    page = _read(LinkedDocument(document, (link,)))
    assert page.texts == [bad]
    assert page.titles == [bad]
    assert page.cards["n1m1-card"].count(bad) == 4
    assert _write(LinkedDocument(document, (link,))).count("<script>") == _write().count("<script>") == 1


def test_write_html_needs_nothing_from_elsewhere() -> None:
    written = _write(*DOCUMENTS)
    page = read_html(written)
    assert page.addresses == []
    assert page.tags.isdisjoint({"link", "img", "iframe", "object", "base", "form"})
    assert not re.search(r"https?://|url\(|@import|fetch\(|XMLHttp", written.replace("http://x", ""))
    assert "default-src 'none'" in written


def test_write_html_is_accessible_in_its_bones() -> None:
    written = _write(*DOCUMENTS)
    assert '<html lang="en">' in written
    assert "<main>" in written
    assert '<a class="skip" href="#contents">' in written
    assert len(re.findall(r"<mark[^>]*tabindex=\"0\"[^>]*aria-describedby", written)) == len(
        re.findall(r"<mark[^>]*data-card", written)
    )
    assert "prefers-color-scheme: dark" in written
    assert "@media print" in written
    assert "prefers-reduced-motion" in written


def test_write_html_of_empty_notes_and_of_nothing() -> None:
    page = _read(EMPTY)
    assert page.texts == [""]
    assert "No mention was found" in _write(EMPTY)
    assert _read().texts == []


def test_write_html_lists_all_notes_and_totals() -> None:
    written = _write(WARD, EMPTY, FORMULA)
    assert "3 notes, 8 mentions, 2 without a concept" in written
    assert read_html(written).titles == ["ward 3/fits", "empty", "=1+2"]


def test_write_html_takes_one_note_at_a_time() -> None:
    taken = 0
    behind = []

    class Stream(io.BytesIO):
        def write(self, data: object) -> int:
            behind.append(taken)
            return len(bytes(data))  # type: ignore[call-overload]

    def notes() -> object:
        nonlocal taken
        for _ in range(200):
            taken += 1
            yield WARD

    write_html(notes(), Stream())  # type: ignore[arg-type]
    assert behind[0] < 20
    assert len(behind) > 20

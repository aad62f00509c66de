from __future__ import annotations

import io
import re

import pytest
from hypothesis import given, settings

from medlink.formats.pubtator import split_text, write_pubtator
from medlink.records import LinkedDocument
from tests.formats.samples import DOCUMENTS, EMPTY, FORMULA, UNICODE, WARD, linked_documents

# As the format is described at https://www.ncbi.nlm.nih.gov/research/pubtator3/tutorial
_RECORD = re.compile(
    r"(?P<id>[^|\n]*)\|t\|(?P<title>[^\n]*)\n(?P=id)\|a\|(?P<abstract>[^\n]*)\n(?P<mentions>(?:[^\n]+\n)*)\n"
)


def _read(*linked: LinkedDocument) -> list[tuple[str, str, list[list[str]]]]:
    """Id, joined text and mention fields of each record; nothing may be left over."""
    stream = io.BytesIO()
    write_pubtator(linked, stream)
    written = stream.getvalue().decode()
    matches = list(_RECORD.finditer(written))
    assert "".join(match.group() for match in matches) == written
    return [
        (
            match["id"],
            f"{match['title']} {match['abstract']}",
            [line.split("\t") for line in match["mentions"].splitlines()],
        )
        for match in matches
    ]


@settings(max_examples=50, deadline=None)
@given(linked=linked_documents())
def test_write_pubtator_keeps_every_offset(linked: LinkedDocument) -> None:
    [(doc_id, text, mentions)] = _read(linked)
    assert len(mentions) == len(linked.links)
    for fields, link in zip(mentions, linked.links, strict=True):
        mention_id, start, end, surface, kind, concept_id = fields
        assert mention_id == doc_id
        assert (int(start), int(end)) == (link.mention.start, link.mention.end)
        assert text[int(start) : int(end)] == surface
        assert surface.split() == link.mention.surface.split()
        assert kind == (link.mention.label or "Concept")
        assert concept_id == (link.concept_id or "-1")


@settings(max_examples=50, deadline=None)
@given(linked=linked_documents())
def test_split_text_loses_no_character_but_line_breaks(linked: LinkedDocument) -> None:
    text = linked.document.text
    title, abstract = split_text(text)
    joined = f"{title} {abstract}"
    assert len(joined) == max(len(text), len(title) + 1)
    assert all(a == b or (b == " " and a.isspace()) for a, b in zip(text, joined, strict=False))
    assert title == title.rstrip()


@pytest.mark.parametrize(
    ("text", "title", "abstract"),
    [
        ("", "", ""),
        ("fit", "fit", ""),
        ("fit\n", "fit", ""),
        ("A\nB\nC", "A", "B C"),
        ("A\r\nB", "A", " B"),
        ("A  \nB", "A", "  B"),
        ("\n\n A\nB", "   A", "B"),
        ("A\tB\x0bC", "A B", "C"),
        (" \n", "", " "),
    ],
)
def test_split_text_takes_the_first_line_for_the_title(text: str, title: str, abstract: str) -> None:
    assert split_text(text) == (title, abstract)


def test_write_pubtator_gives_these_mentions() -> None:
    assert _read(WARD)[0][2] == [
        ["ward 3/fits", "12", "16", "fits", "Concept", "HP:0001250"],
        ["ward 3/fits", "22", "26", "GERD", "Concept", "HP:0002020"],
        ["ward 3/fits", "28", "42", "heart   attack", "Concept", "HP:0001658"],
        ["ward 3/fits", "47", "57", "zebra pain", "Concept", "-1"],
        ["ward 3/fits", "53", "57", "pain", "Concept", "HP:0000001"],
    ]


def test_write_pubtator_ends_every_record_with_an_empty_line() -> None:
    records = _read(*DOCUMENTS)
    assert [record[0] for record in records] == ["ward 3/fits", "unicode", "empty", "=1+2"]
    assert records[2] == ("empty", " ", [])
    assert _read() == []


def test_write_pubtator_escapes_the_separator_in_an_id() -> None:
    [(doc_id, _, _)] = _read(LinkedDocument(type(EMPTY.document)("a|b\t50%\n", "x"), ()))
    assert doc_id == "a%7Cb%0950%25%0A"


@pytest.mark.parametrize("linked", [UNICODE, FORMULA], ids=["unicode", "formula"])
def test_write_pubtator_counts_code_points(linked: LinkedDocument) -> None:
    [(_, text, mentions)] = _read(linked)
    assert [text[int(m[1]) : int(m[2])] for m in mentions] == [m[3] for m in mentions]

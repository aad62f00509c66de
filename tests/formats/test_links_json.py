from __future__ import annotations

import json

import pytest
from hypothesis import given, settings

from medlink.errors import CorpusFormatError
from medlink.formats.links_json import dump_line, parse_line
from medlink.records import Candidate, Document, Link, LinkedDocument, Mention
from tests.formats.samples import DOCUMENTS, EMPTY, WARD, linked_documents


@settings(max_examples=50, deadline=None)
@given(linked=linked_documents())
def test_parse_line_inverts_dump_line(linked: LinkedDocument) -> None:
    line = dump_line(linked, with_text=True)
    assert parse_line(line) == linked
    assert dump_line(parse_line(line), with_text=True) == line


@settings(max_examples=50, deadline=None)
@given(linked=linked_documents())
def test_dump_line_is_one_line_of_plain_json(linked: LinkedDocument) -> None:
    line = dump_line(linked, with_text=True)
    assert line.splitlines() == [line]
    row = json.loads(line)
    assert (row["id"], row["text"]) == (linked.document.id, linked.document.text)
    for link, record in zip(row["links"], linked.links, strict=True):
        assert link["surface"] == linked.document.text[link["start"] : link["end"]]
        assert link["concept_id"] == record.concept_id
        chosen = [c["name"] for c in link["candidates"] if c["concept_id"] == link["concept_id"]]
        assert link["concept_name"] == (chosen[0] if chosen else "")


def test_dump_line_gives_this_line() -> None:
    document = Document("n1", "fit")
    candidate = Candidate("HP:0001250", "Seizure", "fit", 1.0, -0.00001, 0.92345678)
    linked = LinkedDocument(document, (Link(Mention("n1", 0, 3, "fit"), (candidate,), "HP:0001250", "r", "v"),))
    assert dump_line(linked, with_text=False) == (
        '{"id":"n1","links":[{"start":0,"end":3,"surface":"fit","expanded":"","concept_id":"HP:0001250",'
        '"concept_name":"Seizure","score":0.9235,"assertion":[],"section":"","sentence":[0,0],"label":"",'
        '"candidates":[{"concept_id":"HP:0001250","name":"Seizure","matched":"fit","lexical":1.0,"dense":0.0,'
        '"score":0.9235}],"release":"r","ontology_version":"v"}]}'
    )


def test_dump_line_without_text_keeps_links() -> None:
    parsed = parse_line(dump_line(WARD, with_text=False))
    assert parsed.links == WARD.links
    assert parsed.document == Document(WARD.document.id, "")


def test_dump_line_of_an_empty_note() -> None:
    assert dump_line(EMPTY, with_text=True) == '{"id":"empty","text":"","links":[]}'


def test_dump_line_refuses_nan() -> None:
    link = Link(Mention("n", 0, 1, "x"), (Candidate("A:1", "a", "a", float("nan"), None, 0.5),), None, "r", "v")
    with pytest.raises(ValueError, match="JSON compliant"):
        dump_line(LinkedDocument(Document("n", "x"), (link,)), with_text=True)


def _edited(**changes: object) -> str:
    row = json.loads(dump_line(WARD, with_text=True))
    row["links"][0].update(changes)
    return json.dumps(row)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("", "json invalid"),
        ('{"id": "x"', "json invalid"),
        ('{"id": "x"}', "links: .*missing"),
        ('{"id": 5, "links": []}', "id: .*string type"),
        ('{"id": "x", "links": [], "extra": 1}', "extra: .*extra forbidden"),
        (_edited(start="12"), "links.0.start: .*int type"),
        (_edited(score=float("nan")), "links.0.score: .*finite number"),
        (_edited(assertion=["maybe"]), r"\[12, 16\).*unknown assertion.*got maybe"),
        (_edited(start=15, end=12), r"\[15, 12\).*offsets that do not fit"),
        (_edited(start=11, end=15), r"\[11, 15\).*differs from the text"),
        (_edited(candidates=[{}]), "candidates.0.concept_id: .*missing"),
    ],
    ids=lambda value: value[:20],
)
def test_parse_line_names_what_is_wrong(line: str, message: str) -> None:
    with pytest.raises(CorpusFormatError, match=message):
        parse_line(line)


@pytest.mark.parametrize(
    "line", [_edited(start="GERD"), _edited(section=None), _edited(start=11, end=15), '{"GERD": 1}']
)
def test_parse_line_keeps_the_note_out_of_its_errors(line: str) -> None:
    with pytest.raises(CorpusFormatError) as caught:
        parse_line(line)
    error: BaseException | None = caught.value
    while error is not None:
        assert "fits" not in str(error).replace(repr(WARD.document.id), "")
        assert "Has" not in str(error)
        error = error.__cause__


def test_documents_of_the_samples_survive() -> None:
    assert [parse_line(dump_line(linked, with_text=True)) for linked in DOCUMENTS] == list(DOCUMENTS)

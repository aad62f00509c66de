"""NOTE_NLP against the CDM's own field list, copied from OHDSI/CommonDataModel."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medlink.errors import SettingError
from medlink.formats.note_nlp import (
    COLUMNS,
    note_nlp_rows,
    note_number,
    write_note_nlp_csv,
    write_note_nlp_parquet,
)
from medlink.formats.processing_date import VARIABLE
from medlink.records import Assertion, Candidate, Document, LinkedDocument
from tests.formats.samples import HEADACHE, SEIZURE, WARD, linked_documents, make_link, numbered

# The rows of the table note_nlp, columns cdmFieldName, isRequired and cdmDatatype.
FIELDS = Path(__file__).parents[1] / "data" / "omop_note_nlp_fields.csv"
_DIABETES = Candidate("OMOP:201826", "Type 2 diabetes mellitus", "t2dm", 1.0, None, 0.9)


@pytest.fixture(autouse=True)
def _on_a_day(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "1735689599")


def _fields() -> list[dict[str, str]]:
    with FIELDS.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def _row(
    surface: str,
    *candidates: Candidate,
    assertion: Assertion = Assertion(),  # noqa: B008 - frozen
    nil: bool = False,
) -> dict[str, Any]:
    document = Document("7", f"Plan.\n{surface}; here.")
    link = make_link(document, surface, *candidates, assertion=assertion, nil=nil)
    [row] = note_nlp_rows([LinkedDocument(document, (link,))])
    return row


def _as_csv(*linked: LinkedDocument) -> str:
    stream = io.BytesIO()
    write_note_nlp_csv(linked, stream)
    return stream.getvalue().decode()


def test_columns_are_those_of_the_cdm() -> None:
    fields = {
        field["cdmFieldName"].strip('"'): field["cdmDatatype"] + "*" * (field["isRequired"] == "TRUE")
        for field in _fields()
    }
    assert list(fields.items()) == list(COLUMNS.items())


def test_note_nlp_rows_fill_every_column() -> None:
    assert next(note_nlp_rows([numbered(WARD, 3)], first_id=41)) == {
        "note_nlp_id": 41,
        "note_id": 3,
        "section_concept_id": 0,
        "snippet": "HISTORY: No fits. Has GERD, heart attack and zebra pain.",
        "offset": "12",
        "lexical_variant": "fits",
        "note_nlp_concept_id": 0,
        "note_nlp_source_concept_id": 0,
        "nlp_system": "medlink 0.1.0; surface-1; ontology 2025-01-16",
        "nlp_date": date(2024, 12, 31),
        "nlp_datetime": None,
        "term_exists": "N",
        "term_temporal": "present",
        "term_modifiers": "Negation=true;concept=HP:0001250;score=0.9731;section=History",
    }


@pytest.mark.parametrize(
    ("assertion", "exists", "temporal", "modifiers"),
    [
        (Assertion(), "Y", "present", ""),
        (Assertion(negated=True), "N", "present", "Negation=true;"),
        (Assertion(uncertain=True), "Y", "present", "Uncertain=true;"),
        (Assertion(historical=True), "Y", "past", "History=true;"),
        (Assertion(hypothetical=True), "N", None, "Conditional=true;"),
        (Assertion(family=True), "N", "present", "Subject=family;"),
        (Assertion(negated=True, historical=True), "N", "past", "Negation=true;History=true;"),
    ],
)
def test_note_nlp_rows_follow_the_cdm_on_what_is_asserted(
    assertion: Assertion, exists: str, temporal: str | None, modifiers: str
) -> None:
    row = _row("fits", SEIZURE, assertion=assertion)
    assert (row["term_exists"], row["term_temporal"]) == (exists, temporal)
    assert row["term_modifiers"] == f"{modifiers}concept=HP:0001250;score=0.9731;section=History"


def test_note_nlp_rows_have_the_concept_of_an_omop_vocabulary() -> None:
    row = _row("T2DM", _DIABETES)
    assert (row["note_nlp_concept_id"], row["note_nlp_source_concept_id"]) == (201826, 201826)
    assert "concept=OMOP:201826;" in row["term_modifiers"]


def test_note_nlp_rows_say_nil_by_the_modifier() -> None:
    row = _row("zebra pain", HEADACHE, nil=True)
    assert row["note_nlp_concept_id"] == 0
    assert row["term_modifiers"] == "concept=NIL;score=0.4021;section=History"


def test_note_nlp_rows_escape_what_parts_modifiers() -> None:
    document = Document("7", "A fit.")
    link = make_link(document, "fit", SEIZURE, expanded="50% fit;\nsecond")
    [row] = note_nlp_rows([LinkedDocument(document, (link,))])
    assert "expanded=50%25 fit%3B second;" in row["term_modifiers"]


def test_note_nlp_rows_cut_a_long_sentence_around_the_mention() -> None:
    document = Document("7", "x" * 300 + " fits " + "y" * 300)
    [row] = note_nlp_rows([LinkedDocument(document, (make_link(document, "fits", SEIZURE),))])
    assert len(row["snippet"]) == 250
    assert re.fullmatch("x+ fits y+", row["snippet"])


@pytest.mark.parametrize("doc_id", ["ward 3", "", "1.5", "007", "-0", "1e3", "٣", "9" * 19])
def test_note_number_refuses_what_is_no_key_of_the_table_note(doc_id: str) -> None:
    with pytest.raises(SettingError, match=r"ids are numbers.*--id-field note_id"):
        note_number(doc_id)


def test_note_number_takes_whole_numbers() -> None:
    assert [note_number(doc_id) for doc_id in ("0", "-7", "9223372036854775807")] == [0, -7, 2**63 - 1]


def test_write_note_nlp_csv_writes_null_as_nothing() -> None:
    header, first = _as_csv(numbered(WARD, 3)).splitlines()[:2]
    assert header == ",".join(COLUMNS)
    assert ",2024-12-31,,N,present," in first


def test_write_note_nlp_parquet_holds_what_the_csv_holds() -> None:
    linked = [numbered(WARD, 3), numbered(WARD, 4)]
    stream = io.BytesIO()
    write_note_nlp_parquet(linked, stream, first_id=1)
    rows = pq.read_table(io.BytesIO(stream.getvalue())).to_pylist()
    text = [{name: "" if value is None else str(value) for name, value in row.items()} for row in rows]
    assert text == list(csv.DictReader(io.StringIO(_as_csv(*linked), newline="")))
    assert [row["note_nlp_id"] for row in rows] == list(range(1, 11))


@settings(max_examples=100, deadline=None)
@given(linked=linked_documents(doc_id="12"), assertion=st.builds(Assertion))
def test_note_nlp_rows_fit_the_columns(linked: LinkedDocument, assertion: Assertion) -> None:
    links = tuple(replace(link, mention=replace(link.mention, assertion=assertion)) for link in linked.links)
    rows = list(note_nlp_rows([replace(linked, links=links)]))
    assert len(rows) == len(links)
    for field in _fields():
        for row in rows:
            _check_type(row[field["cdmFieldName"].strip('"')], field)


def _check_type(value: object, field: dict[str, str]) -> None:
    assert value is not None or field["isRequired"] == "FALSE"
    width = re.fullmatch(r"varchar\((\d+)\)", field["cdmDatatype"])
    if width and value is not None:
        assert isinstance(value, str)
        assert len(value) <= int(width[1])
    elif field["cdmDatatype"] == "integer":
        assert isinstance(value, int)
    elif field["cdmDatatype"] == "date":
        assert isinstance(value, date)


def test_note_nlp_rows_take_links_one_note_at_a_time() -> None:
    def notes() -> Iterator[LinkedDocument]:
        yield numbered(WARD, 1)
        raise AssertionError("read ahead")

    rows = note_nlp_rows(notes())
    assert next(rows)["note_id"] == 1

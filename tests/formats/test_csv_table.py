from __future__ import annotations

import csv
import io

import pyarrow.csv
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medlink.formats.csv_table import COLUMNS, guard, write_csv
from medlink.records import LinkedDocument
from tests.formats.samples import DOCUMENTS, EMPTY, FORMULA, WARD, linked_documents


def _write(*linked: LinkedDocument) -> bytes:
    stream = io.BytesIO()
    write_csv(linked, stream)
    return stream.getvalue()


def _read(*linked: LinkedDocument) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(_write(*linked).decode(), newline="")))


def _unguard(cell: str) -> str:
    return cell[1:] if cell.startswith("'") and guard(cell[1:]) == cell else cell


@settings(max_examples=50, deadline=None)
@given(linked=linked_documents())
def test_write_csv_gives_one_row_per_link(linked: LinkedDocument) -> None:
    rows = _read(linked)
    assert len(rows) == len(linked.links)
    for row, link in zip(rows, linked.links, strict=True):
        mention = link.mention
        assert (int(row["start"]), int(row["end"])) == (mention.start, mention.end)
        assert _unguard(row["doc_id"]) == mention.doc_id
        assert _unguard(row["surface"]) == mention.surface
        assert _unguard(row["expanded"]) == mention.expanded
        assert _unguard(row["section"]) == mention.section
        assert (int(row["sentence_start"]), int(row["sentence_end"])) == mention.sentence
        assert row["assertion"].split(";") == list(mention.assertion.labels or ("",))
        assert row["concept_id"] == (link.concept_id or "")
        assert row["alternatives"].count("(") >= len(link.candidates) - (link.concept_id is not None)


def test_write_csv_fills_every_column() -> None:
    assert _read(WARD)[0] == {
        "doc_id": "ward 3/fits",
        "start": "12",
        "end": "16",
        "surface": "fits",
        "expanded": "",
        "concept_id": "HP:0001250",
        "concept_name": "Seizure",
        "score": "0.9731",
        "assertion": "negated",
        "section": "History",
        "sentence_start": "0",
        "sentence_end": "59",
        "alternatives": "HP:0002315 Headache (0.4021)",
        "release": "surface-1",
        "ontology_version": "2025-01-16",
        "equivalents": "",
    }


def test_write_csv_says_nil_by_an_empty_concept() -> None:
    row = next(row for row in _read(WARD) if row["surface"] == "zebra pain")
    assert (row["concept_id"], row["concept_name"], row["score"]) == ("", "", "0.5")
    assert row["alternatives"] == "HP:0000001 A (0.5) | HP:0000002 B | C (0.5)"


def test_write_csv_of_nothing_is_the_header() -> None:
    header = (",".join(f'"{name}"' for name in COLUMNS) + "\n").encode()
    assert _write() == header
    assert _write(EMPTY) == header


def test_write_csv_can_be_read_by_arrow() -> None:
    options = pyarrow.csv.ParseOptions(newlines_in_values=True)
    table = pyarrow.csv.read_csv(io.BytesIO(_write(*DOCUMENTS)), parse_options=options)
    assert tuple(table.column_names) == COLUMNS
    assert table.num_rows == sum(len(linked.links) for linked in DOCUMENTS)
    assert table.column("surface").to_pylist()[2] == "heart\n  attack"
    assert table.column("score").to_pylist()[0] == 0.9731


def test_write_csv_leaves_no_formula() -> None:
    for row in _read(FORMULA):
        for name in ("doc_id", "surface", "concept_name"):
            assert row[name][:1] not in set("=+-@")
    assert [row["surface"] for row in _read(FORMULA)] == ["'-HCG", "'=1+1", "'@fits"]


@pytest.mark.parametrize("cell", ["=1", "+1", "-1", "@x", " =1", "\t=1", "\tx", "\rx", "\nx", "＝1", "\u00a0=1"])
def test_guard_puts_a_quote_before_a_formula(cell: str) -> None:
    assert guard(cell) == f"'{cell}"


@pytest.mark.parametrize("cell", ["", " ", "fit", "'fit", "5-HT", "a=b", "1"])
def test_guard_leaves_the_rest_alone(cell: str) -> None:
    assert guard(cell) == cell


@settings(max_examples=50, deadline=None)
@given(cell=st.text())
def test_guard_never_gives_a_formula(cell: str) -> None:
    assert not guard(cell).lstrip().startswith(tuple("=+-@"))

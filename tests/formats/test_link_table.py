from __future__ import annotations

import io

import pyarrow.parquet as pq
from hypothesis import given, settings

from medlink.formats.link_table import COLUMNS, link_schema, write_parquet
from medlink.records import LinkedDocument
from tests.formats.samples import DOCUMENTS, EMPTY, WARD, linked_documents


def _write(*linked: LinkedDocument) -> bytes:
    stream = io.BytesIO()
    write_parquet(linked, stream)
    return stream.getvalue()


def _read(*linked: LinkedDocument) -> list[dict[str, object]]:
    table = pq.read_table(io.BytesIO(_write(*linked)))
    assert table.schema.equals(link_schema())
    rows: list[dict[str, object]] = table.to_pylist()
    return rows


def test_write_parquet_fills_every_column() -> None:
    row = _read(WARD)[0]
    assert tuple(row) == tuple(COLUMNS)
    assert row == {
        "doc_id": "ward 3/fits",
        "start": 12,
        "end": 16,
        "surface": "fits",
        "expanded": "",
        "concept_id": "HP:0001250",
        "concept_name": "Seizure",
        "score": 0.9731,
        "negated": True,
        "uncertain": False,
        "historical": False,
        "hypothetical": False,
        "family": False,
        "section": "History",
        "sentence_start": 0,
        "sentence_end": 59,
        "label": "",
        "candidate_ids": ["HP:0001250", "HP:0002315"],
        "candidate_names": ["Seizure", "Headache"],
        "candidate_scores": [0.9731, 0.4021],
        "release": "surface-1",
        "ontology_version": "2025-01-16",
    }


def test_write_parquet_says_nil_by_null() -> None:
    row = next(row for row in _read(WARD) if row["surface"] == "zebra pain")
    assert (row["concept_id"], row["concept_name"], row["score"]) == (None, None, 0.5)
    assert row["candidate_ids"] == ["HP:0000001", "HP:0000002"]


def test_write_parquet_of_nothing_has_the_schema() -> None:
    assert _read() == []
    assert _read(EMPTY) == []


def test_write_parquet_gives_the_same_bytes_again() -> None:
    assert _write(*DOCUMENTS) == _write(*DOCUMENTS)


@settings(max_examples=50, deadline=None)
@given(linked=linked_documents())
def test_write_parquet_holds_every_link(linked: LinkedDocument) -> None:
    rows = _read(linked)
    assert [(row["start"], row["end"], row["surface"]) for row in rows] == [
        (link.mention.start, link.mention.end, link.mention.surface) for link in linked.links
    ]
    assert [row["concept_id"] for row in rows] == [link.concept_id for link in linked.links]
    assert {row["ontology_version"] for row in rows} == {link.ontology_version for link in linked.links}

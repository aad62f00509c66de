"""medlink's own form of annotations: both kinds of file hold all of it, and bad lines are told apart one by one."""

from __future__ import annotations

import io
import json
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from medlink.formats.annotation_jsonl import (
    CSV_COLUMNS,
    dump_annotation,
    dump_rejected,
    json_schema,
    read_annotation_csv,
    read_annotation_jsonl,
    write_annotation_csv,
    write_annotation_jsonl,
)
from medlink.formats.annotations import Reader
from medlink.formats.batch_files import BatchFile, Limits
from medlink.formats.proposed import Reading
from medlink.records import Annotation, Proposal, Rejected, Source, Verdict

SCHEMA = Path(__file__).parents[2] / "docs" / "annotation.schema.json"
LEAST = {"doc_id": "d1", "start": 4, "end": 7, "surface": "fit", "verdict": "correct", "concept_id": "HP:1"}
WORDS = st.text(st.characters(codec="utf-8"), max_size=6)
IDS = st.from_regex(r"[A-Z]{1,4}:[0-9]{1,7}", fullmatch=True)


@st.composite
def any_annotation(draw: st.DrawFn) -> Annotation:
    verdict = draw(st.sampled_from(Verdict))
    concept = draw(IDS if verdict.needs_concept else st.none() | IDS if verdict.takes_concept else st.none())
    start, surface = draw(st.integers(0, 1000)), draw(WORDS.filter(bool))
    return Annotation(
        doc_id=draw(WORDS.filter(bool)),
        start=start,
        end=start + draw(st.integers(1, 50)),
        surface=surface,
        verdict=verdict,
        source=Source(draw(WORDS.filter(bool)), draw(st.integers(0, 99)), draw(WORDS)),
        tool=draw(WORDS.filter(bool)),
        concept_id=concept,
        expanded=draw(WORDS),
        section=draw(WORDS),
        text=draw(st.none() | WORDS.filter(bool)),
        proposed=tuple(draw(st.lists(st.builds(Proposal, IDS, st.none() | st.floats(0, 1)), max_size=3))),
        rejected=tuple(draw(st.lists(IDS, max_size=3))),
        annotator=draw(WORDS),
        time=draw(st.none() | st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=st.just(UTC))),
        release=draw(WORDS),
        ontology_version=draw(WORDS),
        doc_hash=draw(WORDS),
        context=(draw(WORDS), draw(WORDS)),
        adjudicator=draw(st.booleans()),
    )


def read(reader: Reader, data: bytes) -> list[Annotation | Rejected]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "f"
        path.write_bytes(data)
        return list(reader(BatchFile("f", "f", path), Reading()))


def read_jsonl(*lines: str | bytes | dict[str, Any]) -> list[Annotation | Rejected]:
    data = b"\n".join(
        line if isinstance(line, bytes) else (line if isinstance(line, str) else json.dumps(line)).encode()
        for line in lines
    )
    return read(read_annotation_jsonl, data)


def read_csv(text: str | bytes) -> list[Annotation | Rejected]:
    return read(read_annotation_csv, text if isinstance(text, bytes) else text.encode())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("write", "reader"),
    [(write_annotation_jsonl, read_annotation_jsonl), (write_annotation_csv, read_annotation_csv)],
    ids=["jsonl", "csv"],
)
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # the first example loads Unicode's tables
@given(given_ones=st.lists(any_annotation(), max_size=4))
def test_what_is_written_is_read(
    write: Callable[[list[Annotation], BinaryIO], None],
    reader: Reader,
    given_ones: list[Annotation],
) -> None:
    stream = io.BytesIO()
    write(given_ones, stream)
    assert read(reader, stream.getvalue()) == given_ones


@given(any_annotation())
def test_an_annotation_comes_back_from_quarantine_with_its_source(annotation: Annotation) -> None:
    assert read_jsonl(dump_annotation(annotation, quarantined="why")) == [annotation]


def test_a_record_that_nobody_mended_stays_what_it_is() -> None:
    rejected = Rejected(Source("a.json", 3, "T3"), "why", "{broken")
    assert read_jsonl(dump_rejected(rejected)) == [rejected]


def test_least_line() -> None:
    (found,) = read_jsonl(LEAST)
    assert found == Annotation("d1", 4, 7, "fit", Verdict.CORRECT, Source("f", 1), "medlink", "HP:1")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"verdict": "maybe"}, "verdict: enum; expected 'accept', 'correct'"),
        ({"start": -1}, "start: greater than equal"),
        ({"start": "4"}, "start: int type"),
        ({"start": 9}, "0 <= start < end"),
        ({"concept_id": ""}, "needs a concept"),
        ({"verdict": "nil"}, "takes no concept"),
        ({"time": "2026-01-05T09:00:00"}, "time: timezone aware"),
        ({"colour": "red"}, "colour: extra forbidden"),
        ({"surface": ""}, "neither the mention's surface nor the document's text"),
        ({"doc_id": ""}, "doc_id: string too short"),
        ({"proposed": [{"concept_id": "HP:1", "score": "7"}]}, "proposed.0.score: float type"),
    ],
    ids=str,
)
def test_bad_values_are_named_without_the_text(change: dict[str, Any], reason: str) -> None:
    line = LEAST | {"text": "SECRET fit"} | change
    if change == {"surface": ""}:
        del line["text"]
    (found,) = read_jsonl(line)
    assert isinstance(found, Rejected)
    assert reason in found.reason
    assert "SECRET" not in found.reason
    assert json.loads(found.raw) == line


@pytest.mark.parametrize(
    "line",
    [b"{", b"\xff\xfe", b"[1]", b"null", b"[" * 100_000, b'{"doc_id": "\\ud800"}', b'"' + b"x" * 99],
    ids=range(7),
)
def test_broken_lines_cost_no_good_one(line: bytes) -> None:
    first, second, third = read_jsonl(LEAST, line, LEAST)
    assert isinstance(first, Annotation)
    assert isinstance(second, Rejected)
    assert second.source == Source("f", 2)
    assert isinstance(third, Annotation)


def test_gigantic_line_is_not_held() -> None:
    _, second, third = read_jsonl(LEAST, b'{"doc_id": "' + b"x" * Limits().line_bytes, LEAST)
    assert isinstance(second, Rejected)
    assert "bytes; expected at most 20,000,000" in second.reason
    assert second.raw == ""
    assert isinstance(third, Annotation)


@given(st.binary(max_size=200))
def test_any_bytes_give_records_or_reasons(data: bytes) -> None:
    for reader in (read_annotation_jsonl, read_annotation_csv):
        for found in read(reader, data):
            assert isinstance(found, Annotation | Rejected)


def test_csv_of_few_columns_in_another_order() -> None:
    table = "\ufeffEnd,verdict,doc_id,surface,start,proposed\r\n7,nil,d1,fit,4,HP:1 (0.5) | HP:2\r\n"
    (found,) = read_csv(table)
    proposed = (Proposal("HP:1", 0.5), Proposal("HP:2"))
    assert found == Annotation("d1", 4, 7, "fit", Verdict.NIL, Source("f", 2), "medlink", proposed=proposed)


@pytest.mark.parametrize(
    ("table", "line", "reason"),
    [
        ("doc_id,start,end\nd1,4,7", 1, "no column verdict"),
        ("doc_id,start,end,verdict,secret\n", 1, "1 columns have other names"),
        ("doc_id,start,end,verdict,start\n", 1, "same name"),
        ("doc_id,start,end,verdict,surface\nd1,4,7\n", 2, "has 3 cells; expected 5"),
        ("doc_id,start,end,verdict,surface\nd1,four,7,nil,fit\n", 2, "start: int parsing"),
        ("doc_id,start,end,verdict,surface\nd1,4,7,nil,\xff\n".encode("latin-1"), 2, "not UTF-8"),
        ('doc_id,start,end,verdict,surface\nd1,4,7,nil,"fit"x\n', 2, "broken CSV"),
    ],
    ids=range(7),
)
def test_bad_tables(table: str | bytes, line: int, reason: str) -> None:
    (found,) = read_csv(table)
    assert isinstance(found, Rejected)
    assert found.source == Source("f", line)
    assert reason in found.reason


@pytest.mark.parametrize("surface", ["=1+1", "'=1+1", "''x", "-x", "'x", "\tx", "@x", " =x"])
def test_csv_is_no_formula_and_comes_back(surface: str) -> None:
    stream = io.BytesIO()
    write_annotation_csv([Annotation("d1", 0, 1, surface, Verdict.NIL, Source("f", 1), "t")], stream)
    cell = stream.getvalue().decode().split("\n", 1)[1].split(",")[3].strip('"')
    assert cell.startswith("'")
    (found,) = read_csv(stream.getvalue())
    assert isinstance(found, Annotation)
    assert found.surface == surface


def test_published_schema_is_the_one_that_is_read() -> None:
    """Where it is not: python -c "from medlink.formats.annotation_jsonl import …" writes json_schema() there."""
    assert json.loads(SCHEMA.read_text(encoding="utf-8")) == json_schema()


def test_csv_columns_are_fields_of_the_schema() -> None:
    assert set(CSV_COLUMNS) == set(json_schema()["properties"]) - {"quarantine", "source"} | {
        f"source_{name}" for name in ("file", "line", "record")
    }

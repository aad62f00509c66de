"""Links as a table to fill in: what is filled in comes back as it was asked, and no cell is a formula."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from hypothesis import given

from medlink.formats.annotation_jsonl import read_annotation_csv
from medlink.formats.batch_files import BatchFile
from medlink.formats.csv_table import guard
from medlink.formats.proposed import Reading, proposed_of
from medlink.formats.question_csv import WINDOW, write_question_csv
from medlink.records import Annotation, LinkedDocument, Verdict
from tests.formats.samples import FORMULA, UNICODE, WARD, linked_documents


def table(*linked: LinkedDocument) -> list[dict[str, str]]:
    stream = io.BytesIO()
    write_question_csv(linked, stream)
    return list(csv.DictReader(io.StringIO(stream.getvalue().decode(), newline="")))


def test_candidates_are_named_and_answers_are_empty() -> None:
    rows = {row["surface"]: row for row in table(WARD)}
    assert rows["fits"]["candidates"] == "HP:0001250 Seizure | HP:0002315 Headache"
    assert rows["fits"]["proposed"] == "HP:0001250 (0.9731) | HP:0002315 (0.4021)"
    assert rows["zebra pain"]["candidates"] == "NIL | HP:0000001 A | HP:0000002 B | C"
    assert rows["fits"]["before"] == "HISTORY:\nNo "
    assert {row[column] for row in rows.values() for column in ("verdict", "concept_id", "annotator", "time")} == {""}


def read_back(tmp_path: Path, *linked: LinkedDocument) -> list[Annotation]:
    """What is read when every verdict is NIL."""
    rows = table(*linked)
    path = tmp_path / "table.csv"
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(row | {"verdict": "nil"} for row in rows)
    read = list(read_annotation_csv(BatchFile(str(path), "", path), Reading()))
    assert all(isinstance(item, Annotation) for item in read)
    return [item for item in read if isinstance(item, Annotation)]


def test_what_is_filled_in_comes_back_as_it_was_asked(tmp_path: Path) -> None:
    asked = [(linked.document.text, link) for linked in (WARD, UNICODE, FORMULA) for link in linked.links]
    for annotation, (text, link) in zip(read_back(tmp_path, WARD, UNICODE, FORMULA), asked, strict=True):
        mention = link.mention
        assert (annotation.doc_id, annotation.start, annotation.end) == (mention.doc_id, mention.start, mention.end)
        assert (annotation.surface, annotation.expanded) == (mention.surface, mention.expanded)
        assert annotation.context == (text[: mention.start][-WINDOW:], text[mention.end :][:WINDOW])
        assert (annotation.verdict, annotation.proposed) == (Verdict.NIL, proposed_of(link).candidates)
        assert (annotation.release, annotation.section) == (link.release, mention.section)


@given(linked_documents())
def test_no_cell_is_a_formula(linked: LinkedDocument) -> None:
    for row in table(linked):
        assert all(guard(cell) == cell for cell in row.values())

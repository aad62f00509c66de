from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from medlink.formats.proposed import proposed_row
from medlink.records import Document, Verdict
from tests.formats.annotating import read, read_bytes
from tests.formats.samples import SEIZURE, make_link

TEXT = "😀 No fits. Has GERD."


def line(**row: Any) -> str:
    return json.dumps({"id": 5, "text": TEXT, "doc_id": "note", "Comments": [], **row}) + "\n"


@pytest.mark.parametrize(
    "row",
    [
        {"label": [[6, 10, "HP:0001250"], [16, 20, "Reflux (HP:0002020)"]]},
        {"labels": [[6, 10, "HP:0001250"], [16, 20, "HP:0002020"]]},
        {
            "entities": [
                {"id": 31, "label": "HP:0001250", "start_offset": 6, "end_offset": 10},
                {"id": 32, "label": "HP:0002020", "start_offset": 16, "end_offset": 20},
            ],
            "relations": [],
        },
    ],
    ids=["label", "labels", "entities"],
)
def test_every_form_of_the_export_is_read(tmp_path: Path, row: dict[str, Any]) -> None:
    good, bad = read_bytes(tmp_path, line(**row))
    assert bad == []
    assert [(a.start, a.end, a.surface, a.concept_id, a.verdict) for a in good] == [
        (5, 9, "fits", "HP:0001250", Verdict.MISSED),
        (15, 19, "GERD", "HP:0002020", Verdict.MISSED),
    ]


def test_offsets_in_code_points_are_recognised_by_the_proposals(tmp_path: Path) -> None:
    carried = [proposed_row(make_link(Document("note", TEXT), "fits", SEIZURE))]
    (got,), bad = read_bytes(tmp_path, line(label=[[5, 9, "HP:0001250"]], medlink=carried))
    assert (bad, got.surface, got.verdict) == ([], "fits", Verdict.ACCEPT)


def test_a_plain_label_names_no_concept(tmp_path: Path) -> None:
    good, (rejected,) = read_bytes(tmp_path, line(label=[[6, 10, "Disease"]]))
    assert good == []
    assert rejected.reason.startswith("a span without a concept")


def test_bad_labels_are_rejected_and_good_ones_kept(tmp_path: Path) -> None:
    labels: list[Any] = [
        [6, 10, "HP:0001250"],
        [6, 999, "HP:1"],
        [-1, 3, "HP:1"],
        ["a", 3, "HP:1"],
        [1, 2],
        [1, 2, 3],
        None,
    ]
    good, bad = read_bytes(tmp_path, line(label=[*labels, labels[0]]))
    assert [a.surface for a in good] == ["fits"]
    assert [item.reason.split(";")[0] for item in bad] == [
        "offsets outside of the text",
        "offsets outside of the text",
        "'start' is no whole number",
        "a label is no JSON object",
        "a label that is no text",
        "a label is no JSON object",
        "the same span with the same concept again",
    ]


def test_the_files_of_an_archive_are_named_for_the_annotators(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "export.zip", "w") as archive:
        for name in ("kim", "all"):
            archive.writestr(f"{name}.jsonl", line(label=[[6, 10, "HP:0001250"]]))
    good, bad = read(tmp_path / "export.zip")
    assert (bad, [a.annotator for a in good]) == ([], ["", "kim"])

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from medlink.records import Verdict
from tests.formats.annotating import read_bytes

TEXT = "😀 No fits, no fits. Has GERD."


def region(name: str, start: int, end: int, text: str, label: str = "Concept", **value: Any) -> dict[str, Any]:
    return {
        "id": name,
        "from_name": "label",
        "to_name": "text",
        "type": "labels",
        "origin": "manual",
        "value": {"start": start, "end": end, "text": text, "labels": [label], **value},
    }


def choice(name: str, kind: str, value: object) -> dict[str, Any]:
    key = "text" if kind == "textarea" else kind
    return {"id": name, "from_name": "cui", "to_name": "text", "type": kind, "value": {key: value}}


def task(
    *versions: list[dict[str, Any]], predicted: list[dict[str, Any]] | None = None, **changes: Any
) -> dict[str, Any]:
    by = ({"id": 3, "email": "a@x.org", "first_name": "", "last_name": ""}, 4)
    return {
        "id": 1,
        "data": {"text": TEXT, "id": "note"},
        "annotations": [
            {
                "id": 100 + n,
                "completed_by": by[n],
                "was_cancelled": False,
                "created_at": "2024-05-01T10:00:00Z",
                "result": v,
            }
            for n, v in enumerate(versions)
        ],
        "predictions": [{"id": 9, "model_version": "r1", "score": 0.75, "result": predicted}]
        if predicted is not None
        else [],
        "drafts": [],
        **changes,
    }


PREDICTED = [region("p", 5, 9, "fits"), choice("p", "textarea", ["HP:0001250"])]


def test_two_annotators_are_compared_with_the_prediction_one_by_one(tmp_path: Path) -> None:
    second = [
        region("p", 5, 9, "fits"),
        choice("p", "choices", ["HP:0002315"]),
        region("m", 25, 29, "GERD", "HP:0002020"),
    ]
    good, bad = read_bytes(tmp_path, json.dumps([task(PREDICTED, second, predicted=PREDICTED)]))
    assert bad == []
    assert [(a.annotator, a.surface, a.verdict, a.concept_id, a.rejected) for a in good] == [
        ("a@x.org", "fits", Verdict.ACCEPT, "HP:0001250", ()),
        ("4", "fits", Verdict.CORRECT, "HP:0002315", ("HP:0001250",)),
        ("4", "GERD", Verdict.MISSED, "HP:0002020", ()),
    ]
    assert [(a.release, [p.score for p in a.proposed]) for a in good[:2]] == [("r1", [0.75])] * 2
    assert [a.source.record_id for a in good] == ["100", "101", "101"]


def test_a_taxonomy_means_its_last_level(tmp_path: Path) -> None:
    version = [region("p", 5, 9, "fits"), choice("p", "taxonomy", [["Nervous system", "Seizure (HP:0001250)"]])]
    (got,), bad = read_bytes(tmp_path, json.dumps([task(version)]))
    assert (bad, got.concept_id, got.verdict) == ([], "HP:0001250", Verdict.MISSED)


@pytest.mark.parametrize("shift", [0, 1], ids=["code points", "UTF-16"])
def test_old_versions_count_utf16_units(tmp_path: Path, shift: int) -> None:
    version = [
        region("a", 5 + shift, 9 + shift, "fits", "HP:0001250"),
        region("b", 14 + shift, 18 + shift, "fits", "HP:0001250"),
        region("c", 24 + shift, 28 + shift, "GERD", "HP:0002020"),
    ]
    good, bad = read_bytes(tmp_path, json.dumps([task(version)]))
    assert bad == []
    assert [(a.start, a.end) for a in good] == [(5, 9), (14, 18), (24, 28)]


def test_hypertext_uses_global_offsets(tmp_path: Path) -> None:
    row = region("a", 0, 0, "fits", "HP:0001250")
    row["type"] = "hypertextlabels"
    row["value"] |= {"start": "/p[1]/text()[1]", "end": "/p[1]/text()[1]", "globalOffsets": {"start": 5, "end": 9}}
    row["value"]["hypertextlabels"] = row["value"].pop("labels")
    (got,), bad = read_bytes(tmp_path, json.dumps([task([row])]))
    assert (bad, got.start, got.end) == ([], 5, 9)


def test_a_skipped_task_is_ignored_and_an_open_one_says_nothing(tmp_path: Path) -> None:
    skipped = task([], predicted=PREDICTED)
    skipped["annotations"][0]["was_cancelled"] = True
    good, bad = read_bytes(tmp_path, json.dumps([skipped, task(predicted=PREDICTED)]))
    assert bad == []
    assert [(a.surface, a.verdict) for a in good] == [("fits", Verdict.IGNORE)]


def test_a_region_that_cannot_be_read_leaves_the_proposals_open(tmp_path: Path) -> None:
    good, bad = read_bytes(
        tmp_path, json.dumps([task([region("p", 5, 9, "fits") | {"value": None}], predicted=PREDICTED)])
    )
    assert good == []
    assert [item.reason.split(";")[0] for item in bad] == [
        "'value' is no JSON object",
        "1 proposals left open: a span of this document could not be placed",
    ]


def test_a_span_without_a_concept_is_unfinished(tmp_path: Path) -> None:
    good, (rejected,) = read_bytes(tmp_path, json.dumps([task([region("p", 5, 9, "fits")])]))
    assert good == []
    assert rejected.reason.startswith("a span without a concept")


def test_what_is_before_the_broken_end_of_an_array_is_kept(tmp_path: Path) -> None:
    whole = json.dumps([task(PREDICTED, predicted=PREDICTED)] * 3)
    good, bad = read_bytes(tmp_path, whole[: len(whole) * 9 // 10])
    assert len(good) == 2
    assert [item.reason[:11] for item in bad] == ["broken JSON"]


def test_the_short_export_is_refused_with_the_way_out(tmp_path: Path) -> None:
    row = {
        "id": 1,
        "text": TEXT,
        "label": [{"start": 5, "end": 9, "text": "fits", "labels": ["X"]}],
        "annotation_id": 3,
    }
    good, (rejected,) = read_bytes(tmp_path, json.dumps([row]))
    assert good == []
    assert rejected.reason == "the short export, JSON-MIN, which lacks what was proposed; expected the export JSON"

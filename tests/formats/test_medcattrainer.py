from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from medlink.records import Verdict
from tests.formats.annotating import read_bytes

FLAGS = ("validated", "correct", "deleted", "alternative", "killed", "irrelevant", "manually_created")


def export(*annotations: dict[str, Any], **document: Any) -> str:
    rows = [
        {
            "id": 50 + n, "user": "ann", "cui": "C0036572", "value": "fits", "start": 3, "end": 7, "acc": 0.8,
            "comment": None, "create_time": "2024-05-01 09:00:00.000000", "last_modified": "2024-05-01 10:00:00.000000",
            "meta_anns": {}, **dict.fromkeys(FLAGS, False), **row,
        }
        for n, row in enumerate(annotations)
    ]  # fmt: skip
    documents = [{"id": 7, "name": "note", "text": "No fits.", "annotations": rows, "relations": [], **document}]
    return json.dumps({"projects": [{"name": "p", "id": 1, "cuis": "", "meta_anno_defs": [], "documents": documents}]})


@pytest.mark.parametrize(
    ("flags", "verdict", "concept", "rejected", "proposed"),
    [
        ({"validated": True, "correct": True}, Verdict.ACCEPT, "C0036572", (), ("C0036572",)),
        ({"validated": True, "alternative": True, "cui": "C1"}, Verdict.CORRECT, "C1", (), ()),
        ({"validated": True, "alternative": "C1"}, Verdict.CORRECT, "C1", (), ()),
        ({"validated": True, "deleted": True}, Verdict.NOT_A_MENTION, None, ("C0036572",), ("C0036572",)),
        ({"validated": True, "killed": True}, Verdict.NOT_A_MENTION, None, ("C0036572",), ("C0036572",)),
        ({"validated": True, "irrelevant": True}, Verdict.IGNORE, None, (), ("C0036572",)),
        ({"validated": True, "correct": True, "manually_created": True}, Verdict.MISSED, "C0036572", (), ()),
        ({"validated": True, "correct": True, "cui": "NIL"}, Verdict.NIL, None, (), ()),
    ],
)
def test_flags_are_verdicts(
    tmp_path: Path,
    flags: dict[str, Any],
    verdict: Verdict,
    concept: str | None,
    rejected: tuple[str, ...],
    proposed: tuple[str, ...],
) -> None:
    (got,), bad = read_bytes(tmp_path, export(flags))
    assert bad == []
    assert (got.verdict, got.concept_id, got.rejected) == (verdict, concept, rejected)
    assert tuple(p.concept_id for p in got.proposed) == proposed
    assert (got.doc_id, got.annotator, got.source.record_id, got.surface) == ("note", "ann", "50", "fits")
    assert got.time is not None and got.time.isoformat() == "2024-05-01T10:00:00+00:00"


def test_what_nobody_has_validated_says_nothing(tmp_path: Path) -> None:
    assert read_bytes(tmp_path, export({})) == ([], [])


def test_an_export_without_text_is_rejected_annotation_by_annotation(tmp_path: Path) -> None:
    good, bad = read_bytes(
        tmp_path, export({"validated": True, "correct": True, "start": None}, {"validated": True, "correct": True})
    )
    assert len(good) == 1
    assert [(item.source.record_id, item.reason) for item in bad] == [
        ("50", "'start' is no whole number; got NoneType")
    ]
    assert json.loads(bad[0].raw)["id"] == 50


def test_truncated_is_rejected_whole(tmp_path: Path) -> None:
    good, (rejected,) = read_bytes(tmp_path, export({"validated": True})[:-20])
    assert good == []
    assert rejected.reason.startswith("broken JSON")

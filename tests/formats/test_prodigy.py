from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from medlink.records import Annotation, Proposal, Verdict
from tests.formats.annotating import read_bytes

TEXT = "No fits. Has GERD."
# As the recipe of spaCy's tutorial on entity linking writes it.
QUESTION: dict[str, Any] = {
    "text": TEXT,
    "_input_hash": 1893617203,
    "_task_hash": -1193424023,
    "spans": [{"start": 3, "end": 7, "label": "DISEASE", "source": "en_core_sci", "text": "fits", "rank": 0}],
    "meta": {"score": 0.9, "id": "note-7"},
    "options": [
        {"id": "HP:0001250", "html": "<b>Seizure</b>", "score": 0.9},
        {"id": "HP:0002315", "html": "Headache"},
        {"id": "NIL_otherLink", "text": "Link not in options"},
        {"id": "NIL_ambiguous", "text": "Need more context"},
    ],
    "_session_id": "el-kim",
    "_view_id": "choice",
    "accept": ["HP:0001250"],
    "config": {"choice_style": "single"},
    "answer": "accept",
    "_timestamp": 1714557600,
}


def answer(tmp_path: Path, **changes: Any) -> Annotation:
    good, bad = read_bytes(tmp_path, json.dumps(QUESTION | changes) + "\n")
    assert bad == []
    (annotation,) = good
    return annotation


def reason(tmp_path: Path, **changes: Any) -> str:
    good, (rejected,) = read_bytes(tmp_path, json.dumps(QUESTION | changes) + "\n")
    assert good == []
    return rejected.reason


@pytest.mark.parametrize(
    ("changes", "verdict", "concept", "rejected"),
    [
        ({}, Verdict.ACCEPT, "HP:0001250", ("HP:0002315",)),
        ({"accept": ["HP:0002315"]}, Verdict.CORRECT, "HP:0002315", ("HP:0001250",)),
        ({"accept": ["NIL"]}, Verdict.NIL, None, ("HP:0001250", "HP:0002315")),
        ({"accept": ["NIL_otherLink"]}, Verdict.IGNORE, None, ("HP:0001250", "HP:0002315")),
        ({"accept": ["NIL_ambiguous"]}, Verdict.IGNORE, None, ()),
        ({"accept": [], "answer": "reject"}, Verdict.NOT_A_MENTION, None, ("HP:0001250", "HP:0002315")),
        ({"accept": [], "answer": "ignore"}, Verdict.IGNORE, None, ()),
    ],
    ids=["accept", "correct", "nil", "other link", "ambiguous", "reject", "ignore"],
)
def test_options_that_were_shown_and_not_accepted_are_rejected_candidates(
    tmp_path: Path, changes: dict[str, Any], verdict: Verdict, concept: str | None, rejected: tuple[str, ...]
) -> None:
    got = answer(tmp_path, **changes)
    assert (got.verdict, got.concept_id, got.rejected) == (verdict, concept, rejected)
    assert (got.doc_id, got.start, got.end, got.surface, got.text) == ("note-7", 3, 7, "fits", TEXT)
    assert got.proposed == (Proposal("HP:0001250", 0.9), Proposal("HP:0002315"))
    assert (got.annotator, got.time and got.time.isoformat()) == ("el-kim", "2024-05-01T10:00:00+00:00")
    assert (got.tool, got.source.line) == ("prodigy", 1)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"accept": []}, "one accepted option; got 0"),
        ({"accept": ["HP:0001250", "HP:0002315"]}, "one accepted option; got 2"),
        ({"answer": None}, "no answer"),
        ({"meta": {}}, "no document id"),
        ({"spans": []}, "about one span; got 0"),
        ({"spans": [{"start": 3, "end": 400}]}, "outside of the text"),
        ({"spans": [{"start": -3, "end": 4}]}, "outside of the text"),
        ({"spans": [{"start": "3", "end": 7}]}, "'start' is no whole number"),
        ({"options": "all"}, "'options' is no list"),
        ({"medlink": {"doc_id": "x", "links": [{"start": 3}]}}, "'end' is no whole number"),
        ({"accept": ["seizures in the morning"]}, "with spaces in the place of a concept id"),
    ],
)
def test_a_question_that_cannot_be_understood_says_why(tmp_path: Path, changes: dict[str, Any], words: str) -> None:
    assert words in reason(tmp_path, **changes)


def test_a_document_with_edited_spans_and_no_proposals_has_missed_mentions(tmp_path: Path) -> None:
    spans = [
        {"start": 3, "end": 7, "label": "X", "kb_id": "HP:0001250"},
        {"start": 13, "end": 17, "label": "HP:0002020"},
    ]
    row = {"text": TEXT, "spans": spans, "meta": {"id": "n"}, "answer": "accept", "_annotator_id": "kim"}
    good, bad = read_bytes(tmp_path, json.dumps(row))
    assert bad == []
    assert [(a.surface, a.verdict, a.concept_id) for a in good] == [
        ("fits", Verdict.MISSED, "HP:0001250"),
        ("GERD", Verdict.MISSED, "HP:0002020"),
    ]


def test_a_rejected_document_rejects_its_concepts_and_says_nothing_else(tmp_path: Path) -> None:
    spans = [{"start": 3, "end": 7, "label": "X", "kb_id": "HP:0001250"}]
    row = {"text": TEXT, "spans": spans, "meta": {"id": "n"}, "answer": "reject"}
    (got,), bad = read_bytes(tmp_path, json.dumps(row))
    assert (bad, got.verdict, got.rejected) == ([], Verdict.IGNORE, ("HP:0001250",))


def test_one_bad_line_costs_one_line(tmp_path: Path) -> None:
    lines = [json.dumps(QUESTION), "{broken", "[]", '"seizure"', json.dumps(QUESTION)]
    good, bad = read_bytes(tmp_path, "\n".join(lines), format="prodigy")
    assert [a.source.line for a in good] == [1, 5]
    assert [item.source.line for item in bad] == [2, 3, 4]
    assert bad[0].raw == "{broken"

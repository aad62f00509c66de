"""Concepts that stay in a file, or lie over others, against tuples and dictionaries of the same ones."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from medlink.ontology.concept_json import concept_line
from medlink.ontology.stored import ConceptsById, Overlaid, Selected, StoredConcepts, overlay
from medlink.records import Concept, Name

CONCEPTS = tuple(Concept(f"X:{n}", f"näme {n}", (Name(f"sýnonym {n}"),) * (n % 3), obsolete=n == 3) for n in range(6))


@pytest.fixture
def stored(tmp_path: Path) -> StoredConcepts:
    lines = [f"{concept_line(concept)}\n".encode() for concept in CONCEPTS]
    (tmp_path / "concepts.jsonl").write_bytes(b"".join(lines))
    return StoredConcepts(tmp_path / "concepts.jsonl", np.cumsum([0, *map(len, lines)]))


def test_stored_concepts_are_those_written(stored: StoredConcepts) -> None:
    assert stored == CONCEPTS
    assert tuple(stored) == CONCEPTS == stored[:]
    assert stored[-1] == CONCEPTS[-1]
    assert stored != CONCEPTS[1:]
    assert stored != (*CONCEPTS[1:], CONCEPTS[0])


def test_a_file_that_does_not_end_with_its_last_line_is_refused(tmp_path: Path) -> None:
    (tmp_path / "concepts.jsonl").write_bytes(b"[]\n")
    with pytest.raises(ValueError, match="has 3 bytes"):
        StoredConcepts(tmp_path / "concepts.jsonl", np.array([0, 2]))


def test_selected_are_those_at_the_places(stored: StoredConcepts) -> None:
    selected = Selected(stored, np.array([0, 2, 5], np.int32))
    assert selected == (CONCEPTS[0], CONCEPTS[2], CONCEPTS[5])
    assert [selected[place] for place in range(3)] == list(selected)
    with pytest.raises(IndexError):
        _ = selected[3]


def test_overlay_changes_those_named(stored: StoredConcepts) -> None:
    other = replace(CONCEPTS[2], name="another")
    expected = (*CONCEPTS[:2], other, *CONCEPTS[3:])
    assert overlay(CONCEPTS, {2: other}) == expected
    over = overlay(stored, {2: other})
    assert isinstance(over, Overlaid)
    assert over == expected
    assert [over[place] for place in range(6)] == list(over)


def test_concepts_by_id_are_a_mapping(stored: StoredConcepts) -> None:
    expected = {concept.id: concept for concept in CONCEPTS}
    by_id = ConceptsById([concept.id for concept in CONCEPTS], stored)
    assert dict(by_id) == expected
    assert list(by_id.values()) == list(expected.values())
    assert (len(by_id), list(by_id)) == (6, list(expected))
    assert "X:9" not in by_id
    assert by_id.get("X:9") is None
    with pytest.raises(KeyError):
        _ = by_id["X:9"]

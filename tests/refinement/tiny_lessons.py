"""Lessons that tests make up."""

from __future__ import annotations

from datetime import UTC, datetime

from medlink.refinement.lessons import Lesson

NOW = datetime(2026, 1, 5, tzinfo=UTC)


def make_lesson(
    doc_id: str,
    *,
    start: int = 0,
    query: str = "fits",
    concept_id: str | None = "HP:0001250",
    is_mention: bool = True,
    changed: bool = True,
    annotators: tuple[str, ...] = (),
) -> Lesson:
    """A lesson on the mention at ``[start, start + 4)`` of a document."""
    place = (doc_id, start, start + 4)
    return Lesson(query, place, concept_id, is_mention, (), "", changed, annotators, seq=start, at=NOW)

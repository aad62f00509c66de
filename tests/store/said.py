"""Short ways to say what an annotator said."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from medlink.records import Annotation, Source, Verdict
from medlink.store.events import Event

START = datetime(2026, 1, 5, 9, tzinfo=UTC)


def after(hours: float) -> datetime:
    """A moment that many hours behind the start."""
    return START + timedelta(hours=hours)


def said(concept_id: str | None = "HP:0001250", **fields: Any) -> Annotation:
    """An annotation of the word "fit" at [4, 7) of document d1: accepted, corrected, or NIL without a concept."""
    values: dict[str, Any] = {
        "doc_id": "d1",
        "start": 4,
        "end": 7,
        "surface": "fit",
        "verdict": Verdict.CORRECT if concept_id else Verdict.NIL,
        "source": Source("batch.jsonl", 1),
        "tool": "test",
        "concept_id": concept_id,
        "annotator": "ann",
        "time": START,
    }
    return Annotation(**(values | fields))


def event(concept_id: str | None = "HP:0001250", **fields: Any) -> Event:
    """The event of :func:`said` in a text that is known."""
    return Event(said(concept_id, **({"doc_hash": "h1"} | fields)))

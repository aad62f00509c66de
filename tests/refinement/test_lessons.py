from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from medlink.curation.adjudication import decide_spans
from medlink.records import Annotation, Proposal, Source, Verdict
from medlink.refinement.lessons import Lesson, take_lessons
from medlink.store.events import Entry, Event

NOW = datetime(2026, 1, 5, tzinfo=UTC)


def entry(seq: int, verdict: Verdict, *, concept_id: str | None = None, start: int = 0, **said: Any) -> Entry:
    surface = str(said.pop("surface", "Fits"))
    annotation = Annotation(
        "note", start, start + len(surface), surface, verdict, Source("f"), "t", concept_id=concept_id, **said
    )
    return Entry(seq, 1, NOW, Event(annotation))


def lessons(*entries: Entry) -> list[Lesson]:
    return list(take_lessons(decide_spans(entries)))


def test_a_correction_teaches_its_concept_and_refutes_what_was_proposed() -> None:
    (lesson,) = lessons(entry(1, Verdict.CORRECT, concept_id="A", proposed=(Proposal("B", 0.7),), annotator="ann"))
    assert (lesson.query, lesson.concept_id, lesson.refuted, lesson.changed) == ("fits", "A", ("B",), True)
    assert (lesson.place, lesson.annotators, lesson.is_mention) == (("note", 0, 4), ("ann",), True)


def test_accepting_refutes_what_stood_beside_it_and_changes_nothing() -> None:
    (lesson,) = lessons(entry(1, Verdict.ACCEPT, concept_id="A", rejected=("C", "B")))
    assert (lesson.concept_id, lesson.refuted, lesson.changed) == ("A", ("B", "C"), False)


def test_the_long_form_is_the_query() -> None:
    (lesson,) = lessons(entry(1, Verdict.ACCEPT, concept_id="A", expanded="Febrile Seizures"))
    assert lesson.query == "febrile seizures"


def test_no_mention_and_no_concept_are_told_apart() -> None:
    nothing, nil = lessons(entry(1, Verdict.NOT_A_MENTION), entry(2, Verdict.NIL, start=9))
    assert (nothing.concept_id, nothing.is_mention) == (None, False)
    assert (nil.concept_id, nil.is_mention) == (None, True)


def test_open_conflicts_teach_nothing() -> None:
    one = entry(1, Verdict.ACCEPT, concept_id="A", annotator="ann")
    other = entry(2, Verdict.ACCEPT, concept_id="B", annotator="bob")
    assert lessons(one, other) == []

"""Precedents: corrections near a text, and whether they speak for its link."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from medlink.linking.linker import Linker
from medlink.refinement.lessons import Lesson
from medlink.refinement.precedents import Precedents, Pull, Shift, group_lessons


def lesson(
    query: str, concept_id: str | None, *, start: int = 0, seq: int = 1, refuted: tuple[str, ...] = ()
) -> Lesson:
    place = ("note", start, start + len(query))
    return Lesson(query, place, concept_id, True, refuted, "", True, ("ann",), seq, datetime(2026, 1, 5, tzinfo=UTC))


def test_lessons_of_one_text_that_decide_alike_are_one_precedent() -> None:
    lessons = [
        lesson("fits", "A", refuted=("C",)),
        lesson("fits", "A", start=9, seq=5, refuted=("B",)),
        lesson("fits", None, seq=3),
    ]
    nothing, precedent = group_lessons(lessons)
    assert (precedent.id, precedent.n_lessons, precedent.refuted) == ("note:9-13", 2, ("B", "C"))
    assert (nothing.concept_id, nothing.n_lessons) == (None, 1)


def test_nearest_are_those_of_the_highest_cosine(linker: Linker) -> None:
    texts = ["renal cyst", "kidney cysts", "seizures", "heart attack", "cleft palate"]
    precedents = Precedents(group_lessons(lesson(text, "A") for text in texts), linker.encoder)
    ((*near,),) = precedents.find([Shift("renal cyst", "A")], k=5)
    vectors = linker.encoder.encode(texts).astype(np.float64)
    expected = dict(zip(texts, vectors @ vectors[0], strict=True))
    assert [one.precedent.query for one in near] == sorted(expected, key=lambda text: -expected[text])
    assert [one.cosine for one in near] == pytest.approx([expected[one.precedent.query] for one in near], abs=1e-3)
    assert near[0].cosine == pytest.approx(1, abs=1e-3)


def test_those_that_speak_for_the_link_come_first(linker: Linker) -> None:
    lessons = [lesson("renal cyst", "A"), lesson("seizures", "B"), lesson("heart attack", None, refuted=("C",))]
    precedents = Precedents(group_lessons(lessons), linker.encoder)
    (near,) = precedents.find([Shift("renal cyst", "B", "C")])
    assert {one.precedent.query: one.pull for one in near} == {
        "seizures": Pull.TOWARDS,
        "heart attack": Pull.AWAY,
        "renal cyst": Pull.NONE,
    }
    assert near[2].pull is Pull.NONE


def test_nothing_taught_gives_nothing(linker: Linker) -> None:
    assert Precedents((), linker.encoder).find([Shift("fits", "A")]) == [()]
    assert Precedents(group_lessons([lesson("fits", "A")]), linker.encoder).find([]) == []

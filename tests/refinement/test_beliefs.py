"""What is thought of annotators passes from release to release."""

from __future__ import annotations

from pathlib import Path

import pytest

from medlink.errors import ArtifactError
from medlink.refinement.beliefs import Beliefs, read_beliefs, write_beliefs
from medlink.refinement.lessons import Lesson
from medlink.refinement.suspects import Tally
from medlink.store.release import BELIEFS
from tests.refinement.tiny_lessons import NOW


def lesson_at(doc_id: str, seq: int) -> Lesson:
    return Lesson("fits", (doc_id, 0, 4), "HP:0001250", True, (), "", True, ("ann",), seq, NOW)


def lessons(*seqs: int) -> tuple[Lesson, ...]:
    return tuple(lesson_at(f"d{seq}", seq) for seq in seqs)


def test_batches_add_up_and_doubts_hold(tmp_path: Path) -> None:
    first, second = lessons(1, 2), lessons(3)
    beliefs = Beliefs().with_batch(Tally(1, 2, 2), first, {first[0].place: 0.25})
    beliefs = beliefs.with_batch(Tally(0, 1, 1), second, {second[0].place: 1.0})
    write_beliefs(beliefs, tmp_path)
    read = read_beliefs(tmp_path)
    assert read == beliefs
    assert read.tally == Tally(1, 3, 3)
    assert read.trust_in((*first, *second)) == {first[0].place: 0.25}


def test_what_was_decided_anew_is_not_doubted_for_what_was_said_before() -> None:
    (old,) = lessons(1)
    beliefs = Beliefs().with_batch(Tally(), (old,), {old.place: 0.25})
    anew = lesson_at(old.place[0], 9)
    assert anew.place == old.place
    assert beliefs.trust_in((anew,)) == {}


def test_no_beliefs_are_empty_and_damaged_ones_are_named(tmp_path: Path) -> None:
    assert read_beliefs(tmp_path) == Beliefs()
    (tmp_path / BELIEFS).write_text("{", encoding="utf-8")
    with pytest.raises(ArtifactError, match="believed"):
        read_beliefs(tmp_path)

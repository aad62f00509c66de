"""Where a refinement begins, and what passes from one to the next."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from medlink.encoder.combined import CombinedEncoder
from medlink.encoder.surface import SurfaceEncoder
from medlink.linking.linker import Linker
from medlink.refinement.refine import Child, Lessons, refine
from medlink.refinement.settings import RefineSettings, Start
from tests.refinement.tiny_teaching import QUICK, TAUGHT, lessons_of, prepare

ORIGIN = QUICK.model_copy(update={"learning_rate": 0.02})
PARENT = ORIGIN.model_copy(update={"start": Start.PARENT})


def table_of(child: Child) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    encoder = child.linker.encoder
    assert isinstance(encoder, CombinedEncoder)
    assert isinstance(encoder.surface, SurfaceEncoder)
    return encoder.surface.table


def refined(
    parent: Linker, folder: Path, settings: RefineSettings, *, n: int = len(TAUGHT), since: int = -1, **more: object
) -> Child:
    """A child that has learned the first of what was said."""
    folder.mkdir()
    lessons = tuple(lesson for lesson in lessons_of() if lesson.seq <= n)
    return refine(parent, Lessons(lessons, since), settings, folder, **more)  # type: ignore[arg-type]


def test_from_the_origin_small_steps_do_not_add_up(parent: Linker, tmp_path: Path) -> None:
    once = refined(parent, tmp_path / "once", ORIGIN)
    first = refined(parent, tmp_path / "first", ORIGIN, n=4)
    second = refined(first.linker, tmp_path / "second", ORIGIN, since=4, origin=parent)
    np.testing.assert_array_equal(table_of(second), table_of(once))
    assert second.linker.ranker.weights == once.linker.ranker.weights
    assert not np.array_equal(table_of(first), table_of(once))


def test_from_the_parent_training_goes_on(parent: Linker, tmp_path: Path) -> None:
    first = refined(parent, tmp_path / "first", PARENT, n=4)
    still = PARENT.model_copy(update={"steps": 0})
    second = refined(first.linker, tmp_path / "second", still, since=4, origin=parent)
    np.testing.assert_array_equal(table_of(second), table_of(first))
    again = refined(first.linker, tmp_path / "again", still.model_copy(update={"start": Start.ORIGIN}), origin=parent)
    assert again.linker.encoder.fingerprint == parent.encoder.fingerprint


def test_memory_is_given_on(parent: Linker, tmp_path: Path) -> None:
    first = refined(parent, tmp_path / "first", PARENT, n=4)
    second = refined(first.linker, tmp_path / "second", PARENT, since=4, memory=first.memory)
    ages = second.memory.bank.entries().ages.tolist()
    assert ages == [1] * len(first.memory.bank) + [0] * (len(second.memory.bank) - len(first.memory.bank))
    assert second.memory.notes.seq > first.memory.notes.seq


def test_earlier_lessons_are_no_more_than_can_be_drawn(parent: Linker) -> None:
    few = QUICK.model_copy(update={"steps": 1, "n_lessons": 2})
    prepared = prepare(parent, settings=few, since=6)
    n_new = int(prepared.material.new.sum())
    assert n_new == 1
    assert len(prepared.material.lessons) == n_new + 2
    assert len(prepared.material.wordings) == 6, "memory still knows them all"


@pytest.mark.parametrize(("trust", "learned"), [({}, True), (dict.fromkeys((0, 1), 0.0), False)])
def test_what_is_not_believed_is_not_learned(
    parent: Linker, tmp_path: Path, trust: dict[int, float], learned: bool
) -> None:
    lessons = lessons_of()[:2]
    doubts = {lessons[place].place: value for place, value in trust.items()}
    child = refine(parent, Lessons(lessons, trust=doubts), ORIGIN.model_copy(update={"steps": None}), tmp_path)
    assert (len(child.steps) > 0) == learned
    assert (len(child.memory.bank) > 0) == learned

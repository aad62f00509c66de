from __future__ import annotations

import pytest

from medlink.refinement.lessons import Lesson
from pipelines.bench.poison import HONEST, KINDS, LIAR, ONE, SHIFTED, TENTH, THIRD, draw_batch, poison
from tests.refinement.tiny_lessons import make_lesson

LESSONS = tuple(
    make_lesson(f"d{row // 4}", start=10 * (row % 4), concept_id=f"C:{row % 7}", changed=row % 5 == 0)
    for row in range(400)
)


def wrong(honest: tuple[Lesson, ...], poisoned: tuple[Lesson, ...]) -> list[int]:
    assert [one.place for one in honest] == [one.place for one in poisoned]
    pairs = enumerate(zip(honest, poisoned, strict=True))
    return [row for row, (one, other) in pairs if one.concept_id != other.concept_id]


@pytest.mark.parametrize(("kind", "share"), [(HONEST, 0.0), (TENTH, 0.1), (THIRD, 0.3)])
def test_poison_replaces_the_share_of_the_labels(kind: str, share: float) -> None:
    rows = wrong(LESSONS, poison(LESSONS, kind, seed=1))
    assert len(rows) / len(LESSONS) == pytest.approx(share, abs=0.06)


def test_poison_by_one_is_all_his_and_nobody_elses() -> None:
    batch = draw_batch(LESSONS, 200, seed=0)
    rows = wrong(batch, poison(batch, ONE, seed=1))
    assert rows == [row for row, lesson in enumerate(batch) if lesson.annotators == (LIAR,)]


def test_poison_shifts_labels_to_the_next_mention() -> None:
    shifted = poison(LESSONS, SHIFTED, seed=1)
    assert [one.concept_id for one in shifted[1:]] == [one.concept_id for one in LESSONS[:-1]]


@pytest.mark.parametrize("kind", KINDS)
def test_a_poisoned_lesson_refutes_what_was_right_and_never_its_own_label(kind: str) -> None:
    poisoned = poison(LESSONS, kind, seed=2)
    assert poisoned == poison(LESSONS, kind, seed=2)
    for row in wrong(LESSONS, poisoned):
        assert poisoned[row].changed
        assert poisoned[row].concept_id not in poisoned[row].refuted
        assert LESSONS[row].changed or LESSONS[row].concept_id in poisoned[row].refuted


def test_draw_batch_takes_whole_documents_with_one_annotator_each() -> None:
    batch = draw_batch(LESSONS, 50, seed=3)
    assert 50 <= len(batch) < 54
    documents = {lesson.place[0] for lesson in batch}
    assert len(batch) == 4 * len(documents)
    assert all(len({one.annotators for one in batch if one.place[0] == key}) == 1 for key in documents)

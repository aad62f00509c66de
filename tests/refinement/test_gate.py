from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from medlink.errors import SettingError
from medlink.refinement.gate import ACCURACY, CALIBRATION, COLLAPSE, FIXED, Budgets, Judgement, judge
from medlink.refinement.guard import Case
from medlink.refinement.measuring import Measured, Outcomes, Vectors

RANDOM = np.random.default_rng(0)
SPREAD = RANDOM.normal(size=(40, 16)).astype(np.float32)


def outcomes(right: list[bool], *, score: float | list[float] = 0.8, per_document: int = 1) -> Outcomes:
    cases = tuple(
        Case("q", frozenset({"A"}), (f"d{row // per_document:04}", row, row + 1)) for row in range(len(right))
    )
    answers = tuple("A" if ok else "B" for ok in right)
    return Outcomes(cases, np.array(right, bool), np.broadcast_to(np.array(score, float), len(right)), answers)


def measured(right: list[bool], *, corrections: list[bool] | None = None, **more: object) -> Measured:
    fixed = None if corrections is None else outcomes(corrections)
    return Measured("r", {"ledger": outcomes(right, **more)}, fixed, Vectors(SPREAD, -SPREAD))  # type: ignore[arg-type]


def failed(judgement: Judgement) -> list[str]:
    return [check.name for check in judgement.failed]


RIGHT = [True] * 400


def test_judge_lets_the_same_pass() -> None:
    same = measured(RIGHT, corrections=[True, True])
    judgement = judge(same, same)
    assert judgement.passed
    assert [check.name for check in judgement.checks] == [ACCURACY, FIXED, COLLAPSE, CALIBRATION]


def test_judge_refuses_a_sure_loss_and_names_the_worst() -> None:
    scores = [0.8] * 400
    scores[7], scores[30] = 0.95, 0.9
    child = measured([row % 10 != 0 and row != 7 for row in range(400)], score=scores)
    judgement = judge(measured(RIGHT, score=scores), child)
    assert ACCURACY in failed(judgement)
    check = judgement.checks[0]
    assert check.value == pytest.approx(41 / 400)
    assert check.interval is not None
    assert check.interval[0] < check.value < check.interval[1]
    assert [example.place for example in check.examples[:3]] == [("d0007", 7, 8), ("d0030", 30, 31), ("d0000", 0, 1)]
    assert (check.examples[0].gold, check.examples[0].parent, check.examples[0].child) == (("A",), "A", "B")


def test_judge_puts_a_small_loss_of_few_mentions_down_to_chance() -> None:
    """One of fifty: ten times the budget, and yet no evidence."""
    assert ACCURACY not in failed(judge(measured([True] * 50), measured([False] + [True] * 49)))


def test_judge_counts_documents_not_mentions() -> None:
    """Twelve mentions lost say much where they stand in twelve documents, little where they stand in one of ten."""
    lost = [row >= 12 for row in range(400)]
    assert ACCURACY in failed(judge(measured(RIGHT), measured(lost)))
    assert ACCURACY not in failed(judge(measured(RIGHT, per_document=40), measured(lost, per_document=40)))


def test_judge_refuses_no_net_loss() -> None:
    parent, child = [row % 2 == 0 for row in range(400)], [row % 2 == 1 for row in range(400)]
    assert ACCURACY not in failed(judge(measured(parent), measured(child)))


@pytest.mark.parametrize(("fixed", "passes"), [([True, True, False], True), ([True, False, False], False)])
def test_judge_counts_the_corrections_that_the_parent_gets_wrong(fixed: list[bool], passes: bool) -> None:
    parent = measured(RIGHT, corrections=[False, False, False, True])
    judgement = judge(parent, measured(RIGHT, corrections=[*fixed, False]))
    check = judgement.checks[1]
    assert (check.name, check.n, check.passed) == (FIXED, 3, passes)
    assert check.value == pytest.approx(sum(fixed) / 3)
    assert len(check.examples) == 3 - sum(fixed)


def test_judge_asks_for_nothing_where_nothing_is_to_be_fixed() -> None:
    same = measured(RIGHT, corrections=[True])
    assert judge(same, same).checks[1].value == 1.0


@pytest.mark.parametrize(
    "vectors",
    [
        pytest.param(np.ones((40, 16), np.float32) / 4, id="a point"),
        pytest.param(SPREAD * (np.arange(16) < 2), id="two dimensions"),
        pytest.param(np.full((40, 16), np.nan, np.float32), id="no numbers"),
    ],
)
def test_judge_refuses_a_collapse(vectors: NDArray[np.float32]) -> None:
    parent = measured(RIGHT)
    assert failed(judge(parent, replace(parent, vectors=Vectors(vectors, vectors)))) == [COLLAPSE]


def test_judge_does_not_blame_the_child_for_a_parent_that_never_spread() -> None:
    flat = np.ones((40, 16), np.float32) + 0.001 * SPREAD
    parent = replace(measured(RIGHT), vectors=Vectors(flat, flat))
    assert judge(parent, parent).passed


def test_judge_refuses_probabilities_that_became_worse() -> None:
    right = [row % 5 != 0 for row in range(400)]
    judgement = judge(measured(right, score=0.8), measured(right, score=0.99))
    assert failed(judgement) == [CALIBRATION]
    assert judgement.failed[0].value == pytest.approx(0.19)


def test_judge_asks_for_the_calibration_of_hidden_names_only_where_there_is_nothing_else() -> None:
    parts = {"ledger": outcomes(RIGHT), "ontology": outcomes([row % 5 != 0 for row in range(400)])}
    both = replace(measured(RIGHT), guard=parts)
    checks = judge(both, both).checks
    assert [check.part for check in checks if check.name == CALIBRATION] == ["ledger"]
    alone = replace(both, guard={"ontology": parts["ontology"]})
    assert [check.part for check in judge(alone, alone).checks if check.name == CALIBRATION] == ["ontology"]


def test_judge_wants_the_same_questions() -> None:
    with pytest.raises(SettingError, match="asked different things"):
        judge(measured([True] * 3), measured([True] * 4))
    with pytest.raises(SettingError, match="same guard set"):
        judge(replace(measured([True]), guard={}), replace(measured([True]), guard={}))


def test_budgets_refuse_percents() -> None:
    with pytest.raises(SettingError, match="max_loss"):
        Budgets(max_loss=2)


@pytest.mark.slow
@settings(max_examples=10, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.booleans(), st.floats(0, 1)), min_size=1, max_size=30), st.randoms())
def test_judge_does_not_depend_on_the_order_of_the_cases(rows: list[tuple[bool, bool, float]], random: object) -> None:
    order = list(range(len(rows)))
    random.shuffle(order)  # type: ignore[attr-defined]
    parent = measured([row[0] for row in rows], score=[row[2] for row in rows])
    child = measured([row[1] for row in rows], score=[row[2] for row in rows])

    def shuffle(one: Measured) -> Measured:
        part = one.guard["ledger"]
        return replace(
            one,
            guard={
                "ledger": Outcomes(
                    tuple(part.cases[row] for row in order),
                    part.right[order],
                    part.score[order],
                    tuple(part.answers[row] for row in order),
                )
            },
        )

    one, other = judge(parent, child), judge(shuffle(parent), shuffle(child))
    for check, again in zip(one.checks, other.checks, strict=True):
        assert (check.passed, check.examples) == (again.passed, again.examples)
        assert check.value == pytest.approx(again.value)

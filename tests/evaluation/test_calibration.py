from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medlink.evaluation.calibration import Answers, calibration_error, compare_calibration
from tests.evaluation.oracles import expected_calibration_error

GRADES = st.lists(st.tuples(st.booleans(), st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.7, 0.9, 1.0])), max_size=40)


def answers(graded: list[tuple[bool, float]]) -> Answers:
    return Answers(np.array([right for right, _ in graded], bool), np.array([score for _, score in graded], float))


def test_calibration_error_counted_by_hand() -> None:
    """Two bins of two: 0.2 and 0.4 with one right, 0.6 and 0.8 with both right."""
    found = calibration_error(answers([(True, 0.8), (False, 0.2), (True, 0.6), (True, 0.4)]), n_bins=2)
    assert found == pytest.approx((2 * abs(0.5 - 0.3) + 2 * abs(1.0 - 0.7)) / 4)


def test_calibration_error_of_nothing_is_none() -> None:
    assert calibration_error(answers([])) == 0.0


@given(GRADES, st.integers(1, 12))
def test_calibration_error_agrees_with_slow_loops(graded: list[tuple[bool, float]], n_bins: int) -> None:
    assert calibration_error(answers(graded), n_bins=n_bins) == pytest.approx(
        expected_calibration_error(graded, n_bins)
    )


@given(GRADES, st.randoms())
def test_calibration_error_does_not_depend_on_the_order(graded: list[tuple[bool, float]], random: object) -> None:
    shuffled = list(graded)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert calibration_error(answers(graded)) == pytest.approx(calibration_error(answers(shuffled)))


@given(st.lists(st.tuples(st.booleans(), st.sampled_from([0.2, 0.6]), st.integers(0, 3)), min_size=1, max_size=12))
def test_calibration_error_with_weights_is_that_of_repeated_mentions(rows: list[tuple[bool, float, int]]) -> None:
    repeated = [(right, score) for right, score, n in rows for _ in range(n)]
    if repeated:
        weights = np.array([n for _, _, n in rows], float)
        found = calibration_error(answers([row[:2] for row in rows]), weights=weights, n_bins=3)
        assert found == pytest.approx(calibration_error(answers(repeated), n_bins=3))


def test_compare_calibration_of_a_system_with_itself_is_nothing() -> None:
    same = answers([(True, 0.9), (False, 0.4), (True, 0.2)])
    assert not compare_calibration(same, same, ["a", "b", "b"]).any()


def test_compare_calibration_lies_around_the_difference() -> None:
    random = np.random.default_rng(0)
    scores = random.random(2000)
    right = random.random(2000) < scores
    bolder = np.clip(scores + 0.2, 0, 1)
    clusters = [str(place // 5) for place in range(2000)]
    samples = compare_calibration(Answers(right, bolder), Answers(right, scores), clusters)
    difference = calibration_error(Answers(right, bolder)) - calibration_error(Answers(right, scores))
    assert samples.min() > 0.05
    assert samples.mean() == pytest.approx(difference, abs=0.02)

"""Figures against hand counts and slow loops."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medlink.evaluation.metrics import N_RESAMPLES, compare_counts, compare_ranks, score_counts, score_ranks
from tests.evaluation.oracles import bootstrap, percentile, reciprocal

RANKS = [1, 2, 0, 5, 6, 1, 1]
OTHERS = [2, 1, 1, 0, 6, 1, 3]
CLUSTERS = ["a", "a", "b", "b", "c", "d", "d"]
WEIGHTS = [1.0, 0.5, 0.5, 1.0, 1.0, 0.25, 2.0]


def test_score_ranks_counted_by_hand() -> None:
    scores = score_ranks([1, 2, 0, 5, 6], ["a", "a", "b", "b", "c"])
    assert (scores.n, scores.acc1.value, scores.acc5.value) == (5, 0.2, 0.6)
    assert scores.mrr.value == pytest.approx((1 + 1 / 2 + 1 / 5 + 1 / 6) / 5)


def test_score_ranks_counts_weights_by_hand() -> None:
    scores = score_ranks([1, 2, 0], ["a", "a", "b"], weights=[0.5, 0.5, 1.0])
    assert (scores.n, scores.acc1.value, scores.acc5.value, scores.mrr.value) == (2, 0.25, 0.5, 0.375)


@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["equal", "weighted"])
def test_score_ranks_agrees_with_slow_loops(weights: list[float] | None) -> None:
    scores = score_ranks(RANKS, CLUSTERS, weights=weights, seed=3)
    loads = weights or [1.0] * len(RANKS)
    expected = {
        "acc1": bootstrap([float(rank == 1) for rank in RANKS], loads, CLUSTERS, 3),
        "acc5": bootstrap([float(rank in range(1, 6)) for rank in RANKS], loads, CLUSTERS, 3),
        "mrr": bootstrap([reciprocal(rank) for rank in RANKS], loads, CLUSTERS, 3),
    }
    for name, figures in expected.items():
        found = getattr(scores, name)
        assert [found.low, found.value, found.high] == pytest.approx(figures)


@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["equal", "weighted"])
def test_compare_ranks_agrees_with_slow_loops(weights: list[float] | None) -> None:
    found = compare_ranks(RANKS, OTHERS, CLUSTERS, weights=weights, seed=5)
    gains = [float(one == 1) - float(other == 1) for one, other in zip(RANKS, OTHERS, strict=True)]
    expected = bootstrap(gains, weights or [1.0] * len(RANKS), CLUSTERS, 5)
    assert [found.low, found.value, found.high] == pytest.approx(expected)


def test_compare_ranks_is_the_difference_of_the_scores() -> None:
    found = compare_ranks(RANKS, OTHERS, CLUSTERS)
    assert found.value == pytest.approx(
        score_ranks(RANKS, CLUSTERS).acc1.value - score_ranks(OTHERS, CLUSTERS).acc1.value
    )


def test_compare_ranks_of_a_system_with_itself_is_nothing() -> None:
    found = compare_ranks(RANKS, RANKS, CLUSTERS)
    assert (found.low, found.value, found.high) == (0.0, 0.0, 0.0)


def test_compare_ranks_pairs_the_mentions() -> None:
    """One system is right wherever the other is and once more: the difference is sure, though neither figure is."""
    rng = np.random.default_rng(0)
    others = rng.integers(0, 2, size=200).tolist()
    better = [1 if place % 5 == 0 else rank for place, rank in enumerate(others)]
    clusters = [str(place // 2) for place in range(200)]
    assert compare_ranks(better, others, clusters).low > 0
    assert score_ranks(better, clusters).acc1.low < score_ranks(others, clusters).acc1.high


@given(st.lists(st.tuples(st.integers(0, 9), st.sampled_from("abcd")), min_size=1, max_size=40))
def test_score_ranks_keeps_each_figure_in_its_interval(rows: list[tuple[int, str]]) -> None:
    scores = score_ranks([rank for rank, _ in rows], [cluster for _, cluster in rows])
    for figure in (scores.acc1, scores.acc5, scores.mrr):
        assert 0.0 <= figure.low <= figure.high <= 1.0
    assert scores.acc1.value <= scores.mrr.value + 1e-12
    assert scores.acc1.value <= scores.acc5.value


def test_bootstrap_interval_has_the_width_of_the_normal_one() -> None:
    ranks = np.random.default_rng(0).integers(0, 2, size=2000).tolist()
    scores = score_ranks(ranks, [str(i) for i in range(2000)])
    p = scores.acc1.value
    assert scores.acc1.high - scores.acc1.low == pytest.approx(2 * 1.96 * np.sqrt(p * (1 - p) / 2000), rel=0.15)


def test_score_ranks_is_the_same_each_time() -> None:
    assert score_ranks([1, 0, 2], ["a", "b", "c"]) == score_ranks([1, 0, 2], ["a", "b", "c"])


COUNTS = [(2, 3, 2, 4), (0, 1, 0, 0), (1, 1, 2, 2), (0, 0, 0, 3)]


def test_score_counts_counted_by_hand() -> None:
    scores = score_counts(COUNTS)
    assert (scores.n_predicted, scores.n_gold) == (5, 9)
    assert (scores.precision.value, scores.recall.value) == (3 / 5, 4 / 9)
    assert scores.f.value == pytest.approx(2 * (3 / 5) * (4 / 9) / (3 / 5 + 4 / 9))


def test_score_counts_agrees_with_slow_loops() -> None:
    scores = score_counts(COUNTS, seed=7)
    draws = np.random.default_rng(7).integers(len(COUNTS), size=(N_RESAMPLES, len(COUNTS)))
    shares = []
    for draw in draws.tolist():
        right, predicted, found, gold = (sum(COUNTS[row][column] for row in draw) for column in range(4))
        precision, recall = right / predicted if predicted else 0.0, found / gold if gold else 0.0
        total = precision + recall
        shares.append((precision, recall, 2 * precision * recall / total if total else 0.0))
    for figure, sample in zip((scores.precision, scores.recall, scores.f), zip(*shares, strict=True), strict=True):
        assert [figure.low, figure.high] == pytest.approx([percentile(sample, 2.5), percentile(sample, 97.5)])


def test_compare_counts_is_the_difference_of_the_scores_and_paired() -> None:
    better = [(n + 1, n + 1, n + 1, n + 2) for n in range(20)]
    worse = [(n, n + 1, n, n + 2) for n in range(20)]
    found = compare_counts(better, worse)
    assert found.value == pytest.approx(score_counts(better).f.value - score_counts(worse).f.value)
    assert 0 < found.low < found.value < found.high
    same = compare_counts(better, better)
    assert (same.low, same.value, same.high) == (0.0, 0.0, 0.0)

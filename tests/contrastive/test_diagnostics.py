"""Effective rank, alignment, uniformity, variance, and the guard against collapse."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from medlink.contrastive.diagnostics import (
    CollapseGuard,
    alignment,
    effective_rank,
    uniformity,
    variance_per_dimension,
)
from tests.contrastive.cases import random_vectors


def test_effective_rank_counts_equal_dimensions() -> None:
    assert effective_rank(torch.eye(5)) == pytest.approx(5)
    assert effective_rank(torch.ones(4, 3)) == pytest.approx(1, abs=1e-3)


def test_effective_rank_agrees_with_the_definition() -> None:
    singular = [3.0, 2.0, 1.0]
    share = [value / 6 for value in singular]
    expected = math.exp(-sum(p * math.log(p) for p in share))
    assert effective_rank(torch.diag(torch.tensor(singular))) == pytest.approx(expected)


@pytest.mark.parametrize("embeddings", [torch.zeros(3, 2), torch.zeros(0, 2), torch.zeros(3, 0)])
def test_effective_rank_of_nothing_is_zero(embeddings: Tensor) -> None:
    assert effective_rank(embeddings) == 0


def test_alignment_agrees_with_a_loop() -> None:
    first, second = random_vectors(5, 3, 0), random_vectors(5, 3, 1)
    total = sum(float((a / a.norm() - b / b.norm()).norm() ** 2) for a, b in zip(first, second, strict=True))
    assert alignment(first, second) == pytest.approx(total / 5)
    assert alignment(first, first * 3) == pytest.approx(0, abs=1e-6)
    assert alignment(first[:0], second[:0]) == 0


def test_uniformity_agrees_with_a_double_loop() -> None:
    embeddings = random_vectors(5, 3, 0)
    units = [row / row.norm() for row in embeddings]
    potential = [math.exp(-2 * float((units[i] - units[j]).norm()) ** 2) for i in range(5) for j in range(i)]
    assert uniformity(embeddings) == pytest.approx(math.log(sum(potential) / 10), rel=1e-5)


def test_uniformity_of_one_place_or_fewer_than_two_is_zero() -> None:
    assert uniformity(torch.ones(4, 3)) == pytest.approx(0, abs=1e-6)
    assert uniformity(torch.ones(1, 3)) == uniformity(torch.ones(0, 3)) == 0


def test_variance_per_dimension_sums_to_one_for_spread_vectors() -> None:
    assert float(variance_per_dimension(random_vectors(4000, 8, 0)).sum()) == pytest.approx(1, abs=0.01)
    assert torch.equal(variance_per_dimension(torch.ones(1, 3)), torch.zeros(3))


def test_guard_finds_spread_vectors_healthy() -> None:
    first = random_vectors(64, 16, 0)
    report = CollapseGuard().inspect(first, first + 0.1 * random_vectors(64, 16, 1))
    assert not report.collapsed
    assert report.spread == pytest.approx(1, abs=0.05)
    assert report.dead_share == 0
    assert report.effective_rank > 14


def test_guard_says_why_a_point_is_a_collapse() -> None:
    first = torch.ones(64, 32) + 0.01 * random_vectors(64, 32, 0)
    report = CollapseGuard().inspect(first, first)
    assert report.collapsed
    assert [reason.split()[0] for reason in report.reasons] == ["effective", "spread", "uniformity"]
    assert "the vectors sit in one place" in report.reasons[2]
    assert report.alignment == 0


def test_guard_says_that_few_dimensions_are_a_collapse() -> None:
    line = torch.randn(64, 1, generator=torch.Generator().manual_seed(0)) * torch.ones(1, 64)
    report = CollapseGuard().inspect(line, line)
    assert [reason.split()[0] for reason in report.reasons] == ["effective"]
    assert "effective rank 1.0 of 64 possible, a share of 0.016 < 0.05" in report.reasons[0]


def test_guard_counts_dead_dimensions() -> None:
    first = random_vectors(64, 16, 0)
    first[:, :4] = 0
    assert CollapseGuard().inspect(first, first).dead_share == 0.25


def test_guard_says_that_nan_is_a_collapse() -> None:
    report = CollapseGuard().inspect(torch.full((20, 3), torch.nan), torch.ones(20, 3))
    assert report.reasons == ("embeddings are not finite",)
    assert math.isnan(report.effective_rank)


@pytest.mark.parametrize("n_pairs", [0, 1, 7])
def test_guard_does_not_judge_small_batches(n_pairs: int) -> None:
    assert not CollapseGuard().inspect(torch.ones(n_pairs, 3), torch.ones(n_pairs, 3)).collapsed


def test_guard_takes_half_precision() -> None:
    embeddings = random_vectors(32, 8, 0, dtype=torch.bfloat16)
    assert not CollapseGuard().inspect(embeddings, embeddings).collapsed

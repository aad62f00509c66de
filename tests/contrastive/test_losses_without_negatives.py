"""BYOL's loss and the penalties of VICReg."""

from __future__ import annotations

import pytest
import torch

from medlink.contrastive.losses.regression import byol, covariance_penalty, variance_penalty
from medlink.errors import SettingError
from tests.contrastive.cases import random_vectors


def test_byol_is_the_mean_squared_distance_of_unit_vectors() -> None:
    prediction, target = random_vectors(5, 4, 0), random_vectors(5, 4, 1)
    total = 0.0
    for p, t in zip(prediction, target, strict=True):
        total += float((p / p.norm() - t / t.norm()).square().sum())
    assert float(byol(prediction, target)) == pytest.approx(total / 5)


def test_byol_weighs_items() -> None:
    prediction, target = random_vectors(3, 4, 0), random_vectors(3, 4, 1)
    weighted = byol(prediction, target, weight=torch.tensor([2.0, 1.0, 0.0]))
    expected = byol(prediction[[0, 0, 1]], target[[0, 0, 1]])
    torch.testing.assert_close(weighted, expected)


def test_byol_sends_no_gradient_to_the_target() -> None:
    prediction = random_vectors(3, 4, 0).requires_grad_()
    target = random_vectors(3, 4, 1).requires_grad_()
    torch.autograd.backward(byol(prediction, target))
    assert prediction.grad is not None
    assert target.grad is None


@pytest.mark.parametrize("n_items", [0, 3])
def test_byol_with_nothing_that_counts_is_a_zero_that_backpropagates(n_items: int) -> None:
    prediction = random_vectors(n_items, 4, 0).requires_grad_()
    loss = byol(prediction, random_vectors(n_items, 4, 1), weight=torch.zeros(n_items))
    torch.autograd.backward(loss)
    assert loss == 0
    assert prediction.grad is not None
    assert torch.equal(prediction.grad, torch.zeros(n_items, 4))


def test_byol_refuses_different_shapes() -> None:
    with pytest.raises(SettingError, match=r"differ in shape; expected \(2, 3\); got \(3, 2\)"):
        byol(torch.zeros(2, 3), torch.zeros(3, 2))


def test_variance_penalty_agrees_with_a_double_loop() -> None:
    embeddings = random_vectors(6, 3, 0) * torch.tensor([0.1, 1.0, 3.0])
    total = 0.0
    for column in embeddings.T:
        mean = sum(float(x) for x in column) / 6
        variance = sum((float(x) - mean) ** 2 for x in column) / 5
        total += max(0.0, 1 - (variance + 1e-4) ** 0.5)
    assert float(variance_penalty(embeddings)) == pytest.approx(total / 3, rel=1e-5)


def test_covariance_penalty_agrees_with_a_double_loop() -> None:
    embeddings = random_vectors(6, 3, 0)
    centred = (embeddings - embeddings.mean(dim=0)).double()
    total = 0.0
    for i in range(3):
        for j in range(3):
            if i != j:
                total += float(sum(centred[n, i] * centred[n, j] for n in range(6)) / 5) ** 2
    assert float(covariance_penalty(embeddings)) == pytest.approx(total / 3, rel=1e-5)


def test_penalties_are_zero_for_spread_and_uncorrelated_dimensions() -> None:
    corners = torch.tensor([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
    assert variance_penalty(corners) == 0
    assert covariance_penalty(corners) == 0


@pytest.mark.parametrize("n_items", [0, 1])
def test_penalties_of_fewer_than_two_items_are_zeros_that_backpropagate(n_items: int) -> None:
    embeddings = torch.ones(n_items, 3, requires_grad=True)
    penalty = variance_penalty(embeddings) + covariance_penalty(embeddings)
    torch.autograd.backward(penalty)
    assert penalty == 0
    assert embeddings.grad is not None
    assert torch.equal(embeddings.grad, torch.zeros(n_items, 3))


def test_penalties_pull_collapsed_embeddings_apart() -> None:
    embeddings = (torch.ones(8, 4) + 0.01 * random_vectors(8, 4, 0)).requires_grad_()
    torch.autograd.backward(variance_penalty(embeddings))
    assert embeddings.grad is not None
    moved = embeddings.detach() - 10 * embeddings.grad
    assert (moved.var(dim=0) > embeddings.detach().var(dim=0)).all()

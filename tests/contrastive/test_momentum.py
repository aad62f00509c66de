"""Momentum copies and their schedule."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from medlink.contrastive.momentum import cosine_momentum, momentum_copy, update_momentum
from medlink.errors import SettingError
from tests.contrastive.cases import random_vectors


def network(seed: int) -> nn.Sequential:
    """A layer and a batch norm, which has buffers."""
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))


def weight(module: nn.Module) -> Tensor:
    """A copy of the layer's weights."""
    return next(module.parameters()).detach().clone()


def test_momentum_copy_is_equal_apart_and_frozen() -> None:
    fast = network(0)
    slow = momentum_copy(fast)
    assert all(torch.equal(a, b) for a, b in zip(slow.parameters(), fast.parameters(), strict=True))
    assert not any(parameter.requires_grad for parameter in slow.parameters())
    with torch.no_grad():
        next(fast.parameters()).add_(1)
    assert not torch.equal(weight(slow), weight(fast))


def test_update_momentum_averages_parameters_and_copies_buffers() -> None:
    slow, fast = momentum_copy(network(0)), network(1)
    fast(random_vectors(5, 2, 0))
    before = weight(slow)
    update_momentum(slow, fast, momentum=0.9)
    torch.testing.assert_close(weight(slow), 0.9 * before + 0.1 * weight(fast))
    assert all(torch.equal(a, b) for a, b in zip(slow.buffers(), fast.buffers(), strict=True))
    assert slow.state_dict()["1.num_batches_tracked"] == 1


@pytest.mark.parametrize(("momentum", "seed"), [(1.0, 0), (0.0, 1)], ids=["1 keeps", "0 copies"])
def test_update_momentum_at_its_ends(momentum: float, seed: int) -> None:
    slow, fast = momentum_copy(network(0)), network(1)
    update_momentum(slow, fast, momentum=momentum)
    assert torch.equal(weight(slow), weight(network(seed)))


@pytest.mark.parametrize("momentum", [-0.1, 1.1, float("nan")])
def test_update_momentum_refuses_what_is_out_of_range(momentum: float) -> None:
    with pytest.raises(SettingError, match=r"momentum: .* expected \[0, 1\]"):
        update_momentum(network(0), network(1), momentum=momentum)


def test_update_momentum_refuses_another_network() -> None:
    with pytest.raises(SettingError, match=r"other parameters than its original; got 1\.bias, 1\.weight"):
        update_momentum(network(0), network(0)[:1], momentum=0.9)


def test_cosine_momentum_rises_to_one() -> None:
    values = [cosine_momentum(step, n_steps=20, base=0.99) for step in range(22)]
    assert values[0] == pytest.approx(0.99)
    assert values == sorted(values)
    assert values[20] == values[21] == 1

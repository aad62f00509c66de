"""Heads, predictors and the learned temperature."""

from __future__ import annotations

import pytest
import torch

from medlink.contrastive.projection import LearnedTemperature, byol_predictor, projection_head


def test_projection_head_maps_to_the_projected_width() -> None:
    assert projection_head(6, 2, hidden=5, seed=0)(torch.zeros(4, 6)).shape == (4, 2)


def test_byol_predictor_keeps_the_width() -> None:
    assert byol_predictor(6, hidden=5, seed=0)(torch.randn(4, 6)).shape == (4, 6)


def test_initial_weights_depend_on_the_seed_alone_and_leave_the_random_state() -> None:
    torch.manual_seed(1)
    before = torch.get_rng_state()
    first = projection_head(6, 2, hidden=5, seed=3)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(2)
    second = projection_head(6, 2, hidden=5, seed=3)
    other = projection_head(6, 2, hidden=5, seed=4)
    weights = [head.state_dict()["0.weight"] for head in (first, second, other)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_learned_temperature_starts_where_asked_and_learns() -> None:
    temperature = LearnedTemperature(0.2)
    assert temperature().item() == pytest.approx(0.2)
    torch.autograd.backward(temperature())
    assert temperature.log_scale.grad is not None
    assert temperature.log_scale.grad < 0


def test_learned_temperature_is_bounded_below() -> None:
    temperature = LearnedTemperature(0.001, lowest=0.01)
    temperature.bound()
    assert temperature().item() == pytest.approx(0.01)

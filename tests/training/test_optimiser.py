"""Rates by depth, and what does not decay."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from medlink.encoder.trainable import TrainableEncoder, TrainableSettings
from medlink.training.optimiser import make_optimiser, rate_share
from medlink.training.recipe import TrainSection


def test_make_optimiser_gives_lower_layers_lower_rates(encoder_folder: Path) -> None:
    encoder = TrainableEncoder(encoder_folder, TrainableSettings())
    head, frozen = nn.Parameter(torch.zeros(2, 2)), nn.Parameter(torch.zeros(2), requires_grad=False)
    section = TrainSection(learning_rate=1.0, layer_decay=0.5, head_rate=7.0, weight_decay=0.1)
    optimiser = make_optimiser(encoder, [head, frozen], section)
    found = {id(p): group for group in optimiser.param_groups for p in group["params"]}
    parameters = dict(encoder.named_parameters())
    rates = {depth: 0.5 ** (2 - depth) for depth in (0, 1, 2)}
    for name, depth in encoder.depths().items():
        if not name.startswith("_model.pooler."):
            assert found[id(parameters[name])]["peak"] == rates[depth], name
            assert found[id(parameters[name])]["weight_decay"] == (0.1 if parameters[name].ndim > 1 else 0.0)
    assert (found[id(head)]["peak"], found[id(head)]["weight_decay"]) == (7.0, 0.0)
    assert id(frozen) not in found
    assert not [name for name in parameters if name.startswith("_model.pooler.") and id(parameters[name]) in found]


@pytest.mark.parametrize("warmup", [0.0, 0.1, 1.0])
def test_rate_share_rises_and_falls_within_bounds(warmup: float) -> None:
    section = TrainSection(steps=20, warmup=warmup)
    shares = [rate_share(step, section) for step in range(20)]
    peak = shares.index(max(shares))
    assert max(shares) == pytest.approx(1.0)
    assert min(shares) > 0
    assert shares[: peak + 1] == sorted(shares[: peak + 1])
    assert shares[peak:] == sorted(shares[peak:], reverse=True)

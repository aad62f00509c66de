"""Who learns how fast: discriminative rates by depth, and the schedule of warm-up and decline."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import nn

from medlink.encoder.trainable import TrainableEncoder
from medlink.training.recipe import TrainSection


def make_optimiser(
    encoder: TrainableEncoder, heads: Iterable[nn.Parameter], section: TrainSection
) -> torch.optim.AdamW:
    """AdamW whose groups carry "peak", their highest rate.

    A layer at depth d of n learns at ``learning_rate · layer_decay^(n - d)`` (Howard & Ruder 2018, "ULMFiT", section
    3.2). Vectors (biases, norms) do not decay; nor do heads.

    :param heads: what the objective learns itself; frozen ones are left out.
    """
    depths = encoder.depths()
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in encoder.named_parameters():
        if parameter.requires_grad:
            rate = section.learning_rate * section.layer_decay ** (encoder.n_layers - depths[name])
            groups.setdefault((rate, section.weight_decay if parameter.ndim > 1 else 0.0), []).append(parameter)
    learned = [parameter for parameter in heads if parameter.requires_grad]
    settings: list[dict[str, Any]] = [
        {"params": parameters, "lr": rate, "peak": rate, "weight_decay": decay}
        for (rate, decay), parameters in groups.items()
    ]
    if learned:
        settings.append({"params": learned, "lr": section.head_rate, "peak": section.head_rate, "weight_decay": 0.0})
    return torch.optim.AdamW(settings, betas=(0.9, 0.98), eps=1e-8)


def rate_share(step: int, section: TrainSection) -> float:
    """The share of its peak that each rate has at a step: up on a straight line, then down to 0 on another.

    :param step: 0 to ``section.steps - 1``.

    >>> settings = TrainSection(steps=10, warmup=0.2)
    >>> [round(rate_share(step, settings), 3) for step in (0, 1, 2, 6, 9)]
    [0.5, 1.0, 1.0, 0.5, 0.125]
    """
    n_warm = round(section.warmup * section.steps)
    if step < n_warm:
        return (step + 1) / n_warm
    return (section.steps - step) / (section.steps - n_warm)

"""Momentum encoders: a slow copy of a module that follows its exponential moving average."""

from __future__ import annotations

import copy
import math
from typing import TypeVar

import torch
from torch import nn

from medlink.errors import SettingError

Module = TypeVar("Module", bound=nn.Module)


def momentum_copy(module: Module) -> Module:
    """A copy of the module that no gradient reaches."""
    return copy.deepcopy(module).requires_grad_(False)


@torch.no_grad()
def update_momentum(slow: nn.Module, fast: nn.Module, *, momentum: float) -> None:
    """Move each parameter of ``slow`` towards ``fast``: θ_slow ← m·θ_slow + (1 - m)·θ_fast; buffers are copied.

    He et al. 2020, "Momentum Contrast", eq. 2; Grill et al. 2020, "BYOL", eq. 1.

    :param slow: what :func:`momentum_copy` made of ``fast``; changed in place.
    :param momentum: in [0, 1]; 0 copies, 1 keeps.
    :raises SettingError: when the momentum is out of range or the modules differ in their parameters.
    """
    if not 0 <= momentum <= 1:
        raise SettingError("this setting is out of its range", where="momentum", expected="[0, 1]", got=f"{momentum}")
    slow_parameters, fast_parameters = dict(slow.named_parameters()), dict(fast.named_parameters())
    if slow_parameters.keys() != fast_parameters.keys():
        difference = sorted(slow_parameters.keys() ^ fast_parameters.keys())
        raise SettingError("a momentum copy has other parameters than its original", got=", ".join(difference[:3]))
    for name, parameter in slow_parameters.items():
        parameter.lerp_(fast_parameters[name].to(parameter), 1 - momentum)
    fast_buffers = dict(fast.named_buffers())
    for name, buffer in slow.named_buffers():
        buffer.copy_(fast_buffers[name])


def cosine_momentum(step: int, *, n_steps: int, base: float) -> float:
    """The momentum at a step: from ``base`` at step 0 along a cosine to 1 at ``n_steps`` and after.

    Grill et al. 2020, "BYOL", section 3.2: 1 - (1 - τ_base)·(cos(πk/K) + 1)/2.

    >>> [round(cosine_momentum(step, n_steps=10, base=0.9), 3) for step in (0, 5, 10, 11)]
    [0.9, 0.95, 1.0, 1.0]
    """
    done = min(step / n_steps, 1.0)
    return 1 - (1 - base) * (math.cos(math.pi * done) + 1) / 2

"""Who learns how fast: which optimiser for which parameter, rates by depth, warm-up and decline."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from medlink.encoder.trainable import TrainableEncoder
from medlink.training.recipe import TrainSection
from medlink.training.row_adagrad import RowAdagrad


class Optimiser:
    """AdamW for what has dense gradients and row-wise Adagrad for tables with sparse ones, as one.

    :param parts: optimisers whose groups carry "peak", their highest rate.
    """

    def __init__(self, *parts: torch.optim.Optimizer) -> None:
        self.parts = parts

    def groups(self) -> Iterator[dict[str, Any]]:
        """The groups of parameters with their rates."""
        for part in self.parts:
            yield from part.param_groups

    def set_rates(self, share: float) -> None:
        """Let every group learn at this share of its peak."""
        for group in self.groups():
            group["lr"] = group["peak"] * share

    def zero_grad(self) -> None:
        """Forget the gradients."""
        for part in self.parts:
            part.zero_grad()

    def clip(self, greatest: float) -> float:
        """The norm of the whole gradient; then the norm of its dense part is ``greatest`` at most.

        Sparse gradients stay as they are: a step of row-wise Adagrad does not depend on their scale.
        """
        learned = [parameter for group in self.groups() for parameter in group["params"]]
        sparse = [p for p in learned if p.grad is not None and p.grad.is_sparse]
        for table in sparse:
            table.grad = table.grad.coalesce()
        norms = [float(torch.linalg.vector_norm(table.grad.values())) for table in sparse]
        dense = [p for p in learned if p.grad is None or not p.grad.is_sparse]
        return math.hypot(float(nn.utils.clip_grad_norm_(dense, greatest)), *norms)

    def step(self) -> None:
        """One step along the gradients."""
        for part in self.parts:
            part.step()

    def state(self) -> dict[str, Tensor]:
        """What they remember, by "optimiser.parameter.name"; rates follow from the recipe."""
        return {
            f"{place}.{number}.{name}": tensor
            for place, part in enumerate(self.parts)
            for number, tensors in part.state_dict()["state"].items()
            for name, tensor in tensors.items()
        }

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Go on where :meth:`state` was taken."""
        nested: list[dict[int, dict[str, Tensor]]] = [{} for _ in self.parts]
        for key, tensor in state.items():
            place, number, name = key.split(".", 2)
            nested[int(place)].setdefault(int(number), {})[name] = tensor
        for part, tensors in zip(self.parts, nested, strict=True):
            part.load_state_dict({"state": tensors, "param_groups": part.state_dict()["param_groups"]})


def make_optimiser(encoder: TrainableEncoder, heads: Iterable[nn.Parameter], section: TrainSection) -> Optimiser:
    """The optimiser of an encoder and of what the objective learns beside it.

    A layer at depth d of n learns at ``learning_rate · layer_decay^(n - d)`` (Howard & Ruder 2018, "ULMFiT", section
    3.2). Vectors (biases, norms) do not decay; nor do heads, nor tables with sparse gradients.

    :param heads: what the objective learns itself; frozen ones are left out.
    """
    depths, sparse = encoder.depths(), encoder.sparse
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    tables = list[nn.Parameter]()
    for name, parameter in encoder.module.named_parameters():
        if parameter.requires_grad and name in sparse:
            tables.append(parameter)
        elif parameter.requires_grad:
            rate = section.learning_rate * section.layer_decay ** (encoder.n_layers - depths[name])
            groups.setdefault((rate, section.weight_decay if parameter.ndim > 1 else 0.0), []).append(parameter)
    settings: list[dict[str, Any]] = [
        {"params": parameters, "lr": rate, "peak": rate, "weight_decay": decay}
        for (rate, decay), parameters in groups.items()
    ]
    if learned := [parameter for parameter in heads if parameter.requires_grad]:
        settings.append({"params": learned, "lr": section.head_rate, "peak": section.head_rate, "weight_decay": 0.0})
    parts = list[torch.optim.Optimizer]()
    if settings:
        parts.append(torch.optim.AdamW(settings, betas=(0.9, 0.98), eps=1e-8))
    if tables:
        parts.append(RowAdagrad([{"params": tables, "peak": section.learning_rate}], rate=section.learning_rate))
    return Optimiser(*parts)


def rate_share(step: int, section: TrainSection) -> float:
    """The share of its peak that each rate has at a step: up on a straight line, then down to 0 on another.

    :param step: 0 to ``section.steps - 1``.

    >>> settings = TrainSection(steps=10, warmup=0.2)
    >>> [round(rate_share(step, settings), 3) for step in (0, 1, 2, 6, 9)]
    [0.5, 1.0, 1.0, 0.5, 0.125]
    >>> settings = TrainSection(steps=10, warmup=0.2, decline="from_start")
    >>> [round(rate_share(step, settings), 3) for step in (0, 1, 2, 6, 9)]
    [0.5, 0.9, 0.8, 0.4, 0.1]
    """
    n_warm = round(section.warmup * section.steps)
    warmed = (step + 1) / n_warm if step < n_warm else 1.0
    if section.decline == "from_start":
        return warmed * (section.steps - step) / section.steps
    return warmed if step < n_warm else (section.steps - step) / (section.steps - n_warm)

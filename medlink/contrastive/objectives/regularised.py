"""Any objective with a penalty that keeps its embeddings spread out and its dimensions unlike one another."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Generic

from torch import Tensor, nn

from medlink.contrastive.losses.regression import covariance_penalty, variance_penalty
from medlink.contrastive.objectives.protocol import Batch, Inputs, Objective, ObjectiveStep


@dataclass(frozen=True, slots=True)
class Spread:
    """What the penalty counts (Bardes et al. 2022, "VICReg", eq. 6, whose ratio is 25 to 1)."""

    variance: float = 1.0
    covariance: float = 0.04


class Regularised(Generic[Inputs]):
    """An objective plus a variance and covariance penalty on both columns' embeddings.

    The embeddings are scaled to length √width first, so that evenly spread ones have the standard deviation of 1 that
    the paper asks for, whatever their length.
    """

    def __init__(self, objective: Objective[Inputs], spread: Spread) -> None:
        self._objective, self._spread = objective, spread

    def loss(self, batch: Batch[Inputs]) -> ObjectiveStep:
        """The objective's step with the penalty added, and "spread" among its parts."""
        step = self._objective.loss(batch)
        penalty = self._penalty(step.first) + self._penalty(step.second)
        loss = step.loss + penalty
        return replace(step, loss=loss, parts={**step.parts, "loss": loss.detach(), "spread": penalty.detach()})

    def _penalty(self, embeddings: Tensor) -> Tensor:
        scaled = nn.functional.normalize(embeddings, dim=1) * embeddings.shape[1] ** 0.5
        return self._spread.variance * variance_penalty(scaled) + self._spread.covariance * covariance_penalty(scaled)

    def after_step(self) -> None:
        """As the objective does."""
        self._objective.after_step()

    def parameters(self) -> Iterator[nn.Parameter]:
        """The objective's own."""
        return self._objective.parameters()

    def state(self) -> dict[str, Tensor]:
        """The objective's own."""
        return self._objective.state()

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Go on where :meth:`state` was taken."""
        self._objective.load_state(state)

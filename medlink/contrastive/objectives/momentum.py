"""Objectives with a slow copy of the encoder: moco and byol."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic

import torch
from torch import Tensor

from medlink.contrastive.losses.reduction import check_positive
from medlink.contrastive.losses.regression import byol
from medlink.contrastive.losses.softmax import info_nce
from medlink.contrastive.memory_bank import MemoryBank
from medlink.contrastive.momentum import cosine_momentum, momentum_copy, update_momentum
from medlink.contrastive.objectives.protocol import Batch, Inputs, ObjectiveModule, ObjectiveStep, Towers
from medlink.contrastive.projection import byol_predictor
from medlink.contrastive.similarity import Pairs, cosine_similarity


@dataclass(frozen=True, slots=True)
class MoCoSettings:
    """Settings of :class:`MoCo`.

    :param capacity: of the queue, in keys.
    :param momentum: of the key encoder, in [0, 1].
    """

    temperature: float = 0.07
    capacity: int = 4096
    momentum: float = 0.999


class MoCo(ObjectiveModule, Generic[Inputs]):
    """A momentum encoder makes the keys; a queue keeps those of past batches as negatives (He et al. 2020).

    Unlike the paper, the batch's other keys are negatives too, so that the first step has some, and keys of the
    query's own concept are none.
    """

    def __init__(self, towers: Towers[Inputs], settings: MoCoSettings) -> None:
        super().__init__()
        self._towers, self._settings = towers, settings
        self.slow = momentum_copy(towers.momentum_source())
        self.bank: MemoryBank = MemoryBank(settings.capacity, towers.width, device=towers.device)
        self._newest: list[tuple[Tensor, Tensor]] = []

    def loss(self, batch: Batch[Inputs]) -> ObjectiveStep:
        """InfoNCE of the firsts against the slow copy's seconds and the queue (eq. 1)."""
        first = self._towers.query(batch.first)
        with torch.no_grad():
            second = self.slow(batch.second)
        pairs = batch.across().beside(Pairs.from_concepts(batch.concepts, self.bank.concepts).only_negatives())
        keys = torch.cat((second.to(self.bank.vectors), self.bank.vectors))
        loss = info_nce(cosine_similarity(first, keys), pairs, temperature=self._settings.temperature)
        if torch.is_grad_enabled():
            self._newest.append((second, batch.concepts))
        return ObjectiveStep(loss, {"loss": loss.detach()}, first, second)

    def after_step(self) -> None:
        """Move the slow copy, and queue the keys of all batches since the last step."""
        update_momentum(self.slow, self._towers.momentum_source(), momentum=self._settings.momentum)
        for keys, concepts in self._newest:
            self.bank.enqueue(keys, concepts)
        self._newest.clear()
        self.bank.advance()


@dataclass(frozen=True, slots=True)
class ByolSettings:
    """Settings of :class:`Byol`.

    :param momentum: of the target at the start, in [0, 1]; it rises to 1 along a cosine.
    :param n_steps: of the whole training.
    :param hidden: width of the hidden layers of projector and predictor, which keep the encoder's own width.
    :param seed: of their initial weights.
    """

    n_steps: int
    momentum: float = 0.996
    hidden: int = 1024
    seed: int = 0

    def __post_init__(self) -> None:
        check_positive(n_steps=self.n_steps)


class Byol(ObjectiveModule, Generic[Inputs]):
    """Predict what a slow copy makes of the other view; no negatives (Grill et al. 2020).

    Batches need at least two pairs, for the batch norm of projector and predictor.
    """

    step: Tensor

    def __init__(self, towers: Towers[Inputs], settings: ByolSettings) -> None:
        super().__init__()
        self._towers, self._settings = towers, settings
        self.projector = byol_predictor(towers.width, hidden=settings.hidden, seed=settings.seed)
        self.predictor = byol_predictor(towers.width, hidden=settings.hidden, seed=settings.seed + 1)
        self.slow = momentum_copy(towers.momentum_source())
        self.slow_projector = momentum_copy(self.projector)
        self.register_buffer("step", torch.tensor(0))
        self.to(towers.device)

    def loss(self, batch: Batch[Inputs]) -> ObjectiveStep:
        """Both views predicted from each other (eq. 2, made symmetric)."""
        first, second = self._towers.query(batch.first), self._towers.query(batch.second)
        with torch.no_grad():
            targets = [self.slow_projector(self.slow(view)) for view in (batch.second, batch.first)]
        predictions = [self.predictor(self.projector(view)) for view in (first, second)]
        loss = byol(torch.cat(predictions), torch.cat(targets), weight=_twice(batch.weight)) * 2
        return ObjectiveStep(loss, {"loss": loss.detach()}, first, second)

    def after_step(self) -> None:
        """Move the slow copies by the momentum of this step."""
        momentum = cosine_momentum(int(self.step), n_steps=self._settings.n_steps, base=self._settings.momentum)
        update_momentum(self.slow, self._towers.momentum_source(), momentum=momentum)
        update_momentum(self.slow_projector, self.projector, momentum=momentum)
        self.step += 1


def _twice(weight: Tensor | None) -> Tensor | None:
    """The pairs' weights for both views."""
    return None if weight is None else weight.repeat(2)

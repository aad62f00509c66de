"""The objective `retroactive`: the batch, and the hardest of what came before, from a memory bank kept up to date."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Generic

import torch
from torch import Tensor

from medlink.contrastive.exclusion import Exclusion
from medlink.contrastive.losses.reduction import check_positive
from medlink.contrastive.memory_bank import MemoryBank, Weighting
from medlink.contrastive.momentum import momentum_copy, update_momentum
from medlink.contrastive.objectives.protocol import Batch, Inputs, ObjectiveModule, ObjectiveStep, Towers
from medlink.contrastive.retroactive import Retrieval, retroactive_terms


@dataclass(frozen=True, slots=True)
class RetroactiveSettings:
    """Settings of :class:`Retroactive`; see :func:`medlink.contrastive.retroactive.retroactive_contrastive_loss`.

    :param alpha: what the memory term counts beside the batch's; 0 is plain InfoNCE.
    :param k: negatives that memory gives each query.
    :param capacity: of the memory bank, in entries.
    :param momentum: of a slow encoder that makes the stored keys, in [0, 1]; ``None`` stores the encoder's own.
    :param drift_every: steps between looks at the drift, where ``Towers.encode_items`` is given.
    :param max_drift: mean cosine distance above which the whole bank is encoded again.
    :param excluded: concepts that are no negatives of a query's, beside its own.
    :param seed: of the sample by which drift is measured.
    """

    alpha: float = 1.0
    temperature: float = 0.05
    k: int = 16
    capacity: int = 4096
    hardness_temperature: float = 0.1
    half_life: float = math.inf
    false_negative_margin: float | None = None
    momentum: float | None = None
    drift_every: int = 100
    max_drift: float = 0.05
    excluded: Exclusion | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        check_positive(drift_every=self.drift_every)


class Retroactive(ObjectiveModule, Generic[Inputs]):
    """InfoNCE on the batch plus alpha times the memory term; the batch's keys then join the memory."""

    def __init__(self, towers: Towers[Inputs], settings: RetroactiveSettings) -> None:
        super().__init__()
        self._towers, self._settings = towers, settings
        self._retrieval = Retrieval(
            Weighting(settings.hardness_temperature, settings.half_life),
            settings.excluded,
            settings.false_negative_margin,
        )
        self.slow = None if settings.momentum is None else momentum_copy(towers.momentum_source())
        self.bank: MemoryBank = MemoryBank(settings.capacity, towers.width, seed=settings.seed, device=towers.device)
        self._newest: list[tuple[Tensor, Batch[Inputs]]] = []

    def loss(self, batch: Batch[Inputs]) -> ObjectiveStep:
        """Firsts against seconds, and against what memory holds."""
        first, second = self._towers.query(batch.first), self._towers.key(batch.second)
        terms = retroactive_terms(
            first,
            second,
            self.bank,
            query_concepts=batch.concepts,
            temperature=self._settings.temperature,
            k=self._settings.k,
            retrieval=self._retrieval,
            pairs=batch.across(),
        )
        loss = terms.batch + self._settings.alpha * terms.memory
        if torch.is_grad_enabled():
            self._newest.append((self._keys_to_store(second, batch), batch))
        parts = {"loss": loss, "batch": terms.batch, "memory": terms.memory}
        return ObjectiveStep(loss, {name: part.detach() for name, part in parts.items()}, first, second)

    def _keys_to_store(self, second: Tensor, batch: Batch[Inputs]) -> Tensor:
        """The seconds as memory keeps them: as encoded, or by the slow encoder. *Shape:* (n_pairs, width)."""
        if self.slow is None:
            return second.detach()
        with torch.no_grad():
            keys: Tensor = self.slow(batch.second)
        return keys

    def after_step(self) -> None:
        """Store the keys of all batches since the last step, move the slow encoder, refresh a memory that drifted."""
        settings, encode = self._settings, self._towers.encode_items
        if self.slow is not None and settings.momentum is not None:
            update_momentum(self.slow, self._towers.momentum_source(), momentum=settings.momentum)
        self.bank.advance()
        for keys, batch in self._newest:
            self.bank.enqueue(keys, batch.concepts, items=batch.items, weights=batch.weight, version=self.bank.clock)
        self._newest.clear()
        if encode is not None and self.bank.clock % settings.drift_every == 0:
            self.bank.refresh(encode, max_drift=settings.max_drift, version=self.bank.clock)

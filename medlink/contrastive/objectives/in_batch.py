"""Objectives whose positives and negatives all come from the batch: simclr, clip, supcon, sapbert, or any pair loss."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from inspect import signature
from typing import Generic

import torch
from torch import Tensor

from medlink.contrastive.losses.registry import PAIR_LOSSES
from medlink.contrastive.losses.sigmoid import multi_similarity
from medlink.contrastive.losses.softmax import nt_xent, symmetric_info_nce
from medlink.contrastive.mining import hard_pairs
from medlink.contrastive.objectives.protocol import Batch, Inputs, ObjectiveModule, ObjectiveStep, Towers
from medlink.contrastive.projection import LearnedTemperature, projection_head
from medlink.contrastive.similarity import Pairs, cosine_similarity, euclidean_distance, inner_products
from medlink.errors import SettingError, UnknownNameError


@dataclass(frozen=True, slots=True)
class SimClrSettings:
    """Settings of :class:`SimClr`.

    :param temperature: of NT-Xent.
    :param projected: width of what the loss sees.
    :param hidden: width of the head's hidden layer.
    :param seed: of the head's initial weights.
    """

    temperature: float = 0.1
    projected: int = 128
    hidden: int = 384
    seed: int = 0


class SimClr(ObjectiveModule, Generic[Inputs]):
    """Two views of one input, NT-Xent on projections; the head is dropped after training (Chen et al. 2020).

    The batch's firsts and seconds are the two views: augmented, or the same text twice, told apart by dropout alone
    (Gao et al. 2021, "SimCSE"). Unlike the paper, views of one concept do not repel each other.
    """

    def __init__(self, towers: Towers[Inputs], settings: SimClrSettings) -> None:
        super().__init__()
        self._towers, self._temperature = towers, settings.temperature
        self.head = projection_head(towers.width, settings.projected, hidden=settings.hidden, seed=settings.seed)
        self.to(towers.device)

    def loss(self, batch: Batch[Inputs]) -> ObjectiveStep:
        """NT-Xent on the projections of both views. Pairs' weights do not enter: views carry no evidence."""
        first, second = self._towers.query(batch.first), self._towers.query(batch.second)
        pairs = batch.across()
        loss = nt_xent(self.head(first), self.head(second), temperature=self._temperature, ignored=~pairs.negative)
        return ObjectiveStep(loss, {"loss": loss.detach()}, first, second)


@dataclass(frozen=True, slots=True)
class ClipSettings:
    """Settings of :class:`Clip`.

    :param temperature: to start from.
    :param learned: whether it is learned, or stays.
    """

    temperature: float = 0.07
    learned: bool = True


class Clip(ObjectiveModule, Generic[Inputs]):
    """Two towers, symmetric InfoNCE, a temperature that is learned unless told otherwise (Radford et al. 2021).

    The query tower reads mentions in context, the key tower concepts. Keys of one concept are all positives.
    """

    def __init__(self, towers: Towers[Inputs], settings: ClipSettings) -> None:
        super().__init__()
        self._towers = towers
        self.temperature = LearnedTemperature(settings.temperature).to(towers.device)
        self.temperature.requires_grad_(settings.learned)

    def loss(self, batch: Batch[Inputs]) -> ObjectiveStep:
        """Symmetric InfoNCE between the towers."""
        first, second = self._towers.query(batch.first), self._towers.key(batch.second)
        temperature = self.temperature()
        loss = symmetric_info_nce(cosine_similarity(first, second), batch.across(), temperature=temperature)
        return ObjectiveStep(loss, {"loss": loss.detach(), "temperature": temperature.detach()}, first, second)

    def after_step(self) -> None:
        """Keep the temperature within its bound."""
        self.temperature.bound()


class InBatch(ObjectiveModule, Generic[Inputs]):
    """One tower and a pair loss over all embeddings of the batch, where names of one concept are positives.

    :param pair_loss: from all 2n embeddings, *Shape:* (2 n_pairs, width), and their pairs to the loss.
    """

    def __init__(self, towers: Towers[Inputs], pair_loss: Callable[[Tensor, Pairs], Tensor]) -> None:
        super().__init__()
        self._towers, self._pair_loss = towers, pair_loss

    def loss(self, batch: Batch[Inputs]) -> ObjectiveStep:
        """The pair loss over firsts and seconds together."""
        first, second = self._towers.query(batch.first), self._towers.query(batch.second)
        loss = self._pair_loss(torch.cat((first, second)), batch.within())
        return ObjectiveStep(loss, {"loss": loss.detach()}, first, second)


@dataclass(frozen=True, slots=True)
class InBatchSettings:
    """Settings of :func:`in_batch`.

    :param loss: a name of ``PAIR_LOSSES``.
    :param options: its options, such as the temperature or the margin.
    :param cosine: whether the loss sees cosines, else inner products.
    """

    loss: str = "info_nce"
    options: Mapping[str, float] = field(default_factory=dict)
    cosine: bool = True


def in_batch(towers: Towers[Inputs], settings: InBatchSettings) -> InBatch[Inputs]:
    """An objective around any pair loss, named in the settings.

    :raises UnknownNameError: when no loss has that name.
    :raises SettingError: when it has no such option.
    """
    if settings.loss not in PAIR_LOSSES:
        raise UnknownNameError("no such loss", expected=", ".join(PAIR_LOSSES), got=settings.loss)
    known = list(signature(PAIR_LOSSES[settings.loss]).parameters)[2:]
    if unknown := sorted(settings.options.keys() - set(known)):
        raise SettingError(
            f"the loss {settings.loss} has no such option", expected=", ".join(known), got=", ".join(unknown)
        )
    pair_loss = partial(PAIR_LOSSES[settings.loss], **settings.options)
    compare = cosine_similarity if settings.cosine else inner_products
    return InBatch(towers, lambda embeddings, pairs: pair_loss(compare(embeddings, embeddings), pairs))


@dataclass(frozen=True, slots=True)
class SupConSettings:
    """Settings of :func:`supcon`: the temperature."""

    temperature: float = 0.1


def supcon(towers: Towers[Inputs], settings: SupConSettings) -> InBatch[Inputs]:
    """Names of one concept are each other's positives, in one softmax (Khosla et al. 2020)."""
    return in_batch(towers, InBatchSettings("supervised_contrastive", {"temperature": settings.temperature}))


@dataclass(frozen=True, slots=True)
class SapBertSettings:
    """Settings of :func:`sapbert`, as published: of the multi-similarity loss, and the margin of the triplet miner."""

    alpha: float = 2.0
    beta: float = 50.0
    base: float = 0.5
    margin: float = 0.2


def sapbert(towers: Towers[Inputs], settings: SapBertSettings) -> InBatch[Inputs]:
    """Synonym pairs, online hard mining by Euclidean distance, multi-similarity loss (Liu et al. 2021, "SapBERT")."""

    def pair_loss(embeddings: Tensor, pairs: Pairs) -> Tensor:
        similarity = cosine_similarity(embeddings, embeddings)
        hard = hard_pairs(-euclidean_distance(similarity.detach()), pairs, margin=settings.margin)
        return multi_similarity(similarity, hard, alpha=settings.alpha, beta=settings.beta, base=settings.base)

    return InBatch(towers, pair_loss)

"""The training of a refinement: InfoNCE on lessons and replayed names, plus alpha times the memory term."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.random import Generator
from torch import Tensor
from tqdm import trange

from medlink.contrastive.memory_bank import MemoryBank, Weighting
from medlink.contrastive.retroactive import Retrieval, retroactive_terms
from medlink.contrastive.similarity import Pairs
from medlink.refinement.material import Example, Material
from medlink.refinement.settings import Mode, RefineSettings
from medlink.refinement.views import Texts, Views
from medlink.training.guard import CollapseError


@dataclass(frozen=True, slots=True)
class Step:
    """What a step cost.

    :param batch: InfoNCE on the batch.
    :param memory: the memory term before alpha; 0 where memory gave nothing.
    :param moved: mean squared distance by which the replayed names have moved.
    """

    batch: float
    memory: float
    moved: float


def learn(
    views: Views, material: Material, bank: MemoryBank, settings: RefineSettings, *, show_progress: bool = False
) -> tuple[Step, ...]:
    """Train the views in place; the bank's vectors follow them. The steps that were made.

    Each step draws lessons and names to replay. With q a wording or a name, p a name of its concept, N names of other
    concepts and S how far the replayed names lie from where the parent had them::

        loss = InfoNCE(q, p, N) + alpha * InfoNCE(q, p, memory) + stay * S

    :param bank: of mentions, whose items are places in ``material.wordings``.
    :raises CollapseError: when the loss is not finite any more.
    """
    n_new = int(material.new.sum())
    n_steps = settings.count_steps(n_new, len(material.lessons) - n_new) if material.lessons else 0
    if not n_steps:
        return ()
    random = np.random.default_rng(settings.seed)
    optimisers = _optimisers(views, settings)
    retrieval = Retrieval(Weighting(settings.hardness, settings.half_life), material.related, settings.margin)
    encode = _encode_items(views, material)
    steps = []
    for number in trange(n_steps, desc="refining", unit="step", disable=not show_progress):
        for group in (group for optimiser in optimisers for group in optimiser.param_groups):
            group["lr"] = group["peak"] * (1 - number / n_steps)
        loss, step = _loss(views, _draw(material, settings, random), material, bank, settings, retrieval)
        if not torch.isfinite(loss):
            raise CollapseError("the loss is not finite any more", where=f"step {number}", hint="Lower learning_rate.")
        for optimiser in optimisers:
            optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        for optimiser in optimisers:
            optimiser.step()
        if len(bank) and number % 10 == 9:
            bank.refresh(encode, max_drift=settings.refresh, version=number)
        steps.append(step)
    bank.refresh(encode, max_drift=0.0, version=n_steps)
    return tuple(steps)


@dataclass(frozen=True, slots=True, eq=False)
class _Batch:
    """A step's texts and who is what to whom.

    :param mentions: wordings; ``replayed`` names behind them.
    :param names: the distinct keys.
    """

    mentions: Texts
    replayed: Texts
    names: Texts
    concepts: Tensor
    pairs: Pairs


def _draw(material: Material, settings: RefineSettings, random: Generator) -> _Batch:
    lessons = material.draw_lessons(settings.n_lessons, settings.new_share, random)
    replay = material.draw_replay(settings.n_replay, random)
    examples = [*lessons, *replay]
    positives = [int(random.choice(example.positives)) for example in examples]
    negatives = [_draw_negatives(example, settings, random) for example in examples]
    rows, places = np.unique([*positives, *(row for some in negatives for row in some)], return_inverse=True)
    pairs = _pair(examples, places[: len(examples)].tolist(), rows.tolist(), material, settings)
    return _Batch(
        material.wordings.take([example.text for example in lessons]),
        material.names([example.text for example in replay]),
        material.names(rows.tolist()),
        torch.tensor([example.code for example in examples]),
        pairs,
    )


def _draw_negatives(example: Example, settings: RefineSettings, random: Generator) -> list[int]:
    """Some of the names that the example is to be told from: what was refuted always, then by chance."""
    chosen = [row for row in example.negatives if row in example.refuted][: settings.n_negatives]
    others = example.negatives[len(chosen) :]
    n = min(settings.n_negatives - len(chosen), len(others))
    return [*chosen, *(others[place] for place in random.choice(len(others), n, replace=False))] if n else chosen


def _pair(
    examples: Sequence[Example],
    positives: Sequence[int],
    rows: Sequence[int],
    material: Material,
    settings: RefineSettings,
) -> Pairs:
    """Each example with the one positive that was drawn for it, against all names of other concepts.

    Names of its concept that were not drawn, of its kin, and the name that it is itself, are neither.
    """
    n, m = len(examples), len(rows)
    column = {row: place for place, row in enumerate(rows)}
    holders: dict[int, list[int]] = {}
    for place, row in enumerate(rows):
        for code in material.codes[row]:
            holders.setdefault(code, []).append(place)
    positive, spared = torch.zeros(n, m, dtype=torch.bool), torch.zeros(n, m, dtype=torch.bool)
    weight = torch.ones(n, m)
    for i, example in enumerate(examples):
        positive[i, positives[i]] = True
        for code in example.spared & holders.keys():
            spared[i, holders[code]] = True
        if example.own in column:
            spared[i, column[example.own]] = True
        for row in example.refuted:
            if row in column:
                weight[i, column[row]] = settings.human_weight
    weight[positive] = 1.0
    device = material.wordings.vectors.device
    return Pairs(positive.to(device), (~spared & ~positive).to(device), weight.to(device))


def _loss(
    views: Views, batch: _Batch, material: Material, bank: MemoryBank, settings: RefineSettings, retrieval: Retrieval
) -> tuple[Tensor, Step]:
    queries = torch.cat([views.query(texts) for texts in (batch.mentions, batch.replayed) if len(texts)])
    keys = views.key(batch.names)
    terms = retroactive_terms(
        queries,
        keys,
        bank,
        query_concepts=batch.concepts.to(queries.device),
        temperature=settings.temperature,
        k=settings.n_memory,
        retrieval=retrieval,
        pairs=batch.pairs,
    )
    moved = (keys - batch.names.vectors.to(keys)).square().sum(dim=1).mean()
    loss = terms.batch + settings.alpha * terms.memory + settings.stay * moved
    return loss, Step(terms.batch.item(), terms.memory.item(), moved.item())


def _optimisers(views: Views, settings: RefineSettings) -> list[torch.optim.Optimizer]:
    """Adam, with each group's highest rate as its "peak"."""
    optimisers: list[torch.optim.Optimizer] = []
    rate = settings.adapter_rate if settings.mode is Mode.SURFACE else settings.learning_rate
    if views.dense and rate:
        groups = [{"params": views.dense, "peak": rate}]
        optimisers.append(torch.optim.AdamW(groups, lr=rate, weight_decay=0.0))
    if views.sparse:
        tables = [{"params": views.sparse, "peak": settings.learning_rate}]
        optimisers.append(torch.optim.SparseAdam(tables, lr=settings.learning_rate))
    return optimisers


def _encode_items(views: Views, material: Material) -> Callable[[Tensor], Tensor]:
    def encode(items: Tensor) -> Tensor:
        return views.query(material.wordings.take(items.tolist()))

    return encode

"""The batches of a refinement: what a step is trained on, and which of it is what to which."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.random import Generator
from torch import Tensor

from medlink.contrastive.similarity import Pairs
from medlink.refinement.material import Example, Material
from medlink.refinement.settings import RefineSettings
from medlink.refinement.views import Texts


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """A step's texts and who is what to whom.

    :param mentions: wordings of lessons; with ``replayed``, names behind them, the queries.
    :param names: the distinct keys.
    :param concepts: of the queries. *Shape:* (n_queries,), int64.
    :param pairs: *Shape:* (n_queries, n_keys).
    """

    mentions: Texts
    replayed: Texts
    names: Texts
    concepts: Tensor
    pairs: Pairs


def draw_batch(material: Material, settings: RefineSettings, random: Generator) -> Batch:
    """The texts of one step: lessons and names to replay, each with one name of its concept, and names of others."""
    lessons = material.draw_lessons(settings.n_lessons, settings.new_share, random)
    replay = material.draw_replay(settings.n_replay, random)
    examples = [*lessons, *replay]
    positives = [int(random.choice(example.positives)) for example in examples]
    negatives = [_draw_negatives(example, settings, random) for example in examples]
    rows, places = np.unique([*positives, *(row for some in negatives for row in some)], return_inverse=True)
    pairs = _pair(examples, places[: len(examples)].tolist(), rows.tolist(), material, settings)
    return Batch(
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

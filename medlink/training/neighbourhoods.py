"""Neighbourhoods: the concepts that an encoder finds most like each one, the hard negatives of batches to come."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

# Names that are encoded, and rows of the cosine matrix that are in memory, at a time.
_ENCODED, _BLOCK = 4096, 256


def mine_neighbours(names: Sequence[str], encode: Callable[[Sequence[str]], Tensor], *, n_group: int) -> Tensor:
    """For each concept itself and the concepts whose names are most like its own, related ones among them.

    Those that may mean the same stay in: they fill a batch, but losses leave them out.

    :param names: one of each concept.
    :param encode: from n texts to (n, width).
    :param n_group: how many, itself included; at most the number of concepts.
    :returns: places of ``names``. *Shape:* (n_concepts, n_group), int64.
    """
    blocks = [encode(names[start : start + _ENCODED]) for start in range(0, len(names), _ENCODED)]
    vectors = F.normalize(torch.cat(blocks), dim=1)
    found = torch.empty((len(vectors), n_group), dtype=torch.int64)
    for start in range(0, len(vectors), _BLOCK):
        cosines = vectors[start : start + _BLOCK] @ vectors.T
        rows = torch.arange(len(cosines), device=cosines.device)
        cosines[rows, start + rows] = 2.0  # itself before its homonyms
        found[start : start + _BLOCK] = cosines.topk(n_group, dim=1).indices.cpu()
    return found

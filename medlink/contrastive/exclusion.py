"""Which concepts must not be each other's negatives: equivalents and, where asked for, ancestors and descendants."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from medlink.errors import SettingError

Exclusion = Callable[[Tensor, Tensor], Tensor]
"""From the concepts of queries (n_queries,) and keys (n_keys,) to a mask (n_queries, n_keys) of what to leave out."""


class RelatedConcepts:
    """An :data:`Exclusion` from a sparse list of related concepts; relations hold both ways.

    :param related: *Shape:* (n_related, 2), int64 codes.
    :raises SettingError: when the list is not a list of pairs.

    >>> related = RelatedConcepts(torch.tensor([[1, 2], [1, 5]]))
    >>> related(torch.tensor([1, 2]), torch.tensor([5, 1, 2, 9])).int().tolist()
    [[1, 0, 1, 0], [0, 1, 0, 0]]
    """

    def __init__(self, related: Tensor) -> None:
        if related.ndim != 2 or related.shape[1] != 2:
            raise SettingError("related concepts come in pairs", expected="(n_related, 2)", got=f"{related.shape}")
        both = torch.unique(torch.cat((related, related.flip(1))), dim=0)  # sorted by the first column
        self._concept, self._relative = both[:, 0].contiguous(), both[:, 1].contiguous()

    def __call__(self, queries: Tensor, keys: Tensor) -> Tensor:
        """Whether query and key are related. *Shape:* (n_queries, n_keys), bool."""
        concept, relative = self._concept.to(queries.device), self._relative.to(queries.device)
        query, place = _matches(queries, concept)
        sorted_keys, order = keys.sort(stable=True)
        which, position = _matches(relative[place], sorted_keys)
        mask = torch.zeros(len(queries), len(keys), dtype=torch.bool, device=queries.device)
        mask[query[which], order[position]] = True
        return mask


def _matches(wanted: Tensor, table: Tensor) -> tuple[Tensor, Tensor]:
    """All (i, j) with ``wanted[i] == table[j]``, for a sorted table, without comparing every i with every j."""
    start, stop = torch.searchsorted(table, wanted), torch.searchsorted(table, wanted, right=True)
    count = stop - start
    i = torch.arange(len(wanted), device=wanted.device).repeat_interleave(count)
    first_of_i = (count.cumsum(0) - count)[i]
    return i, start[i] + torch.arange(len(i), device=wanted.device) - first_of_i

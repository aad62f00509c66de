"""The pair losses by name: each takes a similarity matrix and the pairs that count."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from torch import Tensor

from medlink.contrastive.losses.margin import contrastive, triplet
from medlink.contrastive.losses.sigmoid import logistic, multi_similarity
from medlink.contrastive.losses.softmax import (
    info_nce,
    n_pair,
    supervised_contrastive,
    symmetric_info_nce,
    synonym_marginalisation,
)
from medlink.contrastive.similarity import Pairs


class PairLoss(Protocol):
    """A loss on pairs; options such as the temperature or the margin come as keywords."""

    def __call__(self, similarity: Tensor, pairs: Pairs, /) -> Tensor:
        """The loss, a scalar."""
        ...


PAIR_LOSSES: Mapping[str, PairLoss] = {
    "contrastive": contrastive,
    "info_nce": info_nce,
    "logistic": logistic,
    "multi_similarity": multi_similarity,
    "n_pair": n_pair,
    "supervised_contrastive": supervised_contrastive,
    "symmetric_info_nce": symmetric_info_nce,
    "synonym_marginalisation": synonym_marginalisation,
    "triplet": triplet,
}

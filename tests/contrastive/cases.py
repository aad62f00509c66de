"""Random similarity matrices with masks and weights, for oracles and properties."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from hypothesis import settings
from hypothesis import strategies as st
from torch import Tensor

from medlink.contrastive.similarity import Pairs

few = settings(deadline=None, max_examples=25)
"""For properties that hold by the formula: a handful of shapes finds what breaks them."""


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """A similarity matrix, in float64, and its pairs."""

    similarity: Tensor
    pairs: Pairs

    @property
    def weight(self) -> Tensor:
        """The weights, in float64."""
        return self.pairs.full_weight().double()


def random_case(n_queries: int, n_keys: int, seed: int, *, weighted: bool = True) -> Case:
    """A case in which each pair is a positive, a negative or neither, and one weight in six is zero."""
    generator = torch.Generator().manual_seed(seed)
    shape = (n_queries, n_keys)
    role = torch.randint(0, 4, shape, generator=generator)
    weight = torch.rand(shape, generator=generator, dtype=torch.float64) * 2 + 0.1
    weight[torch.rand(shape, generator=generator) < 1 / 6] = 0
    similarity = torch.rand(shape, generator=generator, dtype=torch.float64) * 1.9 - 0.95
    return Case(similarity, Pairs(role == 1, role >= 2, weight if weighted else None))


def cases(*, weighted: bool = True) -> st.SearchStrategy[Case]:
    """Cases of all small shapes, the empty ones among them."""
    sizes = st.integers(0, 6)
    return st.builds(lambda q, k, seed: random_case(q, k, seed, weighted=weighted), sizes, sizes, st.integers(0, 10**6))


def random_vectors(n: int, width: int, seed: int, *, dtype: torch.dtype = torch.float32) -> Tensor:
    """Vectors of random direction and length."""
    return torch.randn(n, width, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)

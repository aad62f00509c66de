"""Cosine matrices, and which of their pairs attract, which repel and which stay out of the loss."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional as F

from medlink.errors import SettingError


def full_precision(values: Tensor) -> Tensor:
    """The values in float32, where they came in half precision; float32 and float64 stay as they are.

    Eight bits of mantissa cannot tell a cosine of 0.998 from one of 1, and temperatures divide what is left.
    """
    return values.float() if values.dtype in (torch.float16, torch.bfloat16) else values


def inner_products(queries: Tensor, keys: Tensor) -> Tensor:
    """The inner product of every query with every key, in full precision, also under autocast.

    :param queries: *Shape:* (n_queries, width).
    :param keys: *Shape:* (n_keys, width).
    :returns: *Shape:* (n_queries, n_keys).
    """
    with torch.autocast(queries.device.type, enabled=False):
        return full_precision(queries) @ full_precision(keys).T


def cosine_similarity(queries: Tensor, keys: Tensor) -> Tensor:
    """The cosine of every query with every key, in [-1, 1]; 0 where a vector is zero.

    :param queries: *Shape:* (n_queries, width), of any length.
    :param keys: *Shape:* (n_keys, width), of any length.
    :returns: *Shape:* (n_queries, n_keys), in full precision.
    """
    return inner_products(F.normalize(full_precision(queries), dim=1), F.normalize(full_precision(keys), dim=1))


def euclidean_distance(cosine: Tensor) -> Tensor:
    """The distance in [0, 2] between unit vectors that have these cosines: D² = 2 - 2s.

    Its gradient stays finite where two vectors coincide.
    """
    return (2 - 2 * cosine).clamp_min(torch.finfo(cosine.dtype).eps).sqrt()


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """What each pair of a query and a key is to the loss: a positive, a negative, or (neither) nothing.

    :param positive: *Shape:* (n_queries, n_keys), bool. A query may have several positives, or none.
    :param negative: *Shape:* (n_queries, n_keys), bool; never true where ``positive`` is.
    :param weight: *Shape:* (n_queries, n_keys), >= 0, what each pair counts; ``None`` is 1 everywhere. A positive's
        weight is its share in the mean over positives, a negative's multiplies its term in the sum over negatives.
    :raises SettingError: when the shapes differ or a mask is not boolean.
    """

    positive: Tensor
    negative: Tensor
    weight: Tensor | None = None

    def __post_init__(self) -> None:
        for name in ("positive", "negative", "weight"):
            value = getattr(self, name)
            if value is None:
                continue
            if value.shape != self.positive.shape or value.ndim != 2:
                raise SettingError(
                    f"the pairs' `{name}` has the wrong shape",
                    expected=f"a matrix (n_queries, n_keys) as `positive`, {tuple(self.positive.shape)}",
                    got=f"{tuple(value.shape)}",
                )
            if name != "weight" and value.dtype != torch.bool:
                raise SettingError(f"the pairs' `{name}` is not a mask", expected="torch.bool", got=f"{value.dtype}")

    @classmethod
    def from_concepts(cls, queries: Tensor, keys: Tensor | None = None, *, ignored: Tensor | None = None) -> Pairs:
        """Positives where the concepts agree, negatives where they differ.

        :param queries: *Shape:* (n_queries,), int64 codes of the queries' concepts.
        :param keys: *Shape:* (n_keys,); ``None`` where the keys are the queries themselves: nothing is then its own
            positive.
        :param ignored: *Shape:* (n_queries, n_keys), bool: negatives that may be false ones.

        >>> pairs = Pairs.from_concepts(torch.tensor([7, 7, 8]))
        >>> pairs.positive.int().tolist(), pairs.negative.int().tolist()
        ([[0, 1, 0], [1, 0, 0], [0, 0, 0]], [[0, 0, 1], [0, 0, 1], [1, 1, 0]])
        """
        same = queries[:, None] == (queries if keys is None else keys)[None, :]
        pairs = cls(positive=same.clone().fill_diagonal_(False) if keys is None else same, negative=~same)
        return pairs if ignored is None else pairs.ignoring(ignored)

    def ignoring(self, mask: Tensor) -> Pairs:
        """These pairs without the negatives in the mask; a positive stays a positive."""
        return replace(self, negative=self.negative & ~mask)

    def weighted(self, weight: Tensor) -> Pairs:
        """These pairs, each weight multiplied by the one given; *Shape:* (n_queries, n_keys), or broadcast to it."""
        weight = weight.expand(self.positive.shape)
        return replace(self, weight=weight if self.weight is None else self.weight * weight)

    def transposed(self) -> Pairs:
        """The same pairs with queries and keys in each other's place."""
        return Pairs(self.positive.T, self.negative.T, None if self.weight is None else self.weight.T)

    def beside(self, other: Pairs) -> Pairs:
        """The same queries with the other's keys after these. *Shape:* (n_queries, n_keys + n_other_keys)."""
        return Pairs(
            torch.cat((self.positive, other.positive), dim=1),
            torch.cat((self.negative, other.negative), dim=1),
            torch.cat((self.full_weight(), other.full_weight()), dim=1),
        )

    def full_weight(self) -> Tensor:
        """The weights, ones where none are given. *Shape:* (n_queries, n_keys)."""
        return torch.ones(self.positive.shape, device=self.positive.device) if self.weight is None else self.weight

    def only_positives(self) -> Pairs:
        """These pairs with no negatives."""
        return replace(self, negative=torch.zeros_like(self.negative))

    def only_negatives(self) -> Pairs:
        """These pairs with no positives."""
        return replace(self, positive=torch.zeros_like(self.positive))

    def check(self, similarity: Tensor) -> None:
        """Refuse a similarity matrix that is not about these pairs.

        :raises SettingError: when the shapes differ.
        """
        if similarity.shape != self.positive.shape:
            raise SettingError(
                "the similarities are not about these pairs",
                expected=f"shape {tuple(self.positive.shape)}",
                got=f"{tuple(similarity.shape)}",
            )

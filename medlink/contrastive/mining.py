"""Choosing negatives: from the batch, from an index, by hardness; each with its origin, rank and score."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from enum import IntEnum

import torch
from torch import Tensor

from medlink.contrastive.losses.reduction import check_positive, prepare
from medlink.contrastive.similarity import Pairs
from medlink.errors import SettingError


class Origin(IntEnum):
    """Where a negative was found; a correction is a person who said that it is none of the query's."""

    BATCH = 0
    INDEX = 1
    MEMORY = 2
    CORRECTION = 3


@dataclass(frozen=True, slots=True)
class Negative:
    """One negative of one query: see :class:`Negatives` for the fields."""

    query: int
    key: int
    score: float
    rank: int
    origin: Origin


@dataclass(frozen=True, slots=True, eq=False)
class Negatives:
    """Negatives as a record of arrays, ordered by query and, within a query and origin, hardest first.

    Each field's *Shape:* (n_negatives,).

    :param query: int64, row of the query.
    :param key: int64, row of the negative in its origin's own numbering.
    :param score: what it was chosen by; higher is harder.
    :param rank: int64, 0 for the hardest that was looked at.
    :param origin: uint8, an :class:`Origin`.
    """

    query: Tensor
    key: Tensor
    score: Tensor
    rank: Tensor
    origin: Tensor

    def __post_init__(self) -> None:
        if len({getattr(self, field.name).shape for field in fields(self)}) > 1 or self.query.ndim != 1:
            raise SettingError(
                "the arrays of these negatives are not equally long",
                got=", ".join(f"{field.name} {tuple(getattr(self, field.name).shape)}" for field in fields(self)),
            )

    def __len__(self) -> int:
        return len(self.query)

    def __iter__(self) -> Iterator[Negative]:
        columns = (getattr(self, field.name).tolist() for field in fields(self))
        for query, key, score, rank, origin in zip(*columns, strict=True):
            yield Negative(query, key, score, rank, Origin(origin))

    @classmethod
    def empty(cls, device: torch.device | None = None) -> Negatives:
        """No negatives."""
        nothing = torch.empty(0, dtype=torch.int64, device=device)
        return cls(nothing, nothing, nothing.float(), nothing, nothing.byte())

    @classmethod
    def joined(cls, parts: Sequence[Negatives]) -> Negatives:
        """The negatives of all parts, ordered by query; within a query the parts keep their order."""
        if not parts:
            return cls.empty()
        columns = (torch.cat([getattr(part, field.name) for part in parts]) for field in fields(cls))
        joined = cls(*columns)
        return joined[joined.query.argsort(stable=True)]

    def __getitem__(self, rows: Tensor) -> Negatives:
        """These rows of the record, by index or mask."""
        return type(self)(*(getattr(self, field.name)[rows] for field in fields(self)))


def hardest(score: Tensor, allowed: Tensor, *, k: int, origin: Origin = Origin.BATCH) -> Negatives:
    """The k highest-scoring allowed keys of each query; equal scores in the order of their keys.

    :param score: *Shape:* (n_queries, n_keys), higher is harder.
    :param allowed: *Shape:* (n_queries, n_keys), bool. A query with fewer allowed keys gets fewer.
    :param k: > 0.
    """
    check_positive(k=k)
    score = score.detach().masked_fill(~allowed, -torch.inf)
    if score.numel() == 0:
        return Negatives.empty(score.device)
    # All that reach the k-th score, so that ties at the cut do not fall to the whim of `topk`; then a stable sort.
    kth = score.topk(min(k, score.shape[1]), dim=1).values[:, -1:]
    query, key = (allowed & (score >= kth)).nonzero(as_tuple=True)
    found = score[query, key]
    order = found.argsort(descending=True, stable=True)
    order = order[query[order].argsort(stable=True)]
    query, key, found = query[order], key[order], found[order]
    rank = torch.arange(len(query), device=query.device) - torch.searchsorted(query, query)
    kept = rank < k
    return Negatives(query, key, found, rank, torch.full_like(query, origin, dtype=torch.uint8))[kept]


def hardest_in_batch(similarity: Tensor, pairs: Pairs, *, k: int) -> Negatives:
    """Each query's k most similar negatives.

    :param similarity: *Shape:* (n_queries, n_keys).
    """
    return hardest(prepare(similarity, pairs), pairs.negative, k=k)


def semi_hard_in_batch(similarity: Tensor, pairs: Pairs, *, k: int, margin: float = 0.2) -> Negatives:
    """Each query's k most similar negatives that are less similar than one of its positives, by less than ``margin``.

    Schroff et al. 2015, "FaceNet", section 3.2: the hardest negatives of an untrained network may pull it to a
    collapse; semi-hard ones do not. Here on cosines: s_p - margin < s_n < s_p.

    :param similarity: *Shape:* (n_queries, n_keys).
    :param margin: a difference of cosines, in (0, 2].
    """
    check_positive(margin=margin)
    similarity = prepare(similarity, pairs).detach()
    query, key = pairs.positive.nonzero(as_tuple=True)
    positive = similarity[query, key][:, None]  # (n_positives, 1)
    semi_hard = (similarity[query] < positive) & (similarity[query] > positive - margin)  # (n_positives, n_keys)
    n_reasons = torch.zeros_like(similarity, dtype=torch.int64).index_add_(0, query, semi_hard.long())
    return hardest(similarity, pairs.negative & (n_reasons > 0), k=k)


def hardest_in_index(
    score: Tensor, key: Tensor, allowed: Tensor, *, k: int, positive_score: Tensor, margin: float = 0.0
) -> Negatives:
    """Each query's k best neighbours that an index returned and that are safe to call negatives.

    Solatorio 2024, "GISTEmbed": a neighbour that is closer to the query than its positive is likely a positive that
    nobody labelled. Kept is what scores at most ``positive_score - margin``. The paper takes the scores from a guide
    model; any scores will do. ``rank`` is the place among all neighbours, so that what was skipped can be seen.

    :param score: *Shape:* (n_queries, n_neighbours), higher is nearer, best first.
    :param key: *Shape:* (n_queries, n_neighbours), int64, the index's rows; negative where there is none.
    :param allowed: *Shape:* (n_queries, n_neighbours), bool: not of the query's concept, nor otherwise excluded.
    :param positive_score: *Shape:* (n_queries,), the score of the query's best positive.
    :param margin: in the unit of the scores; above 0 is stricter, below 0 laxer.
    """
    safe = allowed & (key >= 0) & (score <= positive_score[:, None] - margin)
    found = hardest(score, safe, k=k, origin=Origin.INDEX)
    return replace(found, key=key[found.query, found.key], rank=found.key)


def keep_negatives(pairs: Pairs, negatives: Negatives) -> Pairs:
    """The pairs with these negatives of the batch alone, so that any loss can be computed on what was mined."""
    negative = torch.zeros_like(pairs.negative)
    negative[negatives.query, negatives.key] = True
    return replace(pairs, negative=negative)


def hard_pairs(score: Tensor, pairs: Pairs, *, margin: float = 0.1) -> Pairs:
    """The pairs that still teach: those on the wrong side of the query's hardest opposite, or within ``margin`` of it.

    Wang et al. 2019, "Multi-Similarity Loss", section 4: a negative stays if it scores above the query's lowest
    positive less the margin; a positive stays if it scores below the query's highest negative plus the margin.
    SapBERT (Liu et al. 2021) mines triplets (a, p, n) with D(a, p) > D(a, n) - 0.2, which leaves the same pairs:
    pass minus the Euclidean distance as the score, and 0.2 as the margin.

    :param score: *Shape:* (n_queries, n_keys), higher is nearer.
    :param margin: in the unit of the scores, >= 0.
    """
    score = prepare(score, pairs).detach()
    if score.numel() == 0:
        return pairs
    lowest_positive = score.masked_fill(~pairs.positive, torch.inf).amin(dim=1, keepdim=True)
    highest_negative = score.masked_fill(~pairs.negative, -torch.inf).amax(dim=1, keepdim=True)
    return replace(
        pairs,
        positive=pairs.positive & (score - margin < highest_negative),
        negative=pairs.negative & (score + margin > lowest_positive),
    )

"""Losses with a margin: contrastive (Hadsell 2006) and triplet (Schroff 2015)."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from medlink.contrastive.losses.reduction import check_positive, prepare, weighted_mean
from medlink.contrastive.similarity import Pairs, euclidean_distance


def contrastive(similarity: Tensor, pairs: Pairs, *, margin: float = 1.0) -> Tensor:
    """The contrastive loss: positives attract, negatives repel until they are ``margin`` apart.

    Hadsell et al. 2006, "Dimensionality Reduction by Learning an Invariant Mapping", eq. 4, with D² = 2 - 2s:

        positive: ½ D²        negative: ½ max(0, margin - D)²

    The paper sums over pairs drawn in equal numbers. In a batch negatives outnumber positives by far, so each kind
    has its own mean, over the pairs that are not yet where they belong, and the two are added.

    :param similarity: cosines. *Shape:* (n_queries, n_keys).
    :param margin: Euclidean distance in (0, 2], beyond which a negative no longer matters; 1 is a cosine of 0.5.
    :returns: a scalar, 0 where no pair is left.
    """
    check_positive(margin=margin)
    similarity = prepare(similarity, pairs)
    weight = pairs.full_weight().to(similarity)
    attract = (1 - similarity).clamp_min(0.0)
    repel = F.relu(margin - euclidean_distance(similarity)).square() / 2
    return weighted_mean(attract, pairs.positive & (attract > 0), weight) + weighted_mean(
        repel, pairs.negative & (repel > 0), weight
    )


def triplet(similarity: Tensor, pairs: Pairs, *, margin: float = 0.2) -> Tensor:
    """The triplet loss: each negative at least ``margin`` farther (squared distance) than each positive of its query.

    Schroff et al. 2015, "FaceNet", section 3.1: Σ max(0, D²(a, p) - D²(a, n) + margin), with D² = 2 - 2s. The mean runs
    over all triplets that violate the margin, as in Hermans et al. 2017, "In Defense of the Triplet Loss" (L_BA≠0);
    a triplet weighs the product of its two pairs' weights. Memory grows with n_positives x n_keys.

    :param similarity: cosines. *Shape:* (n_queries, n_keys).
    :param margin: difference of squared distances, in (0, 4].
    :returns: a scalar, 0 where no triplet violates the margin.
    """
    check_positive(margin=margin)
    similarity = prepare(similarity, pairs)
    weight = pairs.full_weight().to(similarity)
    query, key = pairs.positive.nonzero(as_tuple=True)
    to_positive = similarity[query, key][:, None]  # (n_positives, 1)
    violation = F.relu(margin + 2 * (similarity[query] - to_positive))  # (n_positives, n_keys)
    triplet_weight = weight[query, key][:, None] * weight[query]
    return weighted_mean(violation, pairs.negative[query] & (violation > 0), triplet_weight)

"""Losses that weigh pairs by sigmoids: logistic (Zhai 2023) and multi-similarity (Wang 2019)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from medlink.contrastive.losses.reduction import check_positive, masked_logsumexp, prepare
from medlink.contrastive.similarity import Pairs


def logistic(similarity: Tensor, pairs: Pairs, *, scale: float | Tensor = 10.0, bias: float | Tensor = -10.0) -> Tensor:
    """The pairwise sigmoid loss: every pair is a yes-or-no question of its own.

    Zhai et al. 2023, "Sigmoid Loss for Language Image Pre-Training" (SigLIP), section 3.2, with z = 1 for a positive
    and -1 for a negative:

        L = -1/n_queries Σ_ij w_ij log σ( z_ij (scale · s_ij + bias) ).

    The bias starts low because most pairs are negatives. The paper learns scale and bias: pass tensors for that.

    :param similarity: cosines. *Shape:* (n_queries, n_keys).
    :param scale: one over the temperature, > 0.
    :returns: a scalar, 0 where no pair is left.
    """
    check_positive(scale=scale)
    logits = prepare(similarity, pairs) * scale + bias
    weight = pairs.full_weight().to(logits) * (pairs.positive | pairs.negative)
    return (F.softplus(torch.where(pairs.positive, -logits, logits)) * weight).sum() / max(len(logits), 1)


def multi_similarity(
    similarity: Tensor, pairs: Pairs, *, alpha: float = 2.0, beta: float = 50.0, base: float = 0.5
) -> Tensor:
    """The multi-similarity loss: soft maxima over each query's worst positives and worst negatives.

    Wang et al. 2019, "Multi-Similarity Loss with General Pair Weighting for Deep Metric Learning", section 4:

        L = 1/n_queries Σ_i { 1/α log[1 + Σ_p w_ip e^{-α(s_ip - λ)}] + 1/β log[1 + Σ_n w_in e^{β(s_in - λ)}] }.

    Meant for pairs that :func:`medlink.contrastive.mining.hard_pairs` has picked. The defaults are those of the paper
    and of SapBERT (Liu et al. 2021).

    :param similarity: cosines. *Shape:* (n_queries, n_keys).
    :param alpha: sharpness of the soft maximum over positives, > 0.
    :param beta: sharpness of the soft maximum over negatives, > 0.
    :param base: λ, the cosine around which positives and negatives are parted.
    :returns: a scalar, 0 where no pair is left.
    """
    check_positive(alpha=alpha, beta=beta)
    centred = prepare(similarity, pairs) - base
    weight = pairs.full_weight().to(centred)
    # log(1 + e^x) is softplus(x), and an empty sum is x = -∞.
    attract = F.softplus(masked_logsumexp(-alpha * centred, pairs.positive, weight)) / alpha
    repel = F.softplus(masked_logsumexp(beta * centred, pairs.negative, weight)) / beta
    return (attract + repel).sum() / max(len(centred), 1)

"""Losses with a softmax over one positive and many negatives: InfoNCE and its kin.

All are built from two numbers a query: P, the logit of a positive, and N = log Σ w·exp(logit) over its negatives.
The softmax probability of the positive is then e^P / (e^P + e^N), and its negative logarithm is softplus(N - P).
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from medlink.contrastive.losses.reduction import check_positive, masked_logsumexp, prepare, weighted_mean
from medlink.contrastive.similarity import Pairs, cosine_similarity


def info_nce(similarity: Tensor, pairs: Pairs, *, temperature: float | Tensor = 0.05) -> Tensor:
    """InfoNCE: tell each positive from all negatives of its query.

    van den Oord et al. 2018, "Representation Learning with Contrastive Predictive Coding", eq. 4. Several positives of
    a query do not compete: each has its own softmax against the negatives,

        ℓ(i, p) = -log( e^{s_ip/τ} / (e^{s_ip/τ} + Σ_n w_in e^{s_in/τ}) ),    L = Σ w_ip ℓ(i, p) / Σ w_ip.

    :param similarity: cosines. *Shape:* (n_queries, n_keys).
    :param temperature: τ > 0; the lower, the more the hardest negatives dominate (0.05 to 0.1 suits cosines).
    :returns: a scalar >= 0; 0 where there is no positive or no negative.
    """
    check_positive(temperature=temperature)
    logits = prepare(similarity, pairs) / temperature
    weight = pairs.full_weight().to(logits)
    negatives = masked_logsumexp(logits, pairs.negative, weight)[:, None]  # (n_queries, 1)
    return weighted_mean(F.softplus(negatives - logits), pairs.positive, weight)


def nt_xent(
    first: Tensor, second: Tensor, *, temperature: float | Tensor = 0.1, ignored: Tensor | None = None
) -> Tensor:
    """NT-Xent: InfoNCE over both views of every item; a view's only positive is the other view of its item.

    Chen et al. 2020, "A Simple Framework for Contrastive Learning", eq. 1: 2n queries with 2n - 2 negatives each.

    :param first: one view of each item. *Shape:* (n_items, width).
    :param second: the other view, in the same order. *Shape:* (n_items, width).
    :param ignored: *Shape:* (n_items, n_items), bool: items that may mean the same and do not repel each other.
    :returns: a scalar >= 0; 0 for fewer than two items.
    """
    views = torch.cat((first, second))
    items = torch.arange(len(first), device=views.device).repeat(2)
    pairs = Pairs.from_concepts(items, ignored=None if ignored is None else ignored.repeat(2, 2))
    return info_nce(cosine_similarity(views, views), pairs, temperature=temperature)


def n_pair(similarity: Tensor, pairs: Pairs) -> Tensor:
    """The multi-class N-pair loss: log(1 + Σ_n w_in exp(s_in - s_ip)), averaged over positives.

    Sohn 2016, "Improved Deep Metric Learning with Multi-class N-pair Loss Objective", section 3.2. Equals
    :func:`info_nce` at temperature 1. On cosines, which differ by 2 at most, that is a weak push: the paper takes inner
    products of vectors of free length, and adds a small penalty on those lengths.

    :param similarity: inner products. *Shape:* (n_queries, n_keys).
    """
    return info_nce(similarity, pairs, temperature=1.0)


def supervised_contrastive(similarity: Tensor, pairs: Pairs, *, temperature: float | Tensor = 0.1) -> Tensor:
    """The supervised contrastive loss: all of a query's positives share one softmax.

    Khosla et al. 2020, "Supervised Contrastive Learning", eq. 2 (L_out), where A(i) is every pair of query i that is
    positive or negative:

        L = mean_i  1/|P(i)| Σ_p -w_ip log( e^{s_ip/τ} / Σ_{a ∈ A(i)} w_ia e^{s_ia/τ} ),  w_ia = 1 for a positive a.

    The paper sums over i; the mean here runs over the queries that have a positive, weighed by their positives' mean
    weight. Equals :func:`info_nce` where each query has one positive and the weights are 1.

    :param similarity: cosines. *Shape:* (n_queries, n_keys).
    :param temperature: τ > 0; the paper's best is 0.1.
    """
    check_positive(temperature=temperature)
    logits = prepare(similarity, pairs) / temperature
    weight = pairs.full_weight().to(logits)
    in_denominator = torch.where(pairs.positive, 1.0, weight)
    everything = masked_logsumexp(logits, pairs.positive | pairs.negative, in_denominator)[:, None]  # (n_queries, 1)
    share = weight / pairs.positive.sum(dim=1, keepdim=True).clamp_min(1)
    return weighted_mean(everything - logits, pairs.positive, share)


def synonym_marginalisation(similarity: Tensor, pairs: Pairs, *, temperature: float | Tensor = 1.0) -> Tensor:
    """Minus the log-probability that a softmax over candidate names falls on any name of the right concept.

    Sung et al. 2020, "Biomedical Entity Representations with Synonym Marginalization" (BioSyn), eq. 5 and 6:

        L = mean_i -log( Σ_p e^{s_ip/τ} / Σ_{p, n} e^{s_i·/τ} ).

    Only the total counts, so the easiest synonym may carry it: others are not pulled in, as :func:`info_nce` would.
    The mean runs over queries with a positive, weighed by their positives' mean weight; within a query a positive's
    weight relative to that mean multiplies its term. Equals :func:`info_nce` where each query has one positive.

    :param similarity: scores of the candidates. *Shape:* (n_queries, n_keys).
    :param temperature: τ > 0; the paper has none (1).
    """
    check_positive(temperature=temperature)
    logits = prepare(similarity, pairs) / temperature
    weight = pairs.full_weight().to(logits)
    n_positives = pairs.positive.sum(dim=1)
    query_weight = torch.where(pairs.positive, weight, 0.0).sum(dim=1) / n_positives.clamp_min(1)
    relative = weight / torch.where(query_weight > 0, query_weight, 1.0)[:, None]
    positives = masked_logsumexp(logits, pairs.positive, relative)
    negatives = masked_logsumexp(logits, pairs.negative, weight)
    return weighted_mean(F.softplus(negatives - positives), query_weight > 0, query_weight)


def symmetric_info_nce(similarity: Tensor, pairs: Pairs, *, temperature: float | Tensor = 0.07) -> Tensor:
    """The loss of CLIP: the mean of InfoNCE from queries to keys and from keys to queries.

    Radford et al. 2021, "Learning Transferable Visual Models From Natural Language Supervision", figure 3. For a
    learned temperature pass a :class:`medlink.contrastive.projection.LearnedTemperature`'s value.

    :param similarity: cosines. *Shape:* (n_queries, n_keys).
    """
    forward = info_nce(similarity, pairs, temperature=temperature)
    return (forward + info_nce(similarity.T, pairs.transposed(), temperature=temperature)) / 2

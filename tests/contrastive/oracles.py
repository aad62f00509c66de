"""The losses once more, slowly: written from the papers' formulas, pair by pair, in float64, without any trick.

Each takes a similarity matrix, masks of positives and negatives, and weights, and returns a scalar with its graph, so
that gradients can be compared as well as values.
"""

from __future__ import annotations

import torch
from torch import Tensor


def zero(similarity: Tensor) -> Tensor:
    """A zero that knows the similarities."""
    return (similarity * 0).sum()


def row(mask: Tensor, i: int) -> list[int]:
    """The columns that are true in row i."""
    return [j for j in range(mask.shape[1]) if mask[i, j]]


def contrastive(s: Tensor, positive: Tensor, negative: Tensor, w: Tensor, margin: float) -> Tensor:
    """Hadsell 2006, eq. 4, the mean over unsatisfied pairs of each kind."""
    total = zero(s)
    for mask, is_positive in ((positive, True), (negative, False)):
        losses, weights = [], []
        for i in range(s.shape[0]):
            for j in row(mask, i):
                distance = torch.sqrt(2 - 2 * s[i, j])
                loss = distance**2 / 2 if is_positive else torch.clamp(margin - distance, min=0) ** 2 / 2
                if loss > 0:
                    losses.append(w[i, j] * loss)
                    weights.append(w[i, j])
        if weights and sum(weights) > 0:
            total = total + sum(losses) / sum(weights)
    return total


def triplet(s: Tensor, positive: Tensor, negative: Tensor, w: Tensor, margin: float) -> Tensor:
    """Schroff 2015, section 3.1, the mean over violating triplets."""
    losses, weights = [], []
    for i in range(s.shape[0]):
        for p in row(positive, i):
            for n in row(negative, i):
                violation = (2 - 2 * s[i, p]) - (2 - 2 * s[i, n]) + margin
                if violation > 0:
                    losses.append(w[i, p] * w[i, n] * violation)
                    weights.append(w[i, p] * w[i, n])
    return sum(losses) / sum(weights) if weights and sum(weights) > 0 else zero(s)  # type: ignore[return-value]


def info_nce(s: Tensor, positive: Tensor, negative: Tensor, w: Tensor, temperature: float) -> Tensor:
    """van den Oord 2018, eq. 4, one softmax a positive."""
    total, weights = zero(s), 0.0
    for i in range(s.shape[0]):
        for p in row(positive, i):
            up = torch.exp(s[i, p] / temperature)
            down = up + sum((w[i, n] * torch.exp(s[i, n] / temperature) for n in row(negative, i)), zero(s))
            total = total - w[i, p] * torch.log(up / down)
            weights += float(w[i, p])
    return total / weights if weights > 0 else total


def supervised_contrastive(s: Tensor, positive: Tensor, negative: Tensor, w: Tensor, temperature: float) -> Tensor:
    """Khosla 2020, eq. 2."""
    total, weights = zero(s), 0.0
    for i in range(s.shape[0]):
        ps, ns = row(positive, i), row(negative, i)
        down = sum((torch.exp(s[i, p] / temperature) for p in ps), zero(s))
        down = down + sum((w[i, n] * torch.exp(s[i, n] / temperature) for n in ns), zero(s))
        for p in ps:
            total = total - w[i, p] * torch.log(torch.exp(s[i, p] / temperature) / down) / len(ps)
            weights += float(w[i, p]) / len(ps)
    return total / weights if weights > 0 else total


def synonym_marginalisation(s: Tensor, positive: Tensor, negative: Tensor, w: Tensor, temperature: float) -> Tensor:
    """Sung 2020, eq. 5 and 6."""
    total, weights = zero(s), 0.0
    for i in range(s.shape[0]):
        ps, ns = row(positive, i), row(negative, i)
        own = sum(float(w[i, p]) for p in ps) / len(ps) if ps else 0.0
        if own == 0:
            continue
        up = sum((w[i, p] / own * torch.exp(s[i, p] / temperature) for p in ps), zero(s))
        down = up + sum((w[i, n] * torch.exp(s[i, n] / temperature) for n in ns), zero(s))
        total = total - own * torch.log(up / down)
        weights += own
    return total / weights if weights > 0 else total


def logistic(s: Tensor, positive: Tensor, negative: Tensor, w: Tensor, scale: float, bias: float) -> Tensor:
    """Zhai 2023, section 3.2."""
    total = zero(s)
    for i in range(s.shape[0]):
        for j in range(s.shape[1]):
            z = 1 if positive[i, j] else -1
            if positive[i, j] or negative[i, j]:
                total = total - w[i, j] * torch.log(1 / (1 + torch.exp(-z * (scale * s[i, j] + bias))))
    return total / max(s.shape[0], 1)


def multi_similarity(
    s: Tensor, positive: Tensor, negative: Tensor, w: Tensor, alpha: float, beta: float, base: float
) -> Tensor:
    """Wang 2019, section 4."""
    total = zero(s)
    for i in range(s.shape[0]):
        up = sum((w[i, p] * torch.exp(-alpha * (s[i, p] - base)) for p in row(positive, i)), zero(s))
        down = sum((w[i, n] * torch.exp(beta * (s[i, n] - base)) for n in row(negative, i)), zero(s))
        total = total + torch.log(1 + up) / alpha + torch.log(1 + down) / beta
    return total / max(s.shape[0], 1)


def symmetric_info_nce(s: Tensor, positive: Tensor, negative: Tensor, w: Tensor, temperature: float) -> Tensor:
    """Radford 2021, figure 3."""
    there = info_nce(s, positive, negative, w, temperature)
    return (there + info_nce(s.T, positive.T, negative.T, w.T, temperature)) / 2


def hard_pairs(s: Tensor, positive: Tensor, negative: Tensor, margin: float) -> tuple[Tensor, Tensor]:
    """Wang 2019, section 4: which positives and negatives the miner keeps."""
    kept_positive, kept_negative = torch.zeros_like(positive), torch.zeros_like(negative)
    for i in range(s.shape[0]):
        ps, ns = row(positive, i), row(negative, i)
        for p in ps:
            kept_positive[i, p] = bool(ns) and bool(s[i, p] < max(s[i, n] for n in ns) + margin)
        for n in ns:
            kept_negative[i, n] = bool(ps) and bool(s[i, n] > min(s[i, p] for p in ps) - margin)
    return kept_positive, kept_negative

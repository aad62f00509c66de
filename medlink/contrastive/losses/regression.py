"""Losses without negatives: BYOL (Grill 2020) and the variance and covariance penalties of VICReg (Bardes 2022)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from medlink.contrastive.losses.reduction import check_positive, ratio
from medlink.contrastive.similarity import full_precision
from medlink.errors import SettingError


def byol(prediction: Tensor, target: Tensor, *, weight: Tensor | None = None) -> Tensor:
    """The mean of 2 - 2·cos(prediction, target), in [0, 4]; no gradient reaches the target.

    Grill et al. 2020, "Bootstrap Your Own Latent", eq. 2.

    :param prediction: what the predictor makes of one view. *Shape:* (n_items, width).
    :param target: what the averaged network makes of the other. *Shape:* (n_items, width).
    :param weight: *Shape:* (n_items,), >= 0, what each item counts; ``None`` is 1.
    """
    if prediction.shape != target.shape:
        raise SettingError(
            "predictions and targets differ in shape",
            expected=f"{tuple(prediction.shape)}",
            got=f"{tuple(target.shape)}",
        )
    prediction, target = full_precision(prediction), full_precision(target).detach()
    distance = 2 - 2 * F.cosine_similarity(prediction, target, dim=1)  # (n_items,)
    weight = torch.ones_like(distance) if weight is None else weight.to(distance)
    return ratio((distance * weight).sum(), weight.sum())


def variance_penalty(embeddings: Tensor, *, target: float = 1.0, epsilon: float = 1e-4) -> Tensor:
    """How far the standard deviations fall short of ``target``, averaged over dimensions.

    Bardes et al. 2022, "VICReg", eq. 1 and 2: 1/d Σ_j max(0, γ - √(Var(z_j) + ε)), with the unbiased variance.

    :param embeddings: *Shape:* (n_items, width).
    :param target: γ. Unit vectors that are spread evenly reach ``width ** -0.5``, never 1: for them, ask for that.
    :returns: a scalar in [0, γ], 0 for fewer than two items.
    """
    check_positive(target=target, epsilon=epsilon)
    embeddings = full_precision(embeddings)
    if len(embeddings) < 2:
        return embeddings.sum() * 0.0
    return F.relu(target - (embeddings.var(dim=0) + epsilon).sqrt()).mean()


def covariance_penalty(embeddings: Tensor) -> Tensor:
    """The sum of the squared covariances between different dimensions, over the number of dimensions.

    Bardes et al. 2022, "VICReg", eq. 3 and 4.

    :param embeddings: *Shape:* (n_items, width).
    :returns: a scalar >= 0, 0 for fewer than two items.
    """
    embeddings = full_precision(embeddings)
    n_items, width = embeddings.shape
    if n_items < 2:
        return embeddings.sum() * 0.0
    centred = embeddings - embeddings.mean(dim=0)
    covariance = centred.T @ centred / (n_items - 1)  # (width, width)
    return (covariance.square().sum() - covariance.diagonal().square().sum()) / width

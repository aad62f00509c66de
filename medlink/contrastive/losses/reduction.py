"""What the losses share: sums and means over masked pairs, safe where no pair is left."""

from __future__ import annotations

import torch
from torch import Tensor

from medlink.contrastive.similarity import Pairs, full_precision
from medlink.errors import SettingError


def prepare(similarity: Tensor, pairs: Pairs) -> Tensor:
    """The similarities in full precision.

    :raises SettingError: when their shape is not that of the pairs.
    """
    pairs.check(similarity)
    return full_precision(similarity)


def check_positive(**settings: float | Tensor) -> None:
    """Refuse temperatures, margins and the like that are not above zero; learned ones (tensors) are trusted.

    :raises SettingError: naming the setting.
    """
    for name, value in settings.items():
        if not isinstance(value, Tensor) and not value > 0:
            raise SettingError("this setting is out of its range", where=name, expected="a number > 0", got=f"{value}")


def masked_logsumexp(logits: Tensor, mask: Tensor, weight: Tensor | None = None) -> Tensor:
    """The log of Σ w·exp(logit) over each row's masked entries; very low, with a zero gradient, for an empty row.

    :param logits: *Shape:* (n_queries, n_keys).
    :param weight: *Shape:* (n_queries, n_keys), >= 0; an entry of weight 0 is left out.
    :returns: *Shape:* (n_queries,).
    """
    tiny, lowest = torch.finfo(logits.dtype).tiny, torch.finfo(logits.dtype).min
    if weight is not None:
        mask = mask & (weight > 0)
        logits = logits + weight.clamp_min(tiny).log()
    # A finite filler: the gradient of a log-sum-exp over nothing but -inf would be NaN.
    return logits.masked_fill(~mask, lowest).logsumexp(dim=1)


def weighted_mean(values: Tensor, mask: Tensor, weight: Tensor) -> Tensor:
    """Σ w·v / Σ w over the masked entries; where there are none, a zero that still backpropagates."""
    share = torch.where(mask, weight, 0.0)
    return ratio((torch.where(mask, values, 0.0) * share).sum(), share.sum())


def ratio(total: Tensor, count: Tensor) -> Tensor:
    """``total / count``, and ``total`` (a zero with its graph) where the count is 0."""
    return total / torch.where(count > 0, count, 1.0)

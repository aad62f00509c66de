"""Figures of merit with their intervals: pure functions on ranks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

N_RESAMPLES = 1000


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure with the interval that holds 95 % of its bootstrap values.

    :param value: in [0, 1].
    """

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Scores:
    """How well a system ranks the right concepts.

    :param n: mentions.
    :param acc1: share of mentions whose first answer is right.
    :param acc5: share with a right answer among the first five.
    :param mrr: mean of 1 / rank of the first right answer, 0 where there is none.
    """

    n: int
    acc1: Interval
    acc5: Interval
    mrr: Interval


def score_ranks(ranks: Sequence[int], clusters: Sequence[str], *, seed: int = 0) -> Scores:
    """The scores of some mentions.

    Intervals are percentiles of a bootstrap over documents, as mentions of one document are not independent.

    :param ranks: *Shape:* (n_mentions,), rank of the first right answer from 1 on, 0 where there is none.
    :param clusters: *Shape:* (n_mentions,), the document of each mention.
    """
    array = np.asarray(ranks, np.int64)
    values = np.stack(
        [array == 1, (array >= 1) & (array <= 5), np.where(array >= 1, 1.0 / np.maximum(array, 1), 0.0)], axis=1
    ).astype(np.float64)  # (n_mentions, 3)
    means = values.mean(axis=0)
    low, high = _bootstrap(values, clusters, seed)
    figures = [Interval(float(m), float(a), float(b)) for m, a, b in zip(means, low, high, strict=True)]
    return Scores(len(array), *figures)


def _bootstrap(
    values: NDArray[np.float64], clusters: Sequence[str], seed: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The 2.5th and 97.5th percentile of the means under resampling of whole clusters.

    :param values: *Shape:* (n_mentions, n_figures).
    :returns: twice *Shape:* (n_figures,).
    """
    _, codes = np.unique(np.asarray(clusters), return_inverse=True)
    n_clusters = int(codes.max()) + 1
    sums = np.zeros((n_clusters, values.shape[1]))
    np.add.at(sums, codes, values)
    sizes = np.bincount(codes, minlength=n_clusters)
    drawn = np.random.default_rng(seed).integers(n_clusters, size=(N_RESAMPLES, n_clusters))
    means = sums[drawn].sum(axis=1) / sizes[drawn].sum(axis=1, keepdims=True)  # (n_resamples, n_figures)
    low, high = np.percentile(means, [2.5, 97.5], axis=0)
    return low, high

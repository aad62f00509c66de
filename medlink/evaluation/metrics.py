"""Figures of merit with their intervals: pure functions on ranks and counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

N_RESAMPLES = 1000


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure with the interval that holds 95 % of its bootstrap values.

    :param value: in [0, 1]; a difference of two figures in [-1, 1].
    """

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Scores:
    """How well a system ranks the right concepts.

    :param n: mentions, or what their weights add up to.
    :param acc1: share of mentions whose first answer is right.
    :param acc5: share with a right answer among the first five.
    :param mrr: mean of 1 / rank of the first right answer, 0 where there is none.
    """

    n: int
    acc1: Interval
    acc5: Interval
    mrr: Interval


@dataclass(frozen=True, slots=True)
class Retrieval:
    """How much of what is there was found, and how much of what was found is there, summed over documents.

    :param n_gold: things to find.
    :param n_predicted: things that were predicted.
    :param precision: share of the predictions that are right; 0 where there is none.
    :param recall: share of the gold things that are found; 0 where there is none.
    :param f: the harmonic mean of both, 0 where both are.
    """

    n_gold: int
    n_predicted: int
    precision: Interval
    recall: Interval
    f: Interval


def score_counts(counts: Sequence[tuple[int, int, int, int]], *, seed: int = 0) -> Retrieval:
    """Micro-averaged precision, recall and F with the percentiles of a bootstrap over documents.

    :param counts: *Shape:* (n_documents, 4), not empty: right predictions, predictions, gold things that are found,
        gold things.
    """
    values, samples = _resample(counts, seed)
    low, high = np.percentile(samples, [2.5, 97.5], axis=0)
    figures = [Interval(float(v), float(a), float(b)) for v, a, b in zip(values, low, high, strict=True)]
    n_gold, n_predicted = sum(row[3] for row in counts), sum(row[1] for row in counts)
    return Retrieval(n_gold, n_predicted, *figures)


def compare_counts(
    counts: Sequence[tuple[int, int, int, int]], others: Sequence[tuple[int, int, int, int]], *, seed: int = 0
) -> Interval:
    """The F of one system minus that of another on the same documents, with the interval of a paired bootstrap.

    :param counts: *Shape:* (n_documents, 4), not empty, as of :func:`score_counts`.
    :param others: *Shape:* (n_documents, 4), the other system's.
    """
    (values, samples), (other_values, other_samples) = _resample(counts, seed), _resample(others, seed)
    low, high = np.percentile(samples[:, 2] - other_samples[:, 2], [2.5, 97.5])
    return Interval(float(values[2] - other_values[2]), float(low), float(high))


def _resample(
    counts: Sequence[tuple[int, int, int, int]], seed: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Precision, recall and F, *Shape:* (3,), and those of samples of the documents, *Shape:* (n_resamples, 3)."""
    array = np.asarray(counts, np.float64)
    drawn = np.random.default_rng(seed).integers(len(array), size=(N_RESAMPLES, len(array)))
    return _retrieval(array.sum(axis=0)), _retrieval(array[drawn].sum(axis=1))


def _retrieval(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """*Shape:* (…, 4) to (…, 3): precision, recall, F."""
    right, predicted, found, gold = np.moveaxis(counts, -1, 0)
    precision, recall = _share(right, predicted), _share(found, gold)
    return np.stack([precision, recall, _share(2 * precision * recall, precision + recall)], axis=-1)


def _share(part: NDArray[np.float64], whole: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)


def score_ranks(
    ranks: Sequence[int], clusters: Sequence[str], *, weights: Sequence[float] | None = None, seed: int = 0
) -> Scores:
    """The scores of some mentions.

    Intervals are percentiles of a bootstrap over documents, as mentions of one document are not independent.

    :param ranks: *Shape:* (n_mentions,), not empty, rank of the first right answer from 1 on, 0 where there is none.
    :param clusters: *Shape:* (n_mentions,), the document of each mention.
    :param weights: *Shape:* (n_mentions,), above 0, how much each mention counts; 1 by default.
    """
    array = np.asarray(ranks, np.int64)
    values = np.stack(
        [array == 1, (array >= 1) & (array <= 5), np.where(array >= 1, 1.0 / np.maximum(array, 1), 0.0)], axis=1
    ).astype(np.float64)  # (n_mentions, 3)
    loads = _loads(weights, len(array))
    return Scores(round(loads.sum()), *_intervals(values, clusters, loads, seed))


def compare_ranks(
    ranks: Sequence[int],
    others: Sequence[int],
    clusters: Sequence[str],
    *,
    weights: Sequence[float] | None = None,
    seed: int = 0,
) -> Interval:
    """The accuracy at 1 of one system minus that of another on the same mentions.

    The bootstrap is paired: each of its samples of documents holds both systems' answers. Equals the difference of
    the two figures of :func:`score_ranks`; its interval is the narrower, the more the systems err together.

    :param ranks: *Shape:* (n_mentions,), not empty, as of :func:`score_ranks`.
    :param others: *Shape:* (n_mentions,), the other system's.
    """
    right = (np.asarray(ranks) == 1).astype(np.float64) - (np.asarray(others) == 1)
    return _intervals(right[:, None], clusters, _loads(weights, len(right)), seed)[0]


def _loads(weights: Sequence[float] | None, n_mentions: int) -> NDArray[np.float64]:
    return np.ones(n_mentions) if weights is None else np.asarray(weights, np.float64)


def resample_means(
    values: NDArray[np.float64], clusters: Sequence[str], weights: NDArray[np.float64], *, seed: int = 0
) -> NDArray[np.float64]:
    """The weighted means of samples of whole clusters, drawn with repetition.

    :param values: *Shape:* (n_mentions, n_figures).
    :param clusters: *Shape:* (n_mentions,), not empty, the document of each mention.
    :param weights: *Shape:* (n_mentions,), above 0.
    :returns: *Shape:* (n_resamples, n_figures).
    """
    _, codes = np.unique(np.asarray(clusters), return_inverse=True)
    n_clusters = int(codes.max()) + 1
    sums = np.zeros((n_clusters, values.shape[1]))
    np.add.at(sums, codes, values * weights[:, None])
    sizes = np.bincount(codes, weights, minlength=n_clusters)
    drawn = np.random.default_rng(seed).integers(n_clusters, size=(N_RESAMPLES, n_clusters))
    return np.asarray(sums[drawn].sum(axis=1) / sizes[drawn].sum(axis=1, keepdims=True))


def _intervals(
    values: NDArray[np.float64], clusters: Sequence[str], weights: NDArray[np.float64], seed: int
) -> list[Interval]:
    """The weighted means with the 2.5th and 97.5th percentile of those under resampling of whole clusters.

    :param values: *Shape:* (n_mentions, n_figures).
    :param weights: *Shape:* (n_mentions,).
    """
    low, high = np.percentile(resample_means(values, clusters, weights, seed=seed), [2.5, 97.5], axis=0)
    means = (values * weights[:, None]).sum(axis=0) / weights.sum()
    return [Interval(float(m), float(a), float(b)) for m, a, b in zip(means, low, high, strict=True)]

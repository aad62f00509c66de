"""Are probabilities what they say? The expected calibration error, and by how much one system's is worse."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from medlink.evaluation.metrics import N_RESAMPLES

N_BINS = 10


@dataclass(frozen=True, slots=True)
class Answers:
    """What a system answered to some mentions.

    :param right: *Shape:* (n_mentions,), bool.
    :param score: *Shape:* (n_mentions,), the probability that it gave its answer, in [0, 1].
    """

    right: NDArray[np.bool_]
    score: NDArray[np.float64]


def calibration_error(answers: Answers, *, weights: NDArray[np.float64] | None = None, n_bins: int = N_BINS) -> float:
    """The mean distance between probability and accuracy, over bins of equal mass; in [0, 1], 0 for no mention.

    The expected calibration error of Naeini et al. 2015 ("Obtaining Well Calibrated Probabilities Using Bayesian
    Binning"), with as many mentions in each bin instead of bins of equal width (Nixon et al. 2019, "Measuring
    Calibration in Deep Learning"), as most probabilities of a linker are near 1. Mentions of one probability share a
    bin, that of their middle one, so that the order of the mentions changes nothing.

    :param weights: *Shape:* (n_mentions,), not negative, how often each mention counts; once by default.
    """
    if not len(answers.right):
        return 0.0
    return _error(_Sorted.of(answers), np.ones(len(answers.right)) if weights is None else weights, n_bins)


def compare_calibration(
    answers: Answers, others: Answers, clusters: Sequence[str], *, seed: int = 0, n_bins: int = N_BINS
) -> NDArray[np.float64]:
    """The calibration error of one system minus that of another, on samples of the documents that both answered.

    On few mentions the error of either is biased upward; that of their difference is nearly not.

    :param clusters: *Shape:* (n_mentions,), not empty, the document of each mention.
    :returns: *Shape:* (n_resamples,).
    """
    _, codes = np.unique(np.asarray(clusters), return_inverse=True)
    n_clusters = int(codes.max()) + 1
    one, other = _Sorted.of(answers), _Sorted.of(others)
    random = np.random.default_rng(seed)
    differences = np.empty(N_RESAMPLES)
    for place in range(N_RESAMPLES):
        drawn = np.bincount(random.integers(n_clusters, size=n_clusters), minlength=n_clusters)
        weights = drawn[codes].astype(np.float64)
        differences[place] = _error(one, weights, n_bins) - _error(other, weights, n_bins)
    return differences


@dataclass(frozen=True, slots=True)
class _Sorted:
    """Answers by their distinct probabilities, ascending.

    :param codes: *Shape:* (n_mentions,), which of the probabilities each has.
    """

    scores: NDArray[np.float64]
    codes: NDArray[np.int64]
    right: NDArray[np.float64]

    @classmethod
    def of(cls, answers: Answers) -> _Sorted:
        scores, codes = np.unique(np.asarray(answers.score, np.float64), return_inverse=True)
        return cls(scores, codes.astype(np.int64), np.asarray(answers.right, np.float64))


def _error(answers: _Sorted, weights: NDArray[np.float64], n_bins: int) -> float:
    mass = np.bincount(answers.codes, weights, minlength=len(answers.scores))
    n_right = np.bincount(answers.codes, weights * answers.right, minlength=len(answers.scores))
    total = mass.sum()
    middles = np.cumsum(mass) - mass / 2
    bins = np.minimum((middles / total * n_bins).astype(np.int64), n_bins - 1)
    gaps = np.bincount(bins, n_right - mass * answers.scores, minlength=n_bins)
    return float(np.abs(gaps).sum() / total)

"""What is measured, worked out slowly from its definition."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from medlink.evaluation.metrics import N_RESAMPLES


def reciprocal(rank: int) -> float:
    """A mention's share in the mean reciprocal rank."""
    return 0.0 if rank == 0 else 1.0 / rank


def bootstrap(values: Sequence[float], weights: Sequence[float], clusters: Sequence[str], seed: int) -> list[float]:
    """Low end, weighted mean and high end: documents are drawn one by one, and their mentions added up one by one."""
    documents = sorted(set(clusters))
    draws = np.random.default_rng(seed).integers(len(documents), size=(N_RESAMPLES, len(documents)))
    means = []
    for draw in draws.tolist():
        total = count = 0.0
        for document in draw:
            for value, weight, cluster in zip(values, weights, clusters, strict=True):
                if cluster == documents[document]:
                    total += weight * value
                    count += weight
        means.append(total / count)
    mean = sum(value * weight for value, weight in zip(values, weights, strict=True)) / sum(weights)
    return [percentile(means, 2.5), mean, percentile(means, 97.5)]


def percentile(numbers: Sequence[float], percent: float) -> float:
    """The percentile by straight lines between the sorted numbers."""
    ordered = sorted(numbers)
    place = percent / 100 * (len(ordered) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (place - below) * (ordered[above] - ordered[below])


def expected_calibration_error(graded: Sequence[tuple[bool, float]], n_bins: int) -> float:
    """Mentions of one score go, all together, to the bin in which the middle one of them stands."""
    ordered = sorted(score for _, score in graded)
    bins: dict[int, list[tuple[bool, float]]] = {}
    for right, score in graded:
        middle = ordered.index(score) + ordered.count(score) / 2
        bins.setdefault(min(int(middle / len(ordered) * n_bins), n_bins - 1), []).append((right, score))
    return sum(
        abs(sum(right for right, _ in held) / len(held) - sum(score for _, score in held) / len(held))
        * len(held)
        / len(graded)
        for held in bins.values()
    )

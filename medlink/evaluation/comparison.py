"""Systems side by side on every subset: ranks in, figures out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from medlink.evaluation.metrics import Interval, Scores, compare_ranks, score_ranks
from medlink.evaluation.subsets import Subset


@dataclass(frozen=True, slots=True)
class Difference:
    """By how much one system is better than another on the same mentions.

    :param acc1: the accuracy at 1 of ``system`` minus that of ``minus``, with its paired interval.
    """

    system: str
    minus: str
    acc1: Interval


@dataclass(frozen=True, slots=True)
class SubsetScores:
    """The figures of every system on one subset; without any where the subset is empty.

    :param n: mentions, or pairs.
    :param n_documents: documents that hold one of them.
    :param systems: by the systems' names, in their order.
    """

    name: str
    n: int
    n_documents: int
    systems: Mapping[str, Scores]
    differences: tuple[Difference, ...]


def compare_systems(
    ranks: Mapping[str, Sequence[int]],
    clusters: Sequence[str],
    subsets: Sequence[Subset],
    *,
    challenger: str,
    rivals: Sequence[str],
    seed: int = 0,
) -> tuple[SubsetScores, ...]:
    """The figures of every subset.

    :param ranks: each system's, *Shape:* (n_mentions,); see :func:`score_ranks`.
    :param clusters: *Shape:* (n_mentions,), the document of each mention.
    :param challenger: the system of the paired differences.
    :param rivals: the systems that it is compared with.
    """
    return tuple(_score(ranks, clusters, subset, [(challenger, rival) for rival in rivals], seed) for subset in subsets)


def _score(
    ranks: Mapping[str, Sequence[int]],
    clusters: Sequence[str],
    subset: Subset,
    pairs: Sequence[tuple[str, str]],
    seed: int,
) -> SubsetScores:
    documents = [clusters[row] for row in subset.rows]
    if not documents:
        return SubsetScores(subset.name, 0, 0, {}, ())
    kept = {system: [given[row] for row in subset.rows] for system, given in ranks.items()}
    weights = subset.weights
    scores = {system: score_ranks(given, documents, weights=weights, seed=seed) for system, given in kept.items()}
    differences = tuple(
        Difference(one, other, compare_ranks(kept[one], kept[other], documents, weights=weights, seed=seed))
        for one, other in pairs
    )
    return SubsetScores(subset.name, subset.n, len(set(documents)), scores, differences)

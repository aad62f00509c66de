"""With which concepts a batch begins: a function of the seed and the batch's number, so that drawing has no state."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from medlink.training.corpus import Entry

# More names say little more of a concept, and variants of a single name less than two names do.
_MOST_NAMES = 6
_SINGLE = 0.4


class Drawing(Protocol):
    """Chooses concepts by their places among those that give pairs."""

    def draw(self, number: int, n: int) -> list[int]:
        """Distinct places for the batch of that number, ``n`` at most.

        :param n: the same for all numbers.
        """


class EpochDrawing:
    """Every concept once an epoch, in an order of its own for each epoch."""

    def __init__(self, n_concepts: int, seed: int) -> None:
        self._n_concepts, self._seed = n_concepts, seed
        # Anew for each drawing, else it would keep the drawing alive.
        self._order = lru_cache(maxsize=2)(self._shuffle)

    def draw(self, number: int, n: int) -> list[int]:
        """The next places of the epoch; fewer than ``n`` where the next epoch begins with the same ones."""
        positions = [divmod(position, self._n_concepts) for position in range(number * n, (number + 1) * n)]
        return list(dict.fromkeys(int(self._order(epoch)[place]) for epoch, place in positions))

    def _shuffle(self, epoch: int) -> NDArray[np.int64]:
        return np.random.default_rng([self._seed, epoch]).permutation(self._n_concepts)


class WeightedDrawing:
    """Concepts in proportion to their weights, independently of other batches."""

    def __init__(self, weights: Sequence[float], seed: int) -> None:
        self._seed = seed
        self._cumulative = np.cumsum(np.array(weights) / np.sum(weights))

    def draw(self, number: int, n: int) -> list[int]:
        """Places at random; fewer than ``n`` where there are not many, or a few outweigh all others."""
        drawn = np.random.default_rng([self._seed, number]).random(2 * n)
        places = np.searchsorted(self._cumulative, drawn, side="right")
        # Rounding may leave the last sum below 1.
        return list(dict.fromkeys(np.minimum(places, len(self._cumulative) - 1).tolist()))[:n]


def weigh(entry: Entry) -> float:
    """How often a concept is drawn: by the root of the number of its names, times its ontology's weight."""
    return entry.weight * (min(len(entry.names), _MOST_NAMES) ** 0.5 if len(entry.names) > 1 else _SINGLE)

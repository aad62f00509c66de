"""Batches of synonym pairs for the surface tower: each a pure function of the seed and the step."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from random import Random

import numpy as np
import torch
from numpy.typing import NDArray

from medlink.contrastive.augmentation import OPERATIONS, augment
from medlink.text import normalise
from medlink.training.synonyms import Synonyms

_OPERATIONS = tuple(OPERATIONS.values())
_BLOCK = 1024


@dataclass(frozen=True, slots=True, eq=False)
class PairBatch:
    """Two names of each of some concepts, all different.

    :param left: one name, now and then changed as people change names.
    :param right: another name as the ontology has it; the same one where it has no other.
    :param concepts: *Shape:* (n_pairs,), int64.
    """

    left: tuple[str, ...]
    right: tuple[str, ...]
    concepts: NDArray[np.int64]


class PairSampler:
    """Draws batches.

    :param batch_size: concepts in a batch; fewer where there are not as many.
    :param augmented: the share of left names that are changed, in [0, 1]; a concept's only name always is.
    :param near_share: the share of a batch that :attr:`neighbours` fill, in [0, 1].
    """

    def __init__(
        self, synonyms: Synonyms, seed: int, *, batch_size: int, augmented: float, near_share: float = 0.0
    ) -> None:
        self.synonyms, self.seed = synonyms, seed
        self.batch_size, self.augmented, self.near_share = batch_size, augmented, near_share
        #: The concepts most like each one, itself first. *Shape:* (n_concepts, n_group); ``None`` until mined.
        self.neighbours: NDArray[np.int64] | None = None
        self._cumulative = np.cumsum(synonyms.weight / synonyms.weight.sum())

    def draw(self, step: int) -> PairBatch:
        """The batch of a step, the same whatever was drawn before."""
        generator, random = np.random.default_rng((self.seed, step)), Random(f"{self.seed} {step}")  # noqa: S311
        concepts = self._draw_concepts(generator)
        pairs = [self._draw_pair(concept, random) for concept in concepts.tolist()]
        return PairBatch(tuple(left for left, _ in pairs), tuple(right for _, right in pairs), concepts)

    def _draw_concepts(self, generator: np.random.Generator) -> NDArray[np.int64]:
        drawn = self._seeds(2 * self.batch_size, generator)
        if self.neighbours is not None:
            n_groups = int(self.batch_size * self.near_share) // self.neighbours.shape[1]
            drawn = np.concatenate((self.neighbours[drawn[:n_groups]].ravel(), drawn[n_groups:]))
        return np.array(list(dict.fromkeys(drawn.tolist()))[: self.batch_size], np.int64)

    def _seeds(self, n: int, generator: np.random.Generator) -> NDArray[np.int64]:
        places = np.searchsorted(self._cumulative, generator.random(n), side="right")
        return np.minimum(places, self.synonyms.n_concepts - 1)

    def _draw_pair(self, concept: int, random: Random) -> tuple[str, str]:
        names = self.synonyms.names_of(concept)
        if len(names) == 1:
            return self._vary(names[0], concept, random), names[0]
        left, right = random.sample(names, 2)
        return (self._vary(left, concept, random) if random.random() < self.augmented else left), right

    def _vary(self, name: str, concept: int, random: Random) -> str:
        def is_taken(variant: str) -> bool:
            return not self._bearers.get(normalise(variant), frozenset({concept})) <= {concept}

        return normalise(augment(name, random, is_taken=is_taken, operations=_OPERATIONS)) or name

    @cached_property
    def _bearers(self) -> Mapping[str, frozenset[int]]:
        bearers: dict[str, frozenset[int]] = {}
        for concept in range(self.synonyms.n_concepts):
            for name in self.synonyms.names_of(concept):
                bearers[name] = bearers.get(name, frozenset()) | {concept}
        return bearers


def mine_neighbours(
    synonyms: Synonyms, encode: Callable[[Sequence[str]], NDArray[np.float32]], *, n_group: int
) -> NDArray[np.int64]:
    """For each concept itself and the concepts whose first names are most like its own, related ones among them.

    Those that may mean the same stay in: they fill a batch, but the loss leaves them out.

    :param n_group: how many, itself included; at most the number of concepts.
    :returns: *Shape:* (n_concepts, n_group).
    """
    vectors = torch.from_numpy(encode([synonyms.names[row] for row in synonyms.first[:-1].tolist()]))
    found = np.empty((len(vectors), n_group), np.int64)
    for start in range(0, len(vectors), _BLOCK):
        cosines = vectors[start : start + _BLOCK] @ vectors.T
        rows = torch.arange(len(cosines))
        cosines[rows, start + rows] = 2.0  # itself before its homonyms
        found[start : start + _BLOCK] = cosines.topk(n_group, dim=1).indices.numpy()
    return found

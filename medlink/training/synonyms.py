"""The names of the concepts of several ontologies, as one table to draw synonym pairs from."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from medlink.errors import SettingError
from medlink.ontology.lexicon import Lexicon
from medlink.text import normalise

# A cross-reference that more concepts share is a drawer of a coarse classification, not a common meaning.
_MOST_SHARERS = 8


@dataclass(frozen=True, slots=True, eq=False)
class Synonyms:
    """Concepts, numbered, with their names.

    :param names: normalised; those of concept ``c`` are ``names[first[c]:first[c + 1]]``, each once.
    :param first: *Shape:* (n_concepts + 1,), int64.
    :param weight: how often a concept is drawn, beside others. *Shape:* (n_concepts,), > 0.
    :param related: pairs of concepts that may mean the same, and are never each other's negatives: they share a name
        or a cross-reference. *Shape:* (n_related, 2), int64.
    """

    names: tuple[str, ...]
    first: NDArray[np.int64]
    weight: NDArray[np.float64]
    related: NDArray[np.int64]

    @property
    def n_concepts(self) -> int:
        """How many concepts there are."""
        return len(self.first) - 1

    def names_of(self, concept: int) -> tuple[str, ...]:
        """The names of a concept."""
        return self.names[self.first[concept] : self.first[concept + 1]]

    def content_hash(self) -> str:
        """Hex sha256 of all that is drawn from."""
        digest = hashlib.sha256("\n".join(self.names).encode())
        for array in (self.first, self.weight, self.related):
            digest.update(array.tobytes())
        return digest.hexdigest()


def tabulate_synonyms(lexicons: Sequence[Lexicon], weights: Sequence[float] | None = None) -> Synonyms:
    """The current concepts of some lexicons with the names that they have after normalisation.

    A concept of several names is drawn by the root of their number, up to six; one of a single name, which gives only
    variants of itself, at 0.4 of that.

    :param weights: of each lexicon's concepts; 1 where not given.
    :raises SettingError: when there are fewer than two concepts, or not a weight > 0 for each lexicon.
    """
    weights = [1.0] * len(lexicons) if weights is None else weights
    if len(weights) != len(lexicons) or any(not weight > 0 for weight in weights):
        raise SettingError("each lexicon needs a weight", where="weights", expected="numbers > 0", got=str(weights))
    groups: list[tuple[str, ...]] = []
    drawn: list[float] = []
    keys: list[frozenset[str]] = []
    for lexicon, weight in zip(lexicons, weights, strict=True):
        for concept in lexicon.concepts.values():
            names = tuple(dict.fromkeys(filter(None, (normalise(name.text) for name in concept.names))))
            if names:
                groups.append(names)
                drawn.append(weight * (min(len(names), 6) ** 0.5 if len(names) > 1 else 0.4))
                keys.append(frozenset(key.upper() for key in (concept.id, *concept.alt_ids, *concept.xrefs)))
    if len(groups) < 2:
        raise SettingError("too few concepts to tell apart", expected="2 or more", got=str(len(groups)))
    pairs = sorted(_sharers(groups, most=None) | _sharers(keys, most=_MOST_SHARERS))
    return Synonyms(
        names=tuple(name for group in groups for name in group),
        first=np.cumsum([0, *map(len, groups)], dtype=np.int64),
        weight=np.array(drawn),
        related=np.array(pairs, np.int64).reshape(-1, 2),
    )


def _sharers(groups: Sequence[Iterable[str]], *, most: int | None) -> set[tuple[int, int]]:
    """The pairs of groups that have something in common which no more than ``most`` have."""
    bearers = defaultdict[str, list[int]](list)
    for number, group in enumerate(groups):
        for member in group:
            bearers[member].append(number)
    shared = (numbers for numbers in bearers.values() if most is None or len(numbers) <= most)
    return {pair for numbers in shared for pair in combinations(numbers, 2)}

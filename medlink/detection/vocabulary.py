"""The words of a lexicon's names, by stem, and in how many names each of them stands."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from medlink.detection.words import stem
from medlink.ontology.columns import StringColumn, find_sorted, read_array


@dataclass(frozen=True, slots=True, eq=False)
class Vocabulary:
    """How many of some names have each stem.

    :param stems: sorted.
    :param counts: names that have it, one with two words of one stem twice. *Shape:* (n_stems,).
    :param n_names: how many names there are.
    :param more: counts of names that were added later, which are in ``n_names``, by stem.
    """

    stems: Sequence[str]
    counts: NDArray[np.int32]
    n_names: int
    more: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, names: Sequence[str]) -> Vocabulary:
        """The vocabulary of normalised names."""
        counts = _count(names)
        stems = sorted(counts)
        return cls(stems, np.array([counts[stemmed] for stemmed in stems], np.int32), len(names))

    def extended(self, names: Sequence[str]) -> Vocabulary:
        """The vocabulary with more names."""
        return replace(self, n_names=self.n_names + len(names), more=Counter(self.more) + _count(names))

    def __contains__(self, stemmed: str) -> bool:
        return self.count(stemmed) > 0

    def count(self, stemmed: str) -> int:
        """How many names have a stem."""
        place = find_sorted(self.stems, stemmed)
        return (0 if place is None else self.counts.item(place)) + self.more.get(stemmed, 0)

    def write(self, folder: Path) -> None:
        """Write its files into a folder.

        :raises ValueError: when names were added to it.
        """
        if self.more:
            raise ValueError("a vocabulary with added names is not written")
        StringColumn.of(self.stems).write(folder, "stems")
        np.save(folder / "stem-counts.npy", self.counts)
        np.save(folder / "n-names.npy", np.array(self.n_names))

    @classmethod
    def read(cls, folder: Path) -> Vocabulary:
        """The vocabulary of a folder, mapped.

        :raises OSError: when a file is missing.
        :raises ValueError: when one is damaged.
        """
        counts = read_array(folder / "stem-counts.npy")
        return cls(StringColumn.read(folder, "stems"), counts, int(read_array(folder / "n-names.npy")))


def _count(names: Iterable[str]) -> Counter[str]:
    return Counter(stem(word) for name in names for word in set(name.split()))

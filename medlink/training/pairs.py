"""Batches of positive pairs, drawn from a corpus; batch number ``n`` depends on the seed and ``n`` alone."""

from __future__ import annotations

from functools import lru_cache
from random import Random

import numpy as np
import torch
from numpy.typing import NDArray

from medlink.contrastive.augmentation import OPERATIONS, augment
from medlink.contrastive.exclusion import RelatedConcepts
from medlink.contrastive.objectives.protocol import Batch
from medlink.errors import SettingError, UnknownNameError
from medlink.index.ngrams import NgramIndex
from medlink.text import normalise
from medlink.training.corpus import Corpus, Entry
from medlink.training.recipe import DataSection


class PairSampler:
    """Draws batches: every concept once an epoch, in an order of its own for each epoch, never twice in a batch.

    As a batch depends on its number alone, a sampler has no state: a resumed run asks for the next number.

    :param batch_size: pairs a batch at most; less where the corpus is small or neighbours coincide.
    :raises UnknownNameError: when no operation has a name that ``section.augmentation`` holds.
    :raises SettingError: when fewer than two concepts give pairs.
    """

    def __init__(self, corpus: Corpus, section: DataSection, *, batch_size: int, seed: int) -> None:
        if unknown := sorted(set(section.augmentation) - OPERATIONS.keys()):
            known = ", ".join(OPERATIONS)
            raise UnknownNameError("no such augmentation", where="data.augmentation", expected=known, got=unknown[0])
        self.corpus = corpus
        self._section, self._seed = section, seed
        self._group = min(section.group, batch_size)
        self._n_seeds = batch_size // self._group
        self._codes = [code for code, entry in enumerate(corpus.entries) if self._gives_pairs(entry)]
        if len(self._codes) < 2:
            raise SettingError(
                "the ontologies give no pairs to learn from",
                where="data.ontologies",
                expected=f"two concepts or more that give {section.pairs}",
                got=str(len(self._codes)),
            )
        self._related = RelatedConcepts(corpus.kin) if len(corpus.kin) else None
        self._items = _first_items(corpus)
        # Anew for each sampler, else it would keep the sampler alive.
        self._order = lru_cache(maxsize=2)(self._shuffle)
        names = [normalise(corpus.entries[code].names[0]) for code in self._codes]
        self._similar = NgramIndex.build(names) if self._group > 1 else None
        self._names = names

    def _gives_pairs(self, entry: Entry) -> bool:
        needed = 2 if self._section.pairs == "synonyms" else 1
        return len(entry.names) >= needed and (self._section.pairs != "definitions" or bool(entry.description))

    @property
    def n_concepts(self) -> int:
        """Concepts that give pairs."""
        return len(self._codes)

    def batch(self, number: int) -> Batch[list[str]]:
        """The pairs of a batch; ``items`` are codes that :meth:`item_text` knows.

        :param number: 0 or more.
        """
        random = Random(f"{self._seed} {number}")  # noqa: S311
        codes = [self._codes[place] for place in self._places(number, random)]
        drawn = [self._draw(code, random) for code in codes]
        concepts = torch.tensor(codes)
        return Batch(
            first=[first for first, _, _ in drawn],
            second=[second for _, second, _ in drawn],
            concepts=concepts,
            ignored=self._related(concepts, concepts) if self._related else None,
            items=torch.tensor([item for _, _, item in drawn]),
        )

    def item_text(self, item: int) -> str:
        """The text, not augmented, of an item code."""
        code = int(np.searchsorted(self._items, item, side="right")) - 1
        entry, place = self.corpus.entries[code], item - int(self._items[code])
        return entry.description if place == len(entry.names) else normalise(entry.names[place])

    def _places(self, number: int, random: Random) -> list[int]:
        """Places in ``_codes``, distinct: the next ones of the epoch, each with some of its neighbours by name."""
        n = len(self._codes)
        positions = range(number * self._n_seeds, (number + 1) * self._n_seeds)
        seeds = list(dict.fromkeys(int(self._order(position // n)[position % n]) for position in positions))
        if self._similar is None:
            return seeds
        rows = self._similar.search([self._names[seed] for seed in seeds], 2 * self._group).rows
        chosen = dict.fromkeys(seeds)
        for row in rows:
            free = [place for place in row.tolist() if place >= 0 and place not in chosen]
            chosen.update(dict.fromkeys(random.sample(free, min(self._group - 1, len(free)))))
        return list(chosen)

    def _shuffle(self, epoch: int) -> NDArray[np.int64]:
        return np.random.default_rng([self._seed, epoch]).permutation(len(self._codes))

    def _draw(self, code: int, random: Random) -> tuple[str, str, int]:
        """First, second and the second's item code."""
        entry = self.corpus.entries[code]
        places = range(len(entry.names))
        if self._section.pairs == "synonyms":
            one, other = random.sample(places, 2)
            return self._write(entry, one, random), self._write(entry, other, random), int(self._items[code]) + other
        one = random.choice(places)
        first = self._write(entry, one, random)
        if self._section.pairs == "definitions":
            return first, entry.description, int(self._items[code]) + len(places)
        return first, self._write(entry, one, random), int(self._items[code]) + one

    def _write(self, entry: Entry, place: int, random: Random) -> str:
        """A name, sometimes augmented, in normal form."""
        text = entry.names[place]
        operations = [OPERATIONS[name] for name in self._section.augmentation]
        if operations and random.random() < self._section.augmented:
            text = augment(text, random, is_taken=entry.is_taken, operations=operations)
        return normalise(text) or normalise(entry.names[place])


def _first_items(corpus: Corpus) -> NDArray[np.int64]:
    """The item code of each concept's first name; one more than its names are taken. *Shape:* (n_concepts,)."""
    sizes = [len(entry.names) + 1 for entry in corpus.entries]
    return np.cumsum([0, *sizes], dtype=np.int64)[:-1]

"""Batches of positive pairs, drawn from a corpus; batch number ``n`` depends on the seed and ``n`` alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from medlink.contrastive.augmentation import OPERATIONS, augment
from medlink.contrastive.exclusion import RelatedConcepts
from medlink.contrastive.objectives.protocol import Batch
from medlink.errors import SettingError, UnknownNameError
from medlink.index.ngrams import NgramIndex
from medlink.text import normalise
from medlink.training.corpus import Corpus, Entry
from medlink.training.drawing import Drawing, EpochDrawing, WeightedDrawing, weigh
from medlink.training.neighbourhoods import mine_neighbours
from medlink.training.recipe import DataSection


class PairSampler:
    """Draws batches in which no concept is twice.

    As a batch depends on its number alone, beside the neighbourhoods that were mined last, a resumed run asks for the
    next number.

    :param batch_size: pairs a batch at most; less where the corpus is small or neighbours coincide.
    :ivar neighbours: the places, among the concepts that give pairs, of those most like each one, itself first;
        ``None`` until mined. *Shape:* (n_concepts, n_group), int64.
    :raises UnknownNameError: when no operation has a name that ``section.augmentation`` holds.
    :raises SettingError: when fewer than two concepts give pairs.
    """

    def __init__(self, corpus: Corpus, section: DataSection, *, batch_size: int, seed: int) -> None:
        if unknown := sorted(set(section.augmentation) - OPERATIONS.keys()):
            known = ", ".join(OPERATIONS)
            raise UnknownNameError("no such augmentation", where="data.augmentation", expected=known, got=unknown[0])
        self.corpus = corpus
        self.neighbours: Tensor | None = None
        self._section, self._seed, self._batch_size = section, seed, batch_size
        self._operations = [OPERATIONS[name] for name in section.augmentation]
        self._group = min(section.group, batch_size)
        self._codes = [code for code, entry in enumerate(corpus.entries) if self._gives_pairs(entry)]
        if len(self._codes) < 2:
            raise SettingError(
                "the ontologies give no pairs to learn from",
                where="data.ontologies",
                expected=f"two concepts or more that give {section.pairs}",
                got=str(len(self._codes)),
            )
        self._drawing = self._make_drawing()
        self._related = RelatedConcepts(corpus.kin) if len(corpus.kin) else None
        self._items = _first_items(corpus)
        self._names = [corpus.entries[code].normal[0] for code in self._codes]
        self._similar = NgramIndex.build(self._names) if self._group > 1 else None

    def _gives_pairs(self, entry: Entry) -> bool:
        # A variant stands in for the second name only where concepts are weighed: in an epoch it would count as much.
        varied = self._section.draw == "weighted" and bool(self._operations)
        needed = 2 if self._section.pairs == "synonyms" and not varied else 1
        return len(entry.names) >= needed and (self._section.pairs != "definitions" or bool(entry.description))

    def _make_drawing(self) -> Drawing:
        if self._section.draw == "epoch":
            return EpochDrawing(len(self._codes), self._seed)
        return WeightedDrawing([weigh(self.corpus.entries[code]) for code in self._codes], self._seed)

    @property
    def n_concepts(self) -> int:
        """Concepts that give pairs."""
        return len(self._codes)

    def mine(self, encode: Callable[[Sequence[str]], Tensor]) -> None:
        """Find the neighbourhoods, by preferred names, with which the batches to come are filled.

        :param encode: from n texts to (n, width).
        """
        n_group = min(self._section.n_group, len(self._names))
        self.neighbours = mine_neighbours(self._names, encode, n_group=n_group)

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
        return entry.description if place == len(entry.names) else entry.normal[place]

    def _places(self, number: int, random: Random) -> list[int]:
        """Places in ``_codes``, distinct: those drawn, and some of their neighbours by encoder and by name."""
        seeds = self._drawing.draw(number, self._batch_size // self._group)
        chosen = dict.fromkeys([*self._neighbourhoods(seeds), *seeds])
        if self._similar is not None:
            rows = self._similar.search([self._names[seed] for seed in seeds], 2 * self._group).rows
            for row in rows:
                free = [place for place in row.tolist() if place >= 0 and place not in chosen]
                chosen.update(dict.fromkeys(random.sample(free, min(self._group - 1, len(free)))))
        return list(chosen)[: self._batch_size]  # neighbourhoods displace what comes last

    def _neighbourhoods(self, seeds: Sequence[int]) -> list[int]:
        """The places in the neighbourhoods of the first seeds, as many as fill their share of a batch."""
        if self.neighbours is None:
            return []
        n_groups = int(self._batch_size * self._section.near_share) // self.neighbours.shape[1]
        return self.neighbours[list(seeds[:n_groups])].flatten().tolist()

    def _draw(self, code: int, random: Random) -> tuple[str, str, int]:
        """First, second and the second's item code."""
        entry = self.corpus.entries[code]
        places = range(len(entry.names))
        if self._section.pairs == "synonyms":
            if len(places) == 1:
                return self._vary(entry, 0, random), entry.normal[0], int(self._items[code])
            one, other = random.sample(places, 2)
            return self._write(entry, one, random), self._write(entry, other, random), int(self._items[code]) + other
        one = random.choice(places)
        first = self._write(entry, one, random)
        if self._section.pairs == "definitions":
            return first, entry.description, int(self._items[code]) + len(places)
        return first, self._write(entry, one, random), int(self._items[code]) + one

    def _write(self, entry: Entry, place: int, random: Random) -> str:
        """A name, sometimes augmented, in normal form."""
        if self._operations and random.random() < self._section.augmented:
            return self._vary(entry, place, random)
        return entry.normal[place]

    def _vary(self, entry: Entry, place: int, random: Random) -> str:
        """An augmented name, in normal form."""
        text = augment(entry.names[place], random, is_taken=entry.is_taken, operations=self._operations)
        return normalise(text) or entry.normal[place]


def _first_items(corpus: Corpus) -> NDArray[np.int64]:
    """The item code of each concept's first name; one more than its names are taken. *Shape:* (n_concepts,)."""
    sizes = [len(entry.names) + 1 for entry in corpus.entries]
    return np.cumsum([0, *sizes], dtype=np.int64)[:-1]

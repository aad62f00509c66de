"""The dev set: held-out names, and how many of them find their concept by the rest."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from medlink.contrastive.similarity import cosine_similarity
from medlink.training.corpus import Corpus, name_share

# Rows of the cosine matrix that are in memory at a time.
_BLOCK = 1024


@dataclass(frozen=True, slots=True)
class DevSet:
    """Names to look up and names to find.

    :param gold: the codes of the concepts that each query means.
    :param bearers: the codes of the concepts that each name belongs to.
    """

    queries: tuple[str, ...]
    gold: tuple[frozenset[int], ...]
    names: tuple[str, ...]
    bearers: tuple[frozenset[int], ...]

    def accuracy(self, encode: Callable[[Sequence[str]], Tensor]) -> float:
        """The share of queries whose nearest name, by cosine, is one of their concept's; 0 where there are none.

        :param encode: from n texts to (n, width).
        """
        if not self.queries:
            return 0.0
        queries, names = encode(self.queries), encode(self.names)
        nearest = torch.cat([cosine_similarity(block, names).argmax(dim=1) for block in torch.split(queries, _BLOCK)])
        found = [not gold.isdisjoint(self.bearers[row]) for gold, row in zip(self.gold, nearest.tolist(), strict=True)]
        return sum(found) / len(found)


def build_dev_set(corpus: Corpus, *, n_queries: int, n_names: int) -> DevSet:
    """The dev set of a corpus: by hash, so that it stays the same while the ontologies do.

    :param n_queries: held-out names at most; those whose concepts keep no name are left out.
    :param n_names: names to find at most: the queries' concepts' own, and then others.
    """
    bearers = defaultdict[str, set[int]](set)
    for code, entry in enumerate(corpus.entries):
        for name in entry.normal:
            bearers[name].add(code)
    named = {code for codes in bearers.values() for code in codes}
    askable = [item for item in corpus.held_out if item.concepts & named]
    asked = sorted(askable, key=lambda item: name_share(item.name))[:n_queries]
    wanted = frozenset(code for item in asked for code in item.concepts)
    # Own names first; their share is no guide, as held-out names have the lowest.
    names = sorted(bearers, key=lambda name: (wanted.isdisjoint(bearers[name]), name_share(name)))[:n_names]
    return DevSet(
        tuple(item.name for item in asked),
        tuple(item.concepts for item in asked),
        tuple(names),
        tuple(frozenset(bearers[name]) for name in names),
    )

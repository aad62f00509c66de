"""Words that stand for one another: "kidney" and "renal", "hypoplasia" and "hypoplastic", "tumour" and "tumor".

What stands for what was learned from the synonyms of open ontologies by ``pipelines/learn_variants.py``: two names of
one concept that differ in a single word.
"""

from __future__ import annotations

import csv
import os.path
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files
from itertools import product

# Words that must stand beside the swap of two words for the pair to count as half sure.
_HALF_SURE = 4.0
# Words of one family share this much of the shorter one's letters, and at least so many.
_FAMILY_SHARE, _FAMILY_LETTERS = 0.6, 4
# Two words of no family are one word where so many different words stand beside the swap, in two sources or more.
_ONE_WORD_CONTEXTS, _ONE_WORD_SOURCES = 27, 2
# Two families are one class where half of the pairs across them are such.
_MOST = 0.5


@dataclass(frozen=True, slots=True)
class _Pair:
    """Two stems that were swapped; see ``pipelines/learn_variants.py``."""

    one: str
    other: str
    contexts: int
    sources: int

    @property
    def is_family(self) -> bool:
        return are_family(self.one, self.other)

    @property
    def is_sure(self) -> bool:
        return self.contexts >= _ONE_WORD_CONTEXTS and self.sources >= _ONE_WORD_SOURCES


@cache
def _pairs() -> tuple[_Pair, ...]:
    """The learned pairs, those of most contexts first."""
    table = files("medlink.detection").joinpath("word_variants.csv").read_text(encoding="utf-8")
    rows = list(csv.DictReader(table.splitlines()))
    pairs = (_Pair(row["word"], row["variant"], int(row["contexts"]), int(row["sources"])) for row in rows)
    return tuple(sorted(pairs, key=lambda pair: -pair.contexts))


@cache
def word_variants() -> Mapping[str, Mapping[str, float]]:
    """For each stem the stems that may stand for it, each with how surely, in (0, 1).

    Surely is ``n / (n + 4)`` for a pair with n different words beside the swap. It is symmetric, and not transitive:
    "absent" goes with "aplasia" and with "missing", which need not go together.
    """
    variants: dict[str, dict[str, float]] = {}
    for pair in _pairs():
        sure = pair.contexts / (pair.contexts + _HALF_SURE)
        variants.setdefault(pair.one, {})[pair.other] = variants.setdefault(pair.other, {})[pair.one] = sure
    return variants


def shared_letters(one: str, other: str) -> int:
    """How many letters two words have in common before they part."""
    return len(os.path.commonprefix([one, other]))  # noqa: RUF071  letters are meant


def are_family(one: str, other: str) -> bool:
    """Whether two stems differ in their endings alone.

    >>> are_family("hypoplasia", "hypoplastic"), are_family("hyperplasia", "hypertrophy")
    (True, False)
    """
    shared = shared_letters(one, other)
    return shared >= _FAMILY_LETTERS and shared >= _FAMILY_SHARE * min(len(one), len(other))


@cache
def _family_groups() -> Mapping[str, tuple[str, ...]]:
    """Of each stem its family, in which each goes with all others."""
    return _join({}, [pair for pair in _pairs() if pair.is_family], least=1.0)


@cache
def _families() -> Mapping[str, str]:
    """Of each stem the one that stands for its family."""
    return _leaders(_family_groups())


@cache
def _classes() -> Mapping[str, str]:
    """Of each stem the one that stands for its class: families that are surely swapped."""
    return _leaders(_join(_family_groups(), [pair for pair in _pairs() if pair.is_sure], least=_MOST))


def _join(groups: Mapping[str, tuple[str, ...]], pairs: Sequence[_Pair], *, least: float) -> dict[str, tuple[str, ...]]:
    """The groups of stems after each pair in turn has joined its two, where enough of their members are pairs.

    :param groups: of each stem the members of its group.
    :param least: share of the pairs across the two groups that must be among ``pairs``.
    """
    joined = {frozenset((pair.one, pair.other)) for pair in pairs}
    members = dict(groups)
    for pair in pairs:
        left, right = members.get(pair.one, (pair.one,)), members.get(pair.other, (pair.other,))
        across = [frozenset(both) in joined for both in product(left, right)]
        if left != right and sum(across) >= least * len(across):
            members.update(dict.fromkeys((*left, *right), (*left, *right)))
    return members


def _leaders(members: Mapping[str, tuple[str, ...]]) -> Mapping[str, str]:
    return {stem: group[0] for stem, group in members.items()}


@lru_cache(maxsize=1 << 18)
def word_family(stem: str) -> str:
    """The stem that stands for those that differ in their endings alone.

    >>> word_family("hypoplastic") == word_family("hypoplasia"), word_family("renal") == word_family("kidney")
    (True, False)
    """
    return _families().get(stem, stem)


@lru_cache(maxsize=1 << 18)
def word_class(stem: str) -> str:
    """The stem that stands for its family and for what ontologies swap with it most often.

    >>> word_class("renal") == word_class("kidney"), word_class("renal") == word_class("liver")
    (True, False)
    """
    return _classes().get(stem, stem)

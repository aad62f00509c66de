"""Ways to read a stretch of text as a name that is not written there: with a word swapped, left out, or shared."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from spacy.lang.en.stop_words import STOP_WORDS

from medlink.detection.key_table import KeyTable
from medlink.detection.variants import word_class, word_variants
from medlink.detection.words import Gap, Words, hash_stem, stem

# A longer name that is nearly written is rare, and costs more than it gives.
_LONGEST_NAME = 6
# Words that may stand between the shared part and the last part of an enumeration, and words of either part.
_LONGEST_RUN, _LONGEST_PART = 4, 4
# How surely a word must stand for another one.
_SURE = 0.3
_COORDINATOR = re.compile(r"[/&+]|\b(?:and|or)\b", re.IGNORECASE)
# An enumeration of phrases does not go on behind one of these, numerals and quantities aside.
_QUANTITIES = frozenset(
    "some few several many both either each other another all most various one two three four five six eight nine ten "
    "first third whole full side back front top bottom".split()
)
_CLAUSE_WORDS = (frozenset(STOP_WORDS) - _QUANTITIES) | {"including", "associated", "compared", "especially"}
# Leaving one of these out would turn the meaning round.
_KEPT_WORDS = frozenset({"no", "non", "not", "without", "normal", "absent", "never", "less", "than"})


class Kind(IntEnum):
    """How a stretch of text is a name, surest first."""

    EXACT = 0
    """The same words, inflection and order aside."""
    VARIANT = 1
    """Words of the same class: "hypoplastic kidneys" for "renal hypoplasia"."""
    MISSPELT = 2
    """One letter is wrong: "ankylois" for "ankylosis"."""
    SWAPPED = 3
    """One word stands for another one: "jerky movements" for "jerky motions"."""
    INSERTED = 4
    """One word more between the others: "dysplastic left hip"."""
    SHARED = 5
    """A part of an enumeration: "renal hypoplasia and agenesis" for "renal agenesis"."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A window of content words, read as words that some names have.

    :param first: place of its first word.
    :param last: place behind its last word.
    :param left_out: the ``[low, high)`` of the words that are not read; empty where all are.
    :param stems: what is read, from left to right.
    :param rows: names with the key of these words, ascending.
    :param sure: how surely a swapped word stands for the other one, in (0, 1]; 1 where none was swapped.
    """

    first: int
    last: int
    left_out: tuple[int, int]
    stems: tuple[str, ...]
    kind: Kind
    rows: tuple[int, ...]
    sure: float = 1.0


def readings(text: str, words: Words, table: KeyTable) -> Iterator[Reading]:
    """All readings of a text that are not the words themselves.

    The number of lookups grows with the text alone, in no way with the names.

    :param words: its content words.
    """
    if len(words.norms) < 2 or not len(table.keys):
        return
    view = _View(text, words, table)
    swaps = _swaps_of(view.stems)
    trials = [_swapped(view, swaps), _inserted(view), _shared(view)]
    keys = np.concatenate([trial.keys for trial in trials])
    for place, rows in table.lookup(keys):
        for trial in trials:
            if place < len(trial.keys):
                yield view.reading(trial, place, swaps, rows)
                break
            place -= len(trial.keys)


@dataclass(frozen=True, slots=True)
class _Swap:
    """A word that may stand for the one at a place.

    :param change: of the key.
    :param sure: how surely, in (0, 1).
    """

    place: int
    stem: str
    change: int
    sure: float


@dataclass(frozen=True, slots=True)
class _Trials:
    """Keys to look up, and what each of them stands for.

    :param frames: ``first``, ``low``, ``high``, ``last``: the words ``[first, last)`` less ``[low, high)``.
        *Shape:* (n_keys, 4).
    :param swaps: which swap was made; -1 for none. *Shape:* (n_keys,).
    """

    kind: Kind
    keys: NDArray[np.uint64]
    frames: NDArray[np.int64]
    swaps: NDArray[np.int64]


class _View:
    """A text as arrays.

    :ivar sums: see :meth:`Words.prefix_sums`.
    :ivar clauses: the number of gaps that are not plain up to each word. *Shape:* (n_words,).
    """

    def __init__(self, text: str, words: Words, table: KeyTable) -> None:
        self.text, self.words = text, words
        self.stems = [stem(norm) for norm in words.norms]
        self.sums = words.prefix_sums()
        self.segments = words.segments()
        gaps = np.fromiter(words.gaps, np.int64, len(words.gaps))
        self.clauses = np.cumsum(gaps > Gap.PLAIN)
        self.lengths = [n for n in table.lengths if 2 <= n <= _LONGEST_NAME]

    def plain(self, firsts: NDArray[np.int64], n_words: int) -> NDArray[np.bool_]:
        """Which windows lie in the text and have plain gaps alone."""
        inside = (firsts >= 0) & (firsts + n_words <= len(self.stems))
        low, high = np.where(inside, firsts, 0), np.where(inside, firsts + n_words - 1, 0)
        plain: NDArray[np.bool_] = inside & (self.clauses[low] == self.clauses[high])
        return plain

    def trials(self, kind: Kind, frames: Sequence[NDArray[np.int64]]) -> _Trials:
        """The trials of some frames without a swap."""
        table = np.concatenate([np.empty((0, 4), np.int64), *frames])
        first, low, high, last = table.T
        keys = self.sums[last] - self.sums[high] + self.sums[low] - self.sums[first]
        return _Trials(kind, keys, table, np.full(len(table), -1))

    def coordinates(self, place: int) -> bool:
        """Whether "and", "or", a slash or a plus sign stands before a word."""
        return bool(_COORDINATOR.search(self.text[self.words.ends[place - 1] : self.words.starts[place]]))

    def reading(self, trials: _Trials, place: int, swaps: Sequence[_Swap], rows: Sequence[int]) -> Reading:
        first, low, high, last = trials.frames[place].tolist()
        stems = {at: self.stems[at] for at in (*range(first, low), *range(high, last))}
        sure = 1.0
        if trials.swaps[place] >= 0:
            swap = swaps[trials.swaps[place]]
            stems[swap.place], sure = swap.stem, swap.sure
        return Reading(first, last, (low, high), tuple(stems.values()), trials.kind, tuple(rows), sure)


def _swaps_of(stems: Sequence[str]) -> list[_Swap]:
    return [_Swap(place, *change) for place, one in enumerate(stems) for change in _changes(one)]


@lru_cache(maxsize=1 << 16)
def _changes(one: str) -> tuple[tuple[str, int, float], ...]:
    """The stems that surely enough stand for one of another class, with the changes of the key and how surely."""
    return tuple(
        (other, (hash_stem(other) - hash_stem(one)) % 2**64, sure)
        for other, sure in word_variants().get(one, {}).items()
        if sure >= _SURE and word_class(other) != word_class(one)
    )


def _swapped(view: _View, swaps: Sequence[_Swap]) -> _Trials:
    at = np.array([swap.place for swap in swaps], dtype=np.int64)
    changes = np.array([swap.change for swap in swaps], dtype=np.uint64)
    frames, which = [], [np.empty(0, np.int64)]
    for n_words in view.lengths:
        firsts = (at[:, None] - np.arange(n_words)).ravel()
        plain = np.flatnonzero(view.plain(firsts, n_words))
        first = firsts[plain]
        frames.append(np.stack([first, first, first, first + n_words], axis=1))
        which.append(plain // n_words)
    trials = view.trials(Kind.SWAPPED, frames)
    chosen = np.concatenate(which)
    return replace(trials, keys=trials.keys + changes[chosen], swaps=chosen)


def _inserted(view: _View) -> _Trials:
    may_go = np.array([_may_stand_between(norm) for norm in view.words.norms])
    frames = []
    for n_words in view.lengths:
        firsts = np.arange(len(view.stems) - n_words)
        firsts = firsts[view.plain(firsts, n_words + 1)]
        for inner in range(1, n_words):
            first = firsts[may_go[firsts + inner]]
            frames.append(np.stack([first, first + inner, first + inner + 1, first + n_words + 1], axis=1))
    return view.trials(Kind.INSERTED, frames)


@lru_cache(maxsize=1 << 16)
def _may_stand_between(norm: str) -> bool:
    return norm not in STOP_WORDS and norm not in _KEPT_WORDS and not norm.endswith("ing")


def _shared(view: _View) -> _Trials:
    """Windows without a run of words that ends or begins at "and", "or" or a slash, or at a comma of such a list."""
    runs = np.array(list(_runs(view)), dtype=np.int64).reshape(-1, 2)
    sizes = np.arange(1, _LONGEST_PART + 1)
    low, high, left, right = (grid.ravel() for grid in np.broadcast_arrays(
        runs[:, 0, None, None], runs[:, 1, None, None], sizes[:, None], sizes
    ))  # fmt: skip
    table = np.stack([low - left, low, high, high + right], axis=1)
    table = table[(table[:, 0] >= 0) & (table[:, 3] <= len(view.stems))]
    first, low, high, last = table.T
    unbroken = view.segments[first] == view.segments[last - 1]
    parts = (view.clauses[first] == view.clauses[low - 1]) & (view.clauses[high] == view.clauses[last - 1])
    return view.trials(Kind.SHARED, [table[unbroken & parts]])


def _runs(view: _View) -> Iterator[tuple[int, int]]:
    """The ``[low, high)`` of the words that may be left out of an enumeration."""
    n, norms = len(view.stems), view.words.norms
    listed = [place for place, gap in enumerate(view.words.gaps) if place and gap in (Gap.JOINED, Gap.COMMA)]
    joined = {place for place in listed if view.coordinates(place)}
    for place in listed:
        for size in range(1, _LONGEST_RUN + 1):
            for low, high in ((place, place + size), (place - size, place)):
                if low < 1 or high >= n or joined.isdisjoint(range(low, high + 1)):
                    continue
                if _CLAUSE_WORDS.isdisjoint(norms[low:high]):
                    yield low, high

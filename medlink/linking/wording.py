"""What two short texts have in common as words: coverage, numbers, initials, the head; what no cosine says plainly."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import log
from typing import NamedTuple

from rapidfuzz.fuzz import ratio, token_sort_ratio

from medlink.detection.vocabulary import Vocabulary
from medlink.detection.words import stem
from medlink.text import content_words

_ROMAN = {"i": 1, "ii": 2, "iii": 3, "iv": 4, "v": 5, "vi": 6, "vii": 7, "viii": 8, "ix": 9, "x": 10}
# Letters that two words' beginnings share for one to count, in part, as the other.
_SHORTEST_PREFIX = 4
_LONGEST_ACRONYM = 6
# Words whose weights are remembered.
_REMEMBERED = 1 << 17


@dataclass(frozen=True, slots=True)
class Wording:
    """The words of a normalised text.

    :param stems: of its content words, in their order.
    :param numbers: those in it, Roman ones of two words or more as Arabic.
    :param initials: of its content words, as one string.
    :param acronym: the text itself where it may be an acronym, else empty.
    """

    text: str
    stems: tuple[str, ...]
    numbers: frozenset[str]
    initials: str
    acronym: str


class Comparison(NamedTuple):
    """How the wording of a query and of a name go together; shares weigh words by their rarity.

    :param same_words: the same stems in any order (0 or 1).
    :param query_covered: share of the query's words that the name has, in [0, 1].
    :param name_covered: share of the name's words that the query has, in [0, 1].
    :param numbers_missing: the query has a number that the name lacks (0 or 1).
    :param numbers_added: the name has a number that the query lacks (0 or 1).
    :param head: how much of their last words is the same, in [0, 1].
    :param first: how much of their first words is the same, in [0, 1].
    :param letters: similarity of their letters (twice the longest common subsequence over both lengths), in [0, 1].
    :param sorted_letters: the same with the words of both in alphabetical order.
    :param acronym: one is the initials of the other (0 or 1).
    """

    same_words: float
    query_covered: float
    name_covered: float
    numbers_missing: float
    numbers_added: float
    head: float
    first: float
    letters: float
    sorted_letters: float
    acronym: float


class Rarity:
    """How much a word says: ``ln((1 + n_names) / (1 + names that have it)) + 1``, by stem.

    :param vocabulary: of the names.
    """

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        self._weights: dict[str, float] = {}

    def __call__(self, stemmed: str) -> float:
        """The weight of a stem, 1 or more; that of a new word is the highest."""
        weight = self._weights.get(stemmed)
        if weight is None:
            if len(self._weights) >= _REMEMBERED:
                self._weights.clear()
            n_names = self._vocabulary.n_names
            weight = log((1 + n_names) / (1 + min(self._vocabulary.count(stemmed), n_names))) + 1
            self._weights[stemmed] = weight
        return weight


@lru_cache(maxsize=1 << 17)
def read_wording(text: str) -> Wording:
    """The wording of a normalised text.

    >>> read_wording("usher syndrome type ii").numbers
    frozenset({'2'})
    """
    words = content_words(text) or tuple(text.split())
    numbers = {number for word in words for number in _numbers_of(word, alone=len(words) == 1)}
    acronym = text if len(words) == 1 and len(text) <= _LONGEST_ACRONYM else ""
    return Wording(text, tuple(map(stem, words)), frozenset(numbers), "".join(word[0] for word in words), acronym)


def compare(query: Wording, name: Wording, rarity: Rarity) -> Comparison:
    """The comparison of a query with a name."""
    return Comparison(
        same_words=float(sorted(query.stems) == sorted(name.stems)),
        query_covered=_coverage(query.stems, name.stems, rarity),
        name_covered=_coverage(name.stems, query.stems, rarity),
        numbers_missing=float(bool(query.numbers - name.numbers)),
        numbers_added=float(bool(name.numbers - query.numbers)),
        head=_likeness(query.stems[-1], name.stems[-1]),
        first=_likeness(query.stems[0], name.stems[0]),
        letters=ratio(query.text, name.text) / 100,
        sorted_letters=token_sort_ratio(query.text, name.text) / 100,
        acronym=float(_abbreviates(query, name) or _abbreviates(name, query)),
    )


def _abbreviates(short: Wording, long: Wording) -> bool:
    return len(short.acronym) > 1 and short.acronym == long.initials


def _coverage(stems: tuple[str, ...], others: tuple[str, ...], rarity: Rarity) -> float:
    total = covered = 0.0
    for stemmed in stems:
        weight = rarity(stemmed)
        total += weight
        if stemmed in others:
            covered += weight
            continue
        start = stemmed[:_SHORTEST_PREFIX]
        if alike := [_likeness(stemmed, other) for other in others if other.startswith(start)]:
            covered += weight * max(alike)
    return covered / total


@lru_cache(maxsize=1 << 18)
def _likeness(one: str, other: str) -> float:
    """How much of the longer word the beginning that two words share is; 0 where it is too short to mean anything.

    >>> _likeness("renal", "renal"), _likeness("cardiac", "cardio"), _likeness("liver", "lung")
    (1.0, 0.7142857142857143, 0.0)
    """
    if one == other:
        return 1.0
    shared = next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    return shared / max(len(one), len(other)) if shared >= _SHORTEST_PREFIX else 0.0


def _numbers_of(word: str, *, alone: bool) -> tuple[str, ...]:
    if word in _ROMAN and not alone:
        return (str(_ROMAN[word]),)
    if word.isalpha():
        return ()
    digits = "".join(char if char.isdigit() else " " for char in word).split()
    return tuple(number.lstrip("0") or "0" for number in digits)

"""Words that a note misspells by one letter, and the word of the lexicon that was meant."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from zlib import crc32

import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import OSA

from medlink.detection.common_words import is_common
from medlink.detection.words import stem

# Shorter words have too many others beside them.
_SHORTEST = 7
# Words whose correction is remembered.
_CACHED = 1 << 16


class SpellChecker:
    """Finds the one word of a vocabulary that another one misspells by one letter added, lost, changed or swapped.

    Two words that are one edit apart have a form in common that lacks at most one letter of either (symmetric delete;
    W. Garbe 2012, SymSpell): looking a word up costs as many look-ups as it has letters, whatever the vocabulary.

    :param words: normalised; those of fewer than seven letters are not corrected to.
    """

    def __init__(self, words: Iterable[str]) -> None:
        known = set(words)
        self._stems = {stem(word) for word in known}
        self._words = sorted(word for word in known if _may_be_misspelt(word))
        pairs = [(crc32(form.encode()), place) for place, word in enumerate(self._words) for form in _shortened(word)]
        pairs.sort()
        self._keys: NDArray[np.uint32] = np.array([key for key, _ in pairs], dtype=np.uint32)
        self._places: NDArray[np.uint32] = np.array([place for _, place in pairs], dtype=np.uint32)
        self._cache: dict[str, str] = {}

    def correct(self, norm: str) -> str:
        """The word that was meant; the word itself where it is known, common, short, or nothing or too much is near."""
        found = self._cache.get(norm)
        if found is None:
            if len(self._cache) >= _CACHED:
                self._cache.clear()
            found = self._cache[norm] = self._meant(norm)
        return found

    def _meant(self, norm: str) -> str:
        if not _may_be_misspelt(norm) or stem(norm) in self._stems or is_common(norm):
            return norm
        near = {stem(word): word for word in self._near(norm)}
        return next(iter(near.values())) if len(near) == 1 else norm

    def _near(self, norm: str) -> Iterator[str]:
        keys = np.array([crc32(form.encode()) for form in _shortened(norm)], dtype=np.uint32)
        lows, highs = np.searchsorted(self._keys, keys, "left"), np.searchsorted(self._keys, keys, "right")
        places = {int(place) for low, high in zip(lows, highs, strict=True) for place in self._places[low:high]}
        for place in sorted(places):
            word = self._words[place]
            # The first letter is seldom wrong, and tells "hypo" from "hyper" of another word.
            if word[0] == norm[0] and OSA.distance(word, norm, score_cutoff=1) == 1:
                yield word


def _may_be_misspelt(norm: str) -> bool:
    return len(norm) >= _SHORTEST and norm.isalpha()


def _shortened(word: str) -> set[str]:
    """The word, and all that it becomes by losing a letter."""
    return {word, *(word[:place] + word[place + 1 :] for place in range(len(word)))}

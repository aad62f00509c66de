"""Words that a note misspells by one letter, and the word of the lexicon that was meant."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import OSA

from medlink.detection.common_words import is_common
from medlink.detection.vocabulary import Vocabulary
from medlink.detection.words import stem
from medlink.ontology.columns import Chained, StringColumn, read_array

# Shorter words have too many others beside them.
_SHORTEST = 7
# Words whose correction is remembered.
_CACHED = 1 << 16


@dataclass(frozen=True, slots=True, eq=False)
class Spellings:
    """Words by the forms that they have in common with what is one letter off.

    Two words that are one edit apart have a form in common that lacks at most one letter of either (symmetric delete;
    W. Garbe 2012, SymSpell): looking a word up costs as many look-ups as it has letters, whatever the vocabulary.

    :param words: normalised; only those that may be corrected to.
    :param forms: hashes of the words, and of all that they become by losing a letter, ascending. *Shape:* (n_forms,).
    :param places: the place of the word, for each form. *Shape:* (n_forms,).
    """

    words: Sequence[str]
    forms: NDArray[np.uint32]
    places: NDArray[np.uint32]

    @classmethod
    def of(cls, words: Iterable[str]) -> Spellings:
        """The spellings of some words; those of fewer than seven letters are not corrected to."""
        return _NONE.extended(words)

    def extended(self, words: Iterable[str]) -> Spellings:
        """The spellings with those of other words, none of which is here."""
        new = sorted(filter(_may_be_misspelt, set(words)))
        placed = enumerate(new, len(self.words))
        pairs = sorted((crc32(form.encode()), place) for place, word in placed for form in _shortened(word))
        table = np.array(pairs, np.uint32).reshape(-1, 2)
        at = np.searchsorted(self.forms, table[:, 0], "right")
        forms, places = np.insert(self.forms, at, table[:, 0]), np.insert(self.places, at, table[:, 1])
        return Spellings(Chained(self.words, new) if self.words else new, forms, places)

    def near(self, word: str) -> Iterator[str]:
        """The words that share a form with one, and others whose forms have the same hashes, in their order."""
        forms = np.array([crc32(form.encode()) for form in _shortened(word)], dtype=np.uint32)
        lows, highs = np.searchsorted(self.forms, forms, "left"), np.searchsorted(self.forms, forms, "right")
        places = {int(place) for low, high in zip(lows, highs, strict=True) for place in self.places[low:high]}
        return (self.words[place] for place in sorted(places))

    def write(self, folder: Path) -> None:
        """Write its files into a folder."""
        StringColumn.of(self.words).write(folder, "words")
        np.save(folder / "word-forms.npy", self.forms)
        np.save(folder / "word-places.npy", self.places)

    @classmethod
    def read(cls, folder: Path) -> Spellings:
        """The spellings of a folder, mapped.

        :raises OSError: when a file is missing.
        :raises ValueError: when one is damaged.
        """
        forms, places = (read_array(folder / f"word-{name}.npy") for name in ("forms", "places"))
        return cls(StringColumn.read(folder, "words"), forms, places)


_NONE = Spellings((), np.empty(0, np.uint32), np.empty(0, np.uint32))


class SpellChecker:
    """Finds the one word that another one misspells by one letter added, lost, changed or swapped.

    :param known: the stems that are no misspellings.
    """

    def __init__(self, spellings: Spellings, known: Vocabulary) -> None:
        self._spellings, self._known = spellings, known
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
        if not _may_be_misspelt(norm) or stem(norm) in self._known or is_common(norm):
            return norm
        near = {stem(word): word for word in self._near(norm)}
        return next(iter(near.values())) if len(near) == 1 else norm

    def _near(self, norm: str) -> Iterator[str]:
        for word in self._spellings.near(norm):
            # The first letter is seldom wrong, and tells "hypo" from "hyper" of another word.
            if word[0] == norm[0] and OSA.distance(word, norm, score_cutoff=1) == 1:
                yield word


def _may_be_misspelt(norm: str) -> bool:
    return len(norm) >= _SHORTEST and norm.isalpha()


def _shortened(word: str) -> set[str]:
    """The word, and all that it becomes by losing a letter."""
    return {word, *(word[:place] + word[place + 1 :] for place in range(len(word)))}

"""The content words of a text with stable hashes, and what stands in the gaps between them."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from medlink.detection.variants import word_class
from medlink.text import FUNCTION_WORDS, singular, tokenise


class Gap(IntEnum):
    """What separates two neighbouring content words, weakest first."""

    PLAIN = 0
    """Space, hyphen or prepositions: both words may belong to one name, in either order."""
    JOINED = 1
    """"and", "or", "with", a slash or a plus sign: two things side by side."""
    COMMA = 2
    """A list, or an inverted name ("anaemia, sickle cell")."""
    BREAK = 3
    """The end of a sentence, clause, bracket, list line or paragraph: no name goes on behind it."""


_BREAK = re.compile(
    r"[.;:?!][\s,]"  # a full stop before a comma is a line end in transcripts that lost theirs
    r"|\n\s*\n|\r\s*\r|[\f\u2029]"
    r"|\n\s*[-*•·]"
    r"|\s[-–—]+\s|—|…"
    r"|\s[(\[{]|[)\]}][\s,.;:]"
)
_SHORTEST_STEM = 4
_PARTICIPLE = re.compile(rf"(?<=\w{{{_SHORTEST_STEM}}})(?:en)?(?:ed|ing)$")
_ADVERB = re.compile(rf"(?<=\w{{{_SHORTEST_STEM - 2}}}(?:al|us))ly$")
_JOINED = re.compile(r"[/&+]|\b(?:and|or|with)\b", re.IGNORECASE)


@lru_cache(maxsize=1 << 14)
def gap_between(separator: str) -> Gap:
    """What the text between two content words, function words included, means for a name across it.

    >>> [gap_between(separator).name for separator in (" of the ", "-", " and ", ", ", ". ", ".", " (")]
    ['PLAIN', 'PLAIN', 'JOINED', 'COMMA', 'BREAK', 'PLAIN', 'BREAK']
    """
    if _BREAK.search(separator):
        return Gap.BREAK
    if "," in separator:
        return Gap.COMMA
    return Gap.JOINED if _JOINED.search(separator) else Gap.PLAIN


@lru_cache(maxsize=1 << 18)
def stem(word: str) -> str:
    """What the inflected forms of a normalised word have in common: singular, without "-ed", "-ing" or "-ly".

    At least four letters stay.

    >>> [stem(word) for word in ("kidneys", "shortened", "slurring", "decrease", "decreased", "bed")]
    ['kidney', 'short', 'slurr', 'decreas', 'decreas', 'bed']
    """
    stemmed = _PARTICIPLE.sub("", _ADVERB.sub("", singular(word)))
    if stemmed.endswith("sis"):
        stemmed = stemmed[:-1].removesuffix("i")
    return stemmed.removesuffix("e") if len(stemmed) > _SHORTEST_STEM else stemmed


def hash_word(word: str) -> int:
    """The hash of the stem of a normalised word; see :func:`hash_stem`."""
    return hash_stem(stem(word))


@lru_cache(maxsize=1 << 18)
def hash_stem(stemmed: str) -> int:
    """A hash in [0, 2**64) of the class of a stem; the same in every process and version.

    >>> hash_word("kidneys") == hash_word("renal") != hash_word("liver")
    True
    """
    return int.from_bytes(hashlib.blake2b(word_class(stemmed).encode(), digest_size=8).digest(), "little")


@dataclass(frozen=True, slots=True)
class Words:
    """The content words of a text.

    :param norms: their normal forms, as :func:`medlink.text.normalise_word` gives them.
    :param starts: the offset of each one's first code point in the untouched text.
    :param ends: the offset behind each one's last code point.
    :param gaps: what stands before each one; ``BREAK`` for the first.
    """

    norms: tuple[str, ...]
    starts: tuple[int, ...]
    ends: tuple[int, ...]
    gaps: tuple[Gap, ...]

    def prefix_sums(self) -> NDArray[np.uint64]:
        """The sums of the first 0, 1, … n_words word hashes modulo 2**64. *Shape:* (n_words + 1,)."""
        sums = np.zeros(len(self.norms) + 1, dtype=np.uint64)
        np.cumsum(np.fromiter(map(hash_word, self.norms), np.uint64, len(self.norms)), out=sums[1:])
        return sums

    def segments(self) -> NDArray[np.int64]:
        """The number of breaks up to each word: windows within one number cross none. *Shape:* (n_words,)."""
        gaps = np.fromiter(self.gaps, np.int64, len(self.gaps))
        return np.cumsum(gaps == Gap.BREAK)


def content_words_of(text: str) -> Words:
    """The words of a text that are no function words, with their offsets.

    A capital "A" behind another word is a content word: "hepatitis A" is not "hepatitis".

    >>> content_words_of("Hepatitis A and a loss of weight").norms
    ('hepatitis', 'a', 'loss', 'weight')
    """
    norms: list[str] = []
    starts: list[int] = []
    ends: list[int] = []
    gaps: list[Gap] = []
    end = 0
    for token in tokenise(text):
        gap = gap_between(text[end : token.start]) if norms else Gap.BREAK
        if token.norm in FUNCTION_WORDS and not (text[token.start : token.end] == "A" and gap < Gap.JOINED):
            continue
        norms.append(token.norm)
        starts.append(token.start)
        ends.append(token.end)
        gaps.append(gap)
        end = token.end
    return Words(tuple(norms), tuple(starts), tuple(ends), tuple(gaps))

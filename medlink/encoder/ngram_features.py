"""Hashed features of short texts: character n-grams, words, pairs of words and initials, as bucket numbers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from medlink.errors import SettingError

# The hash of a span of bytes b_0 … b_m is Σ b_i·P^i modulo 2^64, then mixed; with prefix sums every span costs the
# same. P is odd, so it has an inverse modulo 2^64, which moves a span's sum back to its beginning.
_P = 0x9E3779B97F4A7C15
_P_INVERSE = pow(_P, -1, 1 << 64)
_MASK = (1 << 64) - 1
_SPACE = ord(" ")
# What sets features of different kinds apart; a character n-gram has its n.
_WORD, _PAIR, _INITIALS = 100, 101, 102
# A single word of at most this many letters may be an abbreviation, and meets the initials of names.
_LONGEST_ABBREVIATION = 6
_BLOCK = 4096

_Hashes = tuple[NDArray[np.uint64], NDArray[np.int64]]


@dataclass(frozen=True, slots=True)
class FeatureSettings:
    """Which features are counted.

    :param sizes: n of the n-grams of UTF-8 bytes, over the text with a space at either end.
    :param words: whole words.
    :param pairs: words that stand beside each other, in their order.
    :param initials: the first letters of a name of several words; a short single word counts as initials.
    :param bits: there are ``2 ** bits`` buckets, 1 to 31.
    :raises SettingError: when a number is out of its range.
    """

    sizes: tuple[int, ...] = (3, 4, 5)
    words: bool = True
    pairs: bool = True
    initials: bool = True
    bits: int = 17

    def __post_init__(self) -> None:
        if not 1 <= self.bits <= 31:
            raise SettingError("no such number of buckets", where="bits", expected="1 to 31", got=str(self.bits))
        if not self.sizes or any(not 1 <= size < _WORD for size in self.sizes):
            raise SettingError("no such n-grams", where="sizes", expected="1 to 99, at least one", got=str(self.sizes))

    @property
    def n_buckets(self) -> int:
        """How many buckets there are."""
        return 1 << self.bits


@dataclass(frozen=True, slots=True, eq=False)
class Features:
    """The features of some texts, all in one array: text ``i`` has ``buckets[offsets[i]:offsets[i + 1]]``.

    :param buckets: *Shape:* (n_features,), int64; a feature that occurs twice stands there twice.
    :param offsets: *Shape:* (n_texts + 1,), int64.
    """

    buckets: NDArray[np.int64]
    offsets: NDArray[np.int64]

    @classmethod
    def empty(cls) -> Features:
        """The features of no text."""
        return cls(np.zeros(0, np.int64), np.zeros(1, np.int64))


def extract_features(texts: Sequence[str], settings: FeatureSettings) -> Features:
    """The hashed features of some texts, which :func:`medlink.text.normalise` has been through.

    A text's features and their order depend on nothing but the text and the settings: not on the batch, the machine
    or the interpreter.

    >>> extract_features(["ab"], FeatureSettings(sizes=(3,), initials=False, bits=8)).buckets.tolist()
    [28, 229, 7]
    """
    if not texts:
        return Features.empty()
    buckets, counts = [], []
    for start in range(0, len(texts), _BLOCK):
        block = texts[start : start + _BLOCK]
        parts = list(_hash_block(block, settings))
        hashes, rows = (np.concatenate(column) for column in zip(*parts, strict=True))
        order = np.argsort(rows, kind="stable")
        buckets.append((hashes[order] >> np.uint64(64 - settings.bits)).astype(np.int64))
        counts.append(np.bincount(rows, minlength=len(block)))
    offsets = np.zeros(len(texts) + 1, np.int64)
    np.cumsum(np.concatenate(counts), out=offsets[1:])
    return Features(np.concatenate(buckets), offsets)


def document_frequency(texts: Sequence[str], settings: FeatureSettings) -> NDArray[np.int64]:
    """In how many of some texts each bucket occurs. *Shape:* (n_buckets,)."""
    frequency = np.zeros(settings.n_buckets, np.int64)
    for start in range(0, len(texts), _BLOCK):
        features = extract_features(texts[start : start + _BLOCK], settings)
        rows = np.repeat(np.arange(len(features.offsets) - 1), np.diff(features.offsets))
        distinct = np.unique(rows * settings.n_buckets + features.buckets)
        frequency += np.bincount(distinct % settings.n_buckets, minlength=settings.n_buckets)
    return frequency


class _Spans:
    """Hashes of spans of bytes, all taken from one buffer that joins some strings.

    :param strings: the buffer's parts; ``row`` names the part of each byte, ``end`` where its part ends.
    """

    def __init__(self, strings: Sequence[bytes]) -> None:
        self.raw = np.frombuffer(b"".join(strings), np.uint8)
        self.lengths = np.fromiter(map(len, strings), np.int64, len(strings))
        self.ends = np.cumsum(self.lengths)
        self.row = np.repeat(np.arange(len(strings)), self.lengths)
        self.end = np.repeat(self.ends, self.lengths)
        size = 1 << int(len(self.raw) + 1).bit_length()
        self._prefix = np.zeros(len(self.raw) + 1, np.uint64)
        np.cumsum(self.raw * _powers(_P, size)[: len(self.raw)], out=self._prefix[1:])
        self._back = _powers(_P_INVERSE, size)

    def hash(self, start: NDArray[np.int64], end: NDArray[np.int64], kind: int) -> NDArray[np.uint64]:
        """The hashes of the spans ``[start, end)``. *Shape:* (n_spans,)."""
        return _mix((self._prefix[end] - self._prefix[start]) * self._back[start], kind)


def _hash_block(texts: Sequence[str], settings: FeatureSettings) -> Iterator[_Hashes]:
    """Hashes and the rows of their texts, one kind of feature after the other, rows ascending."""
    spans = _Spans([b" " + text.encode() + b" " for text in texts])
    at = np.arange(len(spans.raw))
    for size in settings.sizes:
        start = at[at + size <= spans.end]
        yield spans.hash(start, start + size, size), spans.row[start]
    space = np.flatnonzero(spans.raw == _SPACE)
    start, end = space[:-1] + 1, space[1:]
    is_word = (start < end) & (spans.row[space[:-1]] == spans.row[space[1:]])
    start, end = start[is_word], end[is_word]
    if settings.words:
        yield spans.hash(start, end, _WORD), spans.row[start]
    if settings.pairs:
        together = spans.row[start[:-1]] == spans.row[start[1:]]
        yield spans.hash(start[:-1][together], end[1:][together], _PAIR), spans.row[start[:-1][together]]
    if settings.initials:
        yield _hash_initials(texts)


def _hash_initials(texts: Sequence[str]) -> _Hashes:
    """One hash for each text that has initials."""
    spans = _Spans([_initials(text) for text in texts])
    rows = np.flatnonzero(spans.lengths)
    return spans.hash((spans.ends - spans.lengths)[rows], spans.ends[rows], _INITIALS), rows


def _initials(text: str) -> bytes:
    words = text.split()
    if len(words) == 1:
        return text.encode() if len(text) <= _LONGEST_ABBREVIATION else b""
    return "".join(word[0] for word in words).encode()


@lru_cache(maxsize=4)
def _powers(base: int, size: int) -> NDArray[np.uint64]:
    """The powers of a base modulo 2^64, from the 0th on. *Shape:* (size,)."""
    powers = np.full(size, base, np.uint64)
    powers[0] = 1
    return np.cumprod(powers, dtype=np.uint64)


def _mix(values: NDArray[np.uint64], kind: int) -> NDArray[np.uint64]:
    """The finaliser of MurmurHash3 (Appleby 2011) on the value xor a number for the kind."""
    values = values ^ np.uint64(kind * 0xC2B2AE3D27D4EB4F & _MASK)
    values = (values ^ (values >> np.uint64(33))) * np.uint64(0xFF51AFD7ED558CCD)
    values = (values ^ (values >> np.uint64(33))) * np.uint64(0xC4CEB9FE1A85EC53)
    return values ^ (values >> np.uint64(33))

"""Normalisation of names and notes: pure functions on strings; tokens keep their offsets."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

#: A letter or digit with the combining marks that follow it, repeated: "naïve" is one token in either Unicode form.
WORD = re.compile(r"(?:[^\W_][\u0300-\u036f]*)+")
_SPACE = re.compile(r"\s")
_POSSESSIVE = re.compile(r"['\u2019]s\b", re.IGNORECASE)
_GREEK = {
    "α": "alpha", "β": "beta", "γ": "gamma", "δ": "delta", "ε": "epsilon", "ζ": "zeta", "η": "eta", "θ": "theta",
    "κ": "kappa", "λ": "lambda", "μ": "mu", "π": "pi", "σ": "sigma", "τ": "tau", "φ": "phi", "χ": "chi",
    "ψ": "psi", "ω": "omega",
}  # fmt: skip
# Function words that order-free matching ignores: "abnormality of the kidney" is "kidney abnormality".
FUNCTION_WORDS = frozenset({"a", "an", "and", "by", "for", "from", "in", "of", "on", "or", "the", "to", "with"})

# Letters and digits of the longest surface whose capitals say that it is an acronym.
LONGEST_ACRONYM = 6

# "-ches" alone is not among them: "headaches" has lost an "s" only.
_SIBILANT_PLURALS = ("sses", "shes", "xes", "tches", "nches", "rches")


@dataclass(frozen=True, slots=True)
class Token:
    """A word of a text.

    :param start: offset of its first code point in the untouched text.
    :param end: offset behind its last code point.
    :param norm: its normal form, as :func:`normalise_word` gives it.
    """

    start: int
    end: int
    norm: str


@lru_cache(maxsize=1 << 16)
def normalise_word(word: str) -> str:
    """The word in lower case without diacritics, Greek letters spelled out.

    >>> normalise_word("Ménière"), normalise_word("β2")
    ('meniere', 'beta2')
    """
    if word.isascii():
        return word.lower()
    folded = "".join(map(_unfold, unicodedata.normalize("NFD", word))).casefold()
    kept = (c for c in unicodedata.normalize("NFD", folded) if not unicodedata.combining(c))
    return "".join(_GREEK.get(c, c) for c in kept)


def _unfold(char: str) -> str:
    """The letters that a ligature or a wide form stands for; "½" stays, as its parts are no word."""
    unfolded = unicodedata.normalize("NFKD", char)
    return unfolded if unfolded.isalnum() else char


def tokenise(text: str) -> Iterator[Token]:
    """The words of a text in order, each with its offsets into the untouched text.

    Possessive endings are no words: "Crohn's" gives one token, "Crohn".

    >>> [(t.start, t.end, t.norm) for t in tokenise("Crohn's disease")]
    [(0, 5, 'crohn'), (8, 15, 'disease')]
    """
    possessives = {match.start() + 1 for match in _POSSESSIVE.finditer(text)}
    for match in WORD.finditer(text):
        if match.start() in possessives:
            continue
        norm = normalise_word(match.group())
        if norm:
            yield Token(match.start(), match.end(), norm)


def normalise(text: str) -> str:
    """The text's words in normal form, joined by single spaces: the key of exact lexical matching.

    Idempotent.

    >>> normalise("  Ménière's   disease, β-type ")
    'meniere disease beta type'
    """
    return " ".join(token.norm for token in tokenise(text))


def flatten(text: str) -> str:
    r"""The text with each white-space character as a space: what formats of one line a record keep; offsets stay.

    >>> flatten("renal\r\ncyst")
    'renal  cyst'
    """
    return _SPACE.sub(" ", text)


def wording_key(text: str) -> str:
    """What two surfaces share that say the same: their normal form, short ones in capitals apart from other ones.

    >>> wording_key("Renal  cysts"), wording_key("ALL"), wording_key("all")
    ('renal cysts', '^all', 'all')
    """
    normal = normalise(text)
    is_acronym = 1 < len(normal) <= LONGEST_ACRONYM and text == text.upper() != text.lower()
    return f"^{normal}" if is_acronym else normal


@lru_cache(maxsize=1 << 16)
def singular(word: str) -> str:
    """The word without its plural ending.

    The S-stemmer of Harman 1991 ("How effective is suffixing?", table 1), except that "-es" goes whole behind a
    sibilant, and that words shorter than four letters and "-us", "-ss" and "-is", which are singular in medicine, stay.

    >>> [singular(word) for word in ("kidneys", "biopsies", "abscesses", "abscess", "thrombus", "headaches")]
    ['kidney', 'biopsy', 'abscess', 'abscess', 'thrombus', 'headache']
    """
    if len(word) < 4 or not word.endswith("s"):
        return word
    if word.endswith("ies") and not word.endswith(("eies", "aies")):
        return word[:-3] + "y"
    if word.endswith(("us", "ss", "is")):
        return word
    if word.endswith(_SIBILANT_PLURALS):
        return word[:-2]
    return word[:-1]


def content_words(text: str) -> tuple[str, ...]:
    """The text's content words in singular, in order: what order-free matching compares."""
    return tuple(singular(t.norm) for t in tokenise(text) if t.norm not in FUNCTION_WORDS)

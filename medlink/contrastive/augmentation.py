"""Variants of short clinical strings: noise, order, abbreviations, inflection, spelling, numerals.

An operation takes a text and a random generator and gives a variant, or the text itself where it does not apply.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from random import Random

from medlink.contrastive.spelling import to_american, to_british
from medlink.text import FUNCTION_WORDS, singular

Operation = Callable[[str, Random], str]

_ROMAN = (
    "I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X",
    "XI", "XII", "XIII", "XIV", "XV", "XVI", "XVII", "XVIII", "XIX", "XX",
)  # fmt: skip
_ROMAN_TO_ARABIC = {roman: str(number) for number, roman in enumerate(_ROMAN, start=1)}
_ARABIC_TO_ROMAN = {arabic: roman for roman, arabic in _ROMAN_TO_ARABIC.items()}
# Only behind a word that counts: "I" is also a pronoun, "V" a unit, "IV" an infusion, "X" a chromosome.
_COUNTED = re.compile(
    r"\b(type|types|stage|grade|class|group|phase|subtype|category|level|degree|factor|complex|nerve|syndrome"
    r"|bipolar|mucopolysaccharidosis)(\s+)([IVX]+|[1-9][0-9]?)([A-Da-d]?)\b",
    re.IGNORECASE,
)
_NEIGHBOURS = {
    "a": "qsz", "b": "vgn", "c": "xdv", "d": "sfe", "e": "wrd", "f": "dgr", "g": "fht", "h": "gjy", "i": "uok",
    "j": "hku", "k": "jli", "l": "kop", "m": "nj", "n": "bmh", "o": "ipl", "p": "ol", "q": "wa", "r": "etf",
    "s": "adw", "t": "ryg", "u": "yij", "v": "cbf", "w": "qes", "x": "zcs", "y": "tuh", "z": "xas",
}  # fmt: skip
# What tells one concept from its siblings is not noise: negation, direction, side, counts, and single letters.
_TELLING = re.compile(
    r"no|non|not|without|absent|increased|decreased|elevated|reduced|high|low|left|right|upper|lower|proximal|distal"
    r"|anterior|posterior|medial|lateral|.*\d.*|[a-z]|[ivx]+",
    re.IGNORECASE,
)
# Endings of adjectives, and of Latin and Greek nouns whose plural is not made with "s".
_NO_NOUN = ("us", "is", "os", "um", "ed", "ic", "al", "ous", "ar", "ary", "ive", "ing")
_ONE_NUMBER = frozenset(
    "ascites biceps caries diabetes faeces feces herpes measles mumps rabies rickets scabies series species".split()
)
# Whole words of plain letters: a slip must not carry a combining mark to another letter, nor part a possessive.
_LONG_WORD = re.compile(r"(?<![\w\u0300-\u036f])[A-Za-z]{4,}(?![\w\u0300-\u036f'\u2019])")
# The noun that a phrase is about stands at its end: before a function word, a comma, or nothing.
_HEAD_NOUN = re.compile(_LONG_WORD.pattern + rf"(?=\s*$|,|\s+(?:{'|'.join(sorted(FUNCTION_WORDS))})\b)")


def augment(text: str, random: Random, *, is_taken: Callable[[str], bool], operations: Sequence[Operation]) -> str:
    """A variant of the text by the first of the operations, in random order, that gives an acceptable one.

    :param random: decides everything that is left to chance: the same seed, the same variant.
    :param is_taken: whether a string is a name of another concept; such a variant is refused.
    :returns: the variant, or the text itself where no operation gives one.
    """
    for operation in random.sample(operations, len(operations)):
        variant = operation(text, random)
        if variant != text and variant.strip() and not is_taken(variant):
            return variant
    return text


def add_typo(text: str, random: Random) -> str:
    """The text with one slip in one word of four letters or more: two letters swapped, one lost, doubled or missed.

    >>> add_typo("seizure", Random(1)), add_typo("HIV", Random(1))
    ('seizurre', 'HIV')
    """
    words = [match.span() for match in _LONG_WORD.finditer(text)]
    if not words:
        return text
    start, end = random.choice(words)
    # The first letter stays: people rarely get it wrong, and readers need it most (Pollock & Zamora 1984).
    at = random.randrange(start + 1, end - 1)
    here, after = text[at], text[at + 1]
    slip = random.choice((after + here, after, here + here + after, _neighbour(here, random) + after))
    return text[:at] + slip + text[at + 2 :]


def _neighbour(letter: str, random: Random) -> str:
    """A key next to this letter's, in its case."""
    key = random.choice(_NEIGHBOURS[letter.lower()])
    return key.upper() if letter.isupper() else key


def drop_token(text: str, random: Random) -> str:
    """The text without one of its tokens, if it has three or more; never without what tells siblings apart."""
    tokens = text.split()
    droppable = [place for place, token in enumerate(tokens) if not _TELLING.fullmatch(token.strip(",;()"))]
    if len(tokens) < 3 or not droppable:
        return text
    dropped = random.choice(droppable)
    return " ".join(token for place, token in enumerate(tokens) if place != dropped)


def reorder(text: str, random: Random) -> str:
    """The text turned round at its only comma, or at "of", or with its last token first, as catalogues write names.

    >>> reorder("kidney, polycystic", Random(0)), reorder("polycystic kidney", Random(0))
    ('polycystic kidney', 'kidney, polycystic')
    >>> reorder("abnormality of the kidney", Random(0))
    'kidney abnormality'
    """
    if text.count(",") == 1:
        head, modifier = (part.strip() for part in text.split(","))
        return f"{modifier} {head}".strip()
    head, of, part = text.partition(" of ")
    if of and " of " not in part:
        return f"{part.removeprefix('the ')} {head}"
    modifier, space, head = text.rpartition(" ")
    return f"{head}, {modifier}" if space and "," not in text else text


def inflect(text: str, random: Random) -> str:
    """The text with one head noun turned from singular to plural or back, or without a possessive ending.

    >>> inflect("Crohn's disease", Random(0)), inflect("renal cysts", Random(3))
    ('Crohn disease', 'renal cyst')
    """
    words = [match.span() for match in _HEAD_NOUN.finditer(text)]
    variants = [text[:start] + _other_number(text[start:end]) + text[end:] for start, end in words]
    variants.append(re.sub(r"['\u2019]s\b", "", text))
    changed = [variant for variant in variants if variant != text]
    return random.choice(changed) if changed else text


def _other_number(word: str) -> str:
    """The plural of a singular word, or the singular of a plural one; the word itself where the ending is no help."""
    lower = word.lower()
    if lower in _ONE_NUMBER or lower in FUNCTION_WORDS or lower.endswith(_NO_NOUN):
        return word
    if lower.endswith(("sses", "xes", "ches", "shes")):
        return word[:-2]
    if singular(lower) != lower:
        return word[:-3] + "y" if lower.endswith("ies") else word[:-1]
    if lower.endswith(("s", "x", "z", "ch", "sh")):
        return word + "es"
    return word[:-1] + "ies" if lower.endswith("y") and lower[-2] not in "aeiou" else word + "s"


def respell(text: str, random: Random) -> str:
    """The text in British spelling where it is American, in American spelling where it is British."""
    changed = [variant for variant in (to_british(text), to_american(text)) if variant != text]
    return random.choice(changed) if changed else text


def convert_numerals(text: str, random: Random) -> str:
    """The text with the numbers from 1 to 20 behind words that count ("type", "stage", …) in the other numerals.

    >>> convert_numerals("Diabetes mellitus type 2", Random(0)), convert_numerals("Factor V deficiency", Random(0))
    ('Diabetes mellitus type II', 'Factor 5 deficiency')
    """

    def other(match: re.Match[str]) -> str:
        word, space, number, letter = match.groups()
        turned = _ROMAN_TO_ARABIC.get(number.upper()) or _ARABIC_TO_ROMAN.get(number) or number
        return f"{word}{space}{turned}{letter}"

    return _COUNTED.sub(other, text)


def abbreviation_swap(pairs: Iterable[tuple[str, str]]) -> Operation:
    """An operation that writes one abbreviation out, or abbreviates one long form, by these (short, long) pairs.

    Short forms are looked for as they are written, long forms in any case.

    >>> swap = abbreviation_swap([("CKD", "chronic kidney disease")])
    >>> swap("CKD stage 3", Random(0)), swap("Chronic kidney disease", Random(0))
    ('chronic kidney disease stage 3', 'CKD')
    """
    known = tuple(
        (re.compile(rf"(?<!\w){re.escape(found)}(?!\w)", flags), written)
        for short, long in pairs
        for found, written, flags in ((short, long, re.NOFLAG), (long, short, re.IGNORECASE))
    )

    def swap(text: str, random: Random) -> str:
        found = [(match, written) for pattern, written in known if (match := pattern.search(text))]
        if not found:
            return text
        match, written = random.choice(found)
        return text[: match.start()] + written + text[match.end() :]

    return swap


OPERATIONS: Mapping[str, Operation] = {
    "drop_token": drop_token,
    "inflect": inflect,
    "numerals": convert_numerals,
    "reorder": reorder,
    "spelling": respell,
    "typo": add_typo,
}
"""The operations that need nothing but the text, by name."""

"""Candidate mentions, and what speaks for and against each of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import log, log1p

import numpy as np
from numpy.typing import NDArray
from spacy.tokens import Doc

from medlink.detection.attributes import LABEL
from medlink.detection.common_words import RARE, zipf
from medlink.detection.matcher import DictionaryMatcher, Match
from medlink.detection.readings import Kind
from medlink.detection.recogniser import Support, Tagging
from medlink.detection.words import content_words_of
from medlink.text import tokenise

# Lowers the bar for the recogniser's own candidates; the decision sorts them out.
_OUTSIDE_BIAS = 2.0
# Probabilities are kept away from 0 and 1 by so much before their log-odds are taken.
_LEAST_CHANCE = 1e-3


@dataclass(frozen=True, slots=True)
class Candidate:
    """A span that may be a mention.

    :param start: offset of its first code point in the untouched text.
    :param end: offset behind its last code point.
    :param name: the name that it is read as, where it is not that name itself; else empty.
    :param kind: how it is a name of the lexicon; ``None`` where it is none.
    :param sure: how surely its words stand for those of the name, in (0, 1].
    :param acronym: whether it can only be an acronym.
    :param n_words: its content words.
    :param commonness: Zipf value of its rarest word, at least :data:`medlink.detection.common_words.RARE`.
    :param n_narrower: concepts below the one that it may mean, of several the least.
    :param support: what the recogniser says; ``None`` where none was asked.
    """

    start: int
    end: int
    name: str
    kind: Kind | None
    sure: float
    acronym: bool
    n_words: int
    commonness: float
    n_narrower: int
    support: Support | None = None

    @property
    def label(self) -> str:
        """The recogniser's, where one was asked."""
        return self.support.label if self.support is not None and self.support.label else LABEL


FEATURES = (
    "constant",
    "no name",
    "variant",
    "misspelt",
    "swapped",
    "inserted",
    "shared",
    "relative",
    "unsure",
    "read common",
    "one word",
    "two words",
    "acronym",
    "common word",
    "broad concept",
    "begins",
    "inside",
    "ends",
    "total",
)
#: How many of the features need no recogniser.
N_PLAIN_FEATURES = FEATURES.index("begins")
_READ = (Kind.VARIANT, Kind.MISSPELT, Kind.SWAPPED, Kind.INSERTED, Kind.SHARED)


def features_of(candidate: Candidate) -> NDArray[np.float64]:
    """What a decision weighs. *Shape:* (n_features,): the first :data:`N_PLAIN_FEATURES` without a recogniser."""
    plain = [
        1.0,
        float(candidate.kind is None),
        *(float(candidate.kind is kind) for kind in _READ),
        float(candidate.kind is Kind.VARIANT and candidate.n_words == 1),
        1.0 - candidate.sure,
        max(0.0, candidate.commonness - RARE) * (candidate.kind not in (None, Kind.EXACT)),
        float(candidate.n_words <= 1),
        float(candidate.n_words == 2),
        float(candidate.acronym),
        max(0.0, candidate.commonness - RARE),
        log1p(candidate.n_narrower),
    ]
    support = candidate.support
    if support is not None:
        plain += map(_log_odds, (support.begins, support.inside, support.ends, support.total()))
    return np.array(plain)


def _log_odds(probability: float) -> float:
    kept = min(max(probability, _LEAST_CHANCE), 1 - _LEAST_CHANCE)
    return log(kept / (1 - kept))


def candidates_of(
    doc: Doc, matcher: DictionaryMatcher, tagging: Tagging | None, *, nested: bool
) -> Iterator[Candidate]:
    """The spans of a doc that may be mentions, each once.

    :param nested: whether a part of an enumeration reaches over all of it, as corpora with nested mentions have it,
        or has only its own words.
    """
    seen = set()
    text = doc.text  # put together anew each time it is asked for
    for match in matcher.matches(text, nested=True):
        start, end = (match.start, match.end) if nested else match.own
        if (start, end) not in seen:
            seen.add((start, end))
            yield _of_match(matcher, match, _candidate(doc, text, (start, end), tagging))
    for span in tagging.spans(outside_bias=_OUTSIDE_BIAS) if tagging is not None else ():
        if (span.start, span.end) not in seen:
            seen.add((span.start, span.end))
            yield _candidate(doc, text, (span.start, span.end), tagging)


def _of_match(matcher: DictionaryMatcher, match: Match, candidate: Candidate) -> Candidate:
    return replace(
        candidate,
        name="" if match.kind is Kind.EXACT else matcher.name_of(match),
        kind=match.kind,
        sure=match.sure,
        acronym=match.acronym,
        n_narrower=matcher.n_narrower(match),
    )


def _candidate(doc: Doc, text: str, span: tuple[int, int], tagging: Tagging | None) -> Candidate:
    """A candidate that is no name of the lexicon."""
    surface = text[span[0] : span[1]]
    support = None
    if tagging is not None:
        tokens = doc.char_span(*span, alignment_mode="expand")
        support = tagging.support(tokens.start, tokens.end) if tokens is not None else None
    return Candidate(
        *span,
        name="",
        kind=None,
        sure=1.0,
        acronym=False,
        n_words=len(content_words_of(surface).norms),
        commonness=min((zipf(token.norm) for token in tokenise(surface)), default=RARE),
        n_narrower=0,
        support=support,
    )

"""What a cue of assertion can do, and how its phrases are written."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

NEGATED, UNCERTAIN, HISTORICAL, HYPOTHETICAL, FAMILY = "negated", "uncertain", "historical", "hypothetical", "family"
LABELS = (NEGATED, UNCERTAIN, HISTORICAL, HYPOTHETICAL, FAMILY)


class Kind(Enum):
    """What a cue does to the findings around it."""

    PSEUDO = auto()
    """Nothing, though it holds the words of another cue."""
    PHRASE = auto()
    """Marks the noun phrases behind it, to the next verb."""
    CLAUSE = auto()
    """Marks the clause behind it, to the next verb that follows a comma, a conjunction or a finding."""
    WHOLE = auto()
    """Marks the rest of the sentence."""
    NEAR = auto()
    """Marks a finding at most three words behind it, and the list that this opens."""
    PREFIX = auto()
    """Marks the finding right behind it."""
    AFTER = auto()
    """Marks the finding before it, and the list that this closes."""
    SUFFIX = auto()
    """Marks the finding right before it."""
    BETWEEN = auto()
    """Marks the findings on both sides: NEAR and AFTER."""
    STOP = auto()
    """Ends scopes of its categories."""
    BREAK = auto()
    """Ends scopes of its categories, except what the section says."""
    VERB = auto()
    """Opens a new clause."""


FORWARD = frozenset({Kind.PHRASE, Kind.CLAUSE, Kind.WHOLE, Kind.NEAR, Kind.PREFIX, Kind.BETWEEN})
"""The kinds that mark what stands behind them."""
BACKWARD = frozenset({Kind.AFTER, Kind.SUFFIX, Kind.BETWEEN})
"""The kinds that mark what stands before them."""


@dataclass(frozen=True, slots=True)
class Rule:
    """Phrases that are cues of one kind and of the same categories.

    A phrase is a list of alternatives (``no|without``), or a regular expression that starts with a word, or with a
    group of alternatives. A space stands for any white space, `` ?`` for white space or none. Of the phrases at one
    place the longest counts, of equal ones the first.

    :param labels: the categories, as :attr:`medlink.records.Assertion.labels` names them.
    """

    kind: Kind
    labels: tuple[str, ...]
    phrases: tuple[str, ...]

"""The cues of negation: phrases that deny a finding, that only seem to, and that end what another one denies.

After NegEx (Chapman et al. 2001, "A simple algorithm for identifying negated findings and diseases in discharge
summaries") and ConText (Harkema et al. 2009), with the scope of a cue following its grammar. Phrases are regular
expressions in which a space stands for any white space and an apostrophe for either form or none.
"""

from __future__ import annotations

import re
from enum import Enum

_VERBS = (
    "has|have|had|is|are|was|were|reports?|reported|complains?|complained|presents|presented|develops?|developed|"
    "shows?|showed|reveals?|revealed|demonstrates?|demonstrated|admits?|admitted|endorses?|endorsed|remains?|remained|"
    "continues?|continued|appears?|appeared|suffers?|suffered|experiences?|experienced|exhibits?|exhibited|states?|"
    "stated|underwent|takes"
)
_SEEN = (
    "seen|noted|present|found|identified|observed|detected|appreciated|demonstrated|visuali[sz]ed|evident|apparent|"
    "reported|palpable|elicited"
)
_HAVE = (
    "has|have|had|having|show|showing|reveal|report|reporting|demonstrate|exhibit|complain of|complaining of|feel|"
    "experience|experienced|develop|developed|suffer from|see|seen|endorse|describe|describing|notice|noticed|noted|"
    "find|found|detect|suspect|get"
)
_BE = "is|are|was|were|has been|have been|had been|being"
_NOT = "not|(?:do|does|did|is|are|was|were|has|have|had|ca|could|would)n['’]?t"
_END = r"(?= ?(?:[.,;:)]|$|\n))"


class Kind(Enum):
    """What a cue does, with its phrases, longer ones before those that they begin with.

    Of two kinds that read the same words the first one here counts.
    """

    PSEUDO = (
        r"no (?:\w+ ){0,2}(?:increase|change|worsening|improvement)s?(?: in| of)?",
        r"no further|no longer|no doubt|not only|not necessarily|not limited to|not certain (?:if|whether)",
        r"without (?:any )?(?:further|difficulty|increase|change|worsening)",
        rf"(?:cannot|{_NOT}) (?:\w+ )?(?:be |been )?(?:ruled out|excluded)",
        rf"(?:{_NOT}|cannot) (?:rule out|exclude)",
        r"not (?:\w+ )?(?:controlled|improved?|improving|resolved?|changed?|worsened|progressed)",
        r"gram[- ]negative",
    )
    """Negates nothing, though it holds a negating word."""

    AFTER = (
        rf"(?:{_BE}) (?:\w+ )?(?:ruled out|excluded|denied|absent|negative(?! for)|unlikely)",
        rf"(?:(?:{_BE}) )?(?:{_NOT}) (?:\w+ )?(?:{_SEEN})",
        rf"(?:absent|denied|negative|unlikely|ruled out|excluded)(?:(?= in | on | at )|{_END})",
        rf" ?[:?–-] ?(?:no|none|nil|negative|denie[ds]|absent){_END}",
    )
    """Negates the finding before it, and the list that this closes."""

    FREE = (r"[ -]free",)
    """Negates the finding right before it."""

    PHRASE = (
        r"(?:no|without) (?:\w+ )?(?:evidence|signs?|symptoms?|history|complaints?|indication) (?:of|for)",
        r"[,;:] negative(?! for)",
        r"no|without|w/o|absence of|negative for|free of|free from",
    )
    """Negates the noun phrases behind it, to the next verb."""

    CLAUSE = (
        rf"(?:{_NOT}|never) (?:\w+ ){{0,3}}(?:{_HAVE})|no longer (?:\w+ )?(?:{_HAVE})",
        r"fail(?:s|ed)? to (?:reveal|show|demonstrate)",
        rf"(?:(?:{_BE}) )?ruled out for|(?:rules|ruled) out|excludes",
        r"den(?:y|ies|ied|ying)|neither|nor|never|no evidence (?:that|to suggest)",
    )
    """Negates the clause behind it, to the next verb that follows a comma, a conjunction or a finding."""

    NEAR = (rf"{_NOT}|cannot|lack of|lacks|lacking",)
    """Negates a finding at most three words behind it, and the list that this opens."""

    STOP = (
        r"but|however|although|though|except|besides|other than|apart from|aside from|nevertheless|yet|whereas|while",
        r"because|due to|secondary to|caused by|attributed to|which|who|positive for",
        r"[;]|[:](?=\s)",
        r"(?:cause|etiology|origin|source|reason|explanation)s? (?:of|for)",
    )
    """Ends every scope."""

    VERB = (
        rf"(?:{_VERBS})",
        r"he|she|they|there|the patient|and (?:the|his|her|their)",
    )
    """Opens a new clause."""


FORWARD = (Kind.PHRASE, Kind.CLAUSE, Kind.NEAR)
"""The kinds that negate what stands behind them."""
BACKWARD = (Kind.AFTER, Kind.FREE)
"""The kinds that negate what stands before them."""


def _compile(kind: Kind) -> re.Pattern[str]:
    """What finds a kind's phrases as whole words; one that begins with a space or a bracket may follow a word directly.

    A colon right behind a cue that looks forward belongs to it ("Denies: fever") and ends nothing.
    """
    phrases = kind.value
    attached = [phrase for phrase in phrases if phrase[0] in " ["]
    words = [phrase for phrase in phrases if phrase[0] not in " ["]
    parts = ([rf"(?<![^\W_])(?:{'|'.join(words)})"] if words else []) + attached
    colon = "(?: ?:)?" if kind in FORWARD else ""
    source = rf"(?:{'|'.join(parts)})(?!\w){colon}"
    return re.compile(source.replace(" ?", r"\s*").replace(" ", r"\s+"), re.IGNORECASE)


PATTERNS: dict[Kind, re.Pattern[str]] = {kind: _compile(kind) for kind in Kind}
"""What finds the cues of each kind."""

"""What a document's other mentions say about one of them: homonyms, acronyms and short forms decided together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, replace
from math import exp, log

from medlink.linking.ranker import trust
from medlink.linking.wording import Wording, read_wording
from medlink.ontology.lexicon import Lexicon
from medlink.records import Candidate

# The probability from which another mention's concept is looked at, and what a concept starts from that the query alone
# does not find at all.
_LEAST_SURE = 0.3
_UNFOUND = 1e-4


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the other mentions of a document say for a concept: each the highest probability among those that do.

    :param elsewhere: of any other mention.
    :param acronym: of one whose initials the query is.
    :param longer: of one that has all the query's words and more.
    :param shorter: of one that has some of the query's words and no others.
    """

    elsewhere: float = 0.0
    acronym: float = 0.0
    longer: float = 0.0
    shorter: float = 0.0


@dataclass(frozen=True, slots=True)
class ContextWeights:
    """What evidence adds to the logarithm of a candidate's score; one weight for each field of ``Evidence``."""

    elsewhere: float
    acronym: float
    longer: float
    shorter: float

    def logit(self, evidence: Evidence) -> float:
        """The sum of the weighted evidence."""
        pairs = zip(astuple(self), astuple(evidence), strict=True)
        return float(sum(weight * value for weight, value in pairs))


# Fitted by pipelines/fit_ranker.py, beside the ranker.
DEFAULT_CONTEXT = ContextWeights(elsewhere=1.39, acronym=0.46, longer=0.23, shorter=0.0)


def rank_together(
    alone: Mapping[str, tuple[Candidate, ...]], lexicon: Lexicon, weights: ContextWeights
) -> dict[str, tuple[Candidate, ...]]:
    """The candidates of each of a document's distinct mentions in the light of the others, best first.

    A concept that another mention names, and that the query alone does not find, becomes a candidate where the
    query's letters or words allow it.

    :param alone: by normalised mention its candidates by themselves, with their probabilities.
    """
    wordings = {query: read_wording(query) for query in alone}
    ranked = {}
    for query, candidates in alone.items():
        evidence = gather_evidence(query, alone, wordings)
        ranked[query] = _rescore(candidates, evidence, alone, weights, lexicon) if evidence else candidates
    return ranked


def gather_evidence(
    query: str, alone: Mapping[str, tuple[Candidate, ...]], wordings: Mapping[str, Wording]
) -> dict[str, Evidence]:
    """The evidence for each concept that some other mention names."""
    found: dict[str, Evidence] = {}
    for other, candidates in alone.items():
        if other == query:
            continue
        acronym, longer, shorter = _relation(wordings[query], wordings[other])
        for candidate in candidates:
            p = candidate.score
            if p < _LEAST_SURE:
                break
            before = found.get(candidate.concept_id, Evidence())
            found[candidate.concept_id] = Evidence(
                max(before.elsewhere, p),
                max(before.acronym, p * acronym),
                max(before.longer, p * longer),
                max(before.shorter, p * shorter),
            )
    return found


def _relation(query: Wording, other: Wording) -> tuple[bool, bool, bool]:
    """Whether the query abbreviates the other, is part of it, or holds it."""
    one, two = set(query.stems), set(other.stems)
    return len(query.acronym) > 1 and query.acronym == other.initials, one < two, two < one


def _rescore(
    candidates: Sequence[Candidate],
    evidence: Mapping[str, Evidence],
    alone: Mapping[str, tuple[Candidate, ...]],
    weights: ContextWeights,
    lexicon: Lexicon,
) -> tuple[Candidate, ...]:
    known = {candidate.concept_id for candidate in candidates}
    joined = [c for c in _named_elsewhere(evidence, alone) if c.concept_id not in known]
    both = [*candidates, *joined]
    starts = [max(c.score, _UNFOUND) for c in candidates] + [_UNFOUND] * len(joined)
    none = max(1.0 - sum(c.score for c in candidates), _UNFOUND)
    gains = [weights.logit(evidence.get(c.concept_id, Evidence())) for c in both]
    masses = [exp(log(start) + gain) for start, gain in zip(starts, gains, strict=True)]
    total = sum(masses) + none
    rescored = [replace(c, score=round(mass / total, 6)) for c, mass in zip(both, masses, strict=True)]
    return tuple(sorted(rescored, key=lambda candidate: (-candidate.score, *trust(candidate, lexicon))))


def _named_elsewhere(evidence: Mapping[str, Evidence], alone: Mapping[str, tuple[Candidate, ...]]) -> list[Candidate]:
    """The candidates of other mentions that the query's own letters or words speak for, each concept once."""
    wanted = {key for key, found in evidence.items() if found.acronym or found.longer}
    by_id: dict[str, Candidate] = {}
    for candidates in alone.values():
        for candidate in candidates:
            if candidate.concept_id in wanted:
                by_id.setdefault(candidate.concept_id, candidate)
    return [by_id[key] for key in sorted(by_id)]

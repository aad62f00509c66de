"""Why a query links to what it links to, in numbers and in words."""

from __future__ import annotations

from dataclasses import astuple, dataclass

from medlink.linking.linker import Linker
from medlink.linking.ranker import FEATURES, describe_matches, rank_concepts
from medlink.records import Candidate
from medlink.text import normalise


@dataclass(frozen=True, slots=True)
class Contribution:
    """What one feature adds to the winner's logit.

    :param value: the feature's value.
    :param logit: value times weight; the ranker's sum of these and its bias is the logit of the score.
    """

    feature: str
    value: float
    logit: float


@dataclass(frozen=True, slots=True)
class Explanation:
    """The decision on one query.

    :param normalised: what is looked up.
    :param candidates: best first.
    :param contributions: what makes the best candidate's score.
    :param concept_id: the decision, ``None`` for NIL.
    :param reasons: the decision in sentences.
    """

    query: str
    normalised: str
    candidates: tuple[Candidate, ...]
    contributions: tuple[Contribution, ...]
    concept_id: str | None
    reasons: tuple[str, ...]


def explain_query(query: str, linker: Linker) -> Explanation:
    """The explanation of what the linker does with a query."""
    normal = normalise(query)
    if not normal:
        return Explanation(query, "", (), (), None, ("There is no letter or digit to look up.",))
    settings = linker.settings
    (matches,) = linker.find([normal], k=settings.top_k)
    candidates = rank_concepts(matches, linker.lexicon, linker.ranker)[: settings.top_k]
    if not candidates:
        return Explanation(query, normal, (), (), None, ("No name of the ontology shares anything with it.",))
    features = describe_matches(matches, linker.lexicon)
    winner = candidates[0]
    row = matches.rows.tolist().index(linker.lexicon.row_of(winner.matched))
    pair = next(
        i
        for i, (name, concept_id) in enumerate(zip(features.rows.tolist(), features.concept_ids, strict=True))
        if name == row and concept_id == winner.concept_id
    )
    _, *weights = astuple(linker.ranker)
    contributions = tuple(
        Contribution(feature, float(value), float(value * weight))
        for feature, value, weight in zip(FEATURES, features.values[pair], weights, strict=True)
    )
    sure = winner.score >= settings.threshold
    return Explanation(
        query,
        normal,
        candidates,
        contributions,
        winner.concept_id if sure else None,
        _reasons(candidates, contributions, settings.threshold),
    )


def _reasons(
    candidates: tuple[Candidate, ...], contributions: tuple[Contribution, ...], threshold: float
) -> tuple[str, ...]:
    winner = candidates[0]
    parts = ", ".join(f"{c.feature} {c.value:.2f} ({c.logit:+.2f})" for c in contributions if c.logit)
    reasons = [f"{winner.concept_id} by its name “{winner.matched}”: {parts}."]
    if any(c.feature == "exact" and c.value for c in contributions):
        reasons.append("The text is that name, letter for letter after normalisation.")
    if len(candidates) > 1:
        rival = candidates[1]
        ahead = winner.score - rival.score
        reasons.append(f"Nearest rival: {rival.concept_id} {rival.name} by “{rival.matched}”, {ahead:.3f} behind.")
    if winner.score < threshold:
        reasons.append(f"The score {winner.score:.3f} is below the threshold {threshold}: no concept is chosen.")
    return tuple(reasons)

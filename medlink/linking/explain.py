"""Why a query links to what it links to, in numbers and in words."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from medlink.linking.corrections import describe_ruling
from medlink.linking.features import FEATURES, describe_matches
from medlink.linking.linker import DEPTH, Linker
from medlink.linking.ranker import Ranker, best_names, rank_concepts
from medlink.records import Candidate, Mention
from medlink.text import normalise

_N_STEPS = 256
# Features that a sentence names: those that count most.
_N_NAMED = 5


@dataclass(frozen=True, slots=True)
class Contribution:
    """What one feature adds to the winner's lead over its nearest rival.

    :param value: the winner's.
    :param rival: the rival's; the mean of the ranker's training data where there is no rival.
    :param logit: the part of the difference of both logits that is this feature's, by integrated gradients
        (Sundararajan et al. 2017, equation 1); all parts add up to the difference. "own_name" is what both gained
        for being the query's own names.
    """

    feature: str
    value: float
    rival: float
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
    """The explanation of what the linker does with a query that stands alone, in no document and no section."""
    alone = _explain_ranking(query, linker)
    if not alone.normalised:
        return alone
    (ranked,) = linker.rank([query], k=DEPTH)
    mention = Mention("", 0, len(query), query)
    corrected = linker.corrections.apply(mention, ranked, linker.lexicon, threshold=linker.threshold)
    if corrected is None:
        return alone
    told = describe_ruling(corrected, linker.lexicon)
    before = (f"Without them: {alone.reasons[0]}", *alone.reasons[1:])
    return replace(
        alone,
        candidates=corrected.candidates[: linker.settings.top_k],
        concept_id=corrected.concept_id,
        reasons=(*told, *before),
    )


def _explain_ranking(query: str, linker: Linker) -> Explanation:
    """The explanation of what the ranker says, whatever annotators decided."""
    normal = normalise(query)
    if not normal:
        return Explanation(query, "", (), (), None, ("There is no letter or digit to look up.",))
    settings = linker.settings
    (matches,) = linker.find([normal])
    candidates = rank_concepts(matches, linker.lexicon, linker.ranker, linker.rarity, linker.experience)[
        : settings.top_k
    ]
    if not candidates:
        return Explanation(query, normal, (), (), None, ("No name of the ontology shares anything with it.",))
    features = describe_matches(matches, linker.lexicon, linker.rarity, linker.experience)
    best = best_names(normal, features, linker.ranker)
    winner, *others = candidates
    first, second = best[winner.concept_id], best[others[0].concept_id] if others else None
    row = features.values[first.pair]
    rival = features.values[second.pair] if second else np.array(linker.ranker.weights.mean)
    shares = integrated_gradients(linker.ranker, row, rival)
    raised = (first.raised, second.raised if second else 0.0)
    contributions = (
        *(
            Contribution(feature, float(value), float(other), float(share))
            for feature, value, other, share in zip(FEATURES, row, rival, shares, strict=True)
        ),
        Contribution("own_name", *raised, raised[0] - raised[1]),
    )
    sure = winner.score >= linker.threshold
    return Explanation(
        query,
        normal,
        candidates,
        contributions,
        winner.concept_id if sure else None,
        _reasons(candidates, contributions, linker.threshold),
    )


def integrated_gradients(
    ranker: Ranker, row: NDArray[np.float64], baseline: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Each feature's part of the difference between the logits of a row and of a baseline.

    The integral of the slopes along the straight line between both, by the midpoint rule.

    :param row: *Shape:* (n_features,), ``baseline`` likewise.
    :returns: *Shape:* (n_features,).
    """
    steps = (np.arange(_N_STEPS) + 0.5) / _N_STEPS
    along = baseline + steps[:, None] * (row - baseline)  # (n_steps, n_features)
    return np.asarray((row - baseline) * ranker.slopes(along).mean(axis=0))


def _reasons(
    candidates: tuple[Candidate, ...], contributions: tuple[Contribution, ...], threshold: float
) -> tuple[str, ...]:
    winner = candidates[0]
    telling = sorted(contributions, key=lambda c: -abs(c.logit))[:_N_NAMED]
    parts = ", ".join(f"{c.feature} {c.value:.2f} to {c.rival:.2f} ({c.logit:+.2f})" for c in telling if c.logit)
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

"""The ranker: from what is known of a query's matching names to the probability that each concept is meant."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict, TypeAdapter, ValidationError

from medlink.errors import ArtifactError
from medlink.linking.candidates import NameMatches
from medlink.linking.experience import NOTHING, Experience
from medlink.linking.features import FEATURES, Features, describe_matches
from medlink.linking.wording import Rarity
from medlink.ontology.lexicon import Lexicon
from medlink.records import Candidate, Scope

_FOLDER = Path(__file__).parent / "rankers"
# Standard deviations from the mean beyond which a feature says no more: what was never seen must not decide alone.
WIDEST = 5.0
# By this a name's own concepts are ahead: of such mentions in NCBI Disease and BC5CDR-disease train, 96 % mean them.
LEAD = 3.0
# So short a name may stand for several things: it is ahead by less, and the document may say otherwise.
LONGEST_ACRONYM, ACRONYM_LEAD = 4, 0.5


@dataclass(frozen=True, slots=True)
class Weights:
    """A ranker's numbers, as its file holds them.

    :param features: names of the columns that it reads.
    :param mean: of each feature in the data that it was fitted on.
    :param scale: the standard deviation of each.
    :param linear: *Length* n_features.
    :param hidden: *Shape:* (n_hidden, n_features).
    :param hidden_bias: *Length* n_hidden.
    :param output: *Length* n_hidden.
    :param nil: the logit of "none of the candidates".
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    features: tuple[str, ...]
    mean: tuple[float, ...]
    scale: tuple[float, ...]
    linear: tuple[float, ...]
    hidden: tuple[tuple[float, ...], ...]
    hidden_bias: tuple[float, ...]
    output: tuple[float, ...]
    nil: float


_WEIGHTS = TypeAdapter(Weights)


class Ranker:
    """A conditional logit over the concepts that a query finds, with NIL among the choices (McFadden 1974).

    With z the standardised features of a concept's name, each at most ``WIDEST`` from 0::

        logit = linear · z + output · tanh(hidden z + hidden_bias)
        p(concept | query) = exp(its best name's logit) / (exp(nil) + Σ over concepts)

    :raises ArtifactError: when the weights do not fit each other or the features of this version.
    """

    def __init__(self, weights: Weights) -> None:
        if weights.features != FEATURES or not len(FEATURES) == len(weights.mean) == len(weights.scale):
            raise ArtifactError(
                "a ranker for other features", expected=", ".join(FEATURES), got=", ".join(weights.features)
            )
        self.weights = weights
        self._mean, self._scale = np.array(weights.mean), np.array(weights.scale)
        self._linear, self._output = np.array(weights.linear), np.array(weights.output)
        self._hidden = np.array(weights.hidden).reshape(len(weights.output), len(weights.features))
        self._hidden_bias = np.array(weights.hidden_bias)

    def logits(self, features: NDArray[np.float64]) -> NDArray[np.float64]:
        """The logit of each row of a feature matrix.

        :param features: *Shape:* (n_rows, n_features), columns in the order of ``FEATURES``.
        :returns: *Shape:* (n_rows,).
        """
        z = self._standardise(features)
        # Column by column: the same sum in the same order for every number of rows, which a matrix product is not.
        hidden = np.broadcast_to(self._hidden_bias, (len(z), len(self._output))).copy()
        linear = np.zeros(len(z))
        for column in range(z.shape[1]):
            hidden += z[:, column, None] * self._hidden[:, column]
            linear += z[:, column] * self._linear[column]
        activated = np.tanh(hidden)
        for unit in range(activated.shape[1]):
            linear += activated[:, unit] * self._output[unit]
        return linear

    def slopes(self, features: NDArray[np.float64]) -> NDArray[np.float64]:
        """The derivative of each row's logit by its features. *Shape:* (n_rows, n_features)."""
        z = self._standardise(features)
        activated = np.tanh(z @ self._hidden.T + self._hidden_bias)
        slopes = (self._linear + ((1 - activated**2) * self._output) @ self._hidden) / self._scale
        return np.asarray(slopes * (np.abs(z) < WIDEST))

    def _standardise(self, features: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(np.clip((features - self._mean) / self._scale, -WIDEST, WIDEST))

    def probabilities(self, logits: Sequence[float]) -> NDArray[np.float64]:
        """The probability of each concept, given the logit of its best name. *Shape:* (n_concepts,), six decimals.

        They sum to what NIL leaves of 1.
        """
        array = np.array([self.weights.nil, *logits])
        exponentials = np.exp(array - array.max())
        return np.asarray(np.round(exponentials[1:] / exponentials.sum(), 6))


def read_ranker(path: Path) -> Ranker:
    """The ranker in a file.

    :raises ArtifactError: when it is missing or damaged.
    """
    try:
        return Ranker(_WEIGHTS.validate_json(path.read_bytes()))
    except (OSError, ValidationError) as error:
        raise ArtifactError("this is no ranker", where=str(path), got=type(error).__name__) from error


def write_ranker(ranker: Ranker, path: Path) -> None:
    """Writes a ranker as :func:`read_ranker` reads it."""
    path.write_text(json.dumps(asdict(ranker.weights), indent=1) + "\n", encoding="utf-8")


@lru_cache(maxsize=4)
def default_ranker(n_towers: int) -> Ranker:
    """The ranker that comes with medlink for encoders of one tower, or of two."""
    return read_ranker(_FOLDER / ("two-towers.json" if n_towers > 1 else "one-tower.json"))


@dataclass(frozen=True, slots=True)
class BestName:
    """A concept by the name of it that matches best.

    :param pair: its row in the ``Features``.
    :param logit: of that row, as the ranker has it.
    :param raised: what is added because the query is this name, or has its words; see :func:`raise_own_names`.
    """

    pair: int
    logit: float
    raised: float


def best_names(query: str, features: Features, ranker: Ranker) -> dict[str, BestName]:
    """The best name of each concept, by concept id; of equal logits the name that comes first."""
    logits = ranker.logits(features.values)
    raised = raise_own_names(query, features, logits, nil=ranker.weights.nil)
    best: dict[str, BestName] = {}
    for pair in np.lexsort((features.rows, -np.round(logits + raised, 6))).tolist():
        best.setdefault(features.concept_ids[pair], BestName(pair, float(logits[pair]), float(raised[pair])))
    return best


def raise_own_names(query: str, features: Features, logits: NDArray[np.float64], *, nil: float) -> NDArray[np.float64]:
    """What each row's logit gains so that a name's own concepts come first, on any ontology and with any encoder.

    Rows with the query's very words, and before them those whose name the query is, are lifted together until the
    least of them is ``LEAD`` ahead of all others and of NIL, or ``ACRONYM_LEAD`` where the query may be an acronym.

    :param logits: *Shape:* (n_pairs,).
    :returns: *Shape:* (n_pairs,), none below 0.
    """
    raised = np.zeros(len(logits))
    lead = LEAD if len(query) > LONGEST_ACRONYM else ACRONYM_LEAD
    for feature in ("same_words", "exact"):
        own = features.values[:, FEATURES.index(feature)] == 1
        if own.any():
            above = (logits + raised)[~own].max(initial=nil) + lead
            raised[own] += max(0.0, above - float((logits + raised)[own].min()))
    return raised


def rank_concepts(
    matches: NameMatches, lexicon: Lexicon, ranker: Ranker, rarity: Rarity, experience: Experience = NOTHING
) -> tuple[Candidate, ...]:
    """The concepts that a query may mean, best first; of equal scores the ontology's own order of trust, then the id.

    Each concept stands once, with its best name.
    """
    features = describe_matches(matches, lexicon, rarity, experience)
    best = best_names(matches.query, features, ranker)
    scores = ranker.probabilities([name.logit + name.raised for name in best.values()]).tolist()
    rows = (int(features.rows[name.pair]) for name in best.values())
    ranked = [
        _candidate(concept_id, row, matches, lexicon, score)
        for (concept_id, row, score) in zip(best, rows, scores, strict=True)
    ]
    return tuple(sorted(ranked, key=lambda candidate: (-candidate.score, *trust(candidate, lexicon))))


def trust(candidate: Candidate, lexicon: Lexicon) -> tuple[int, str]:
    """What orders candidates of one score: among homonyms, who bears the name as its preferred one comes first."""
    row = lexicon.row_of(candidate.matched)
    postings = lexicon.postings(row) if row is not None else ()
    ranks = [posting.name.scope.rank for posting in postings if posting.concept_id == candidate.concept_id]
    return min(ranks, default=len(Scope)), candidate.concept_id


def _candidate(concept_id: str, row: int, matches: NameMatches, lexicon: Lexicon, score: float) -> Candidate:
    dense = float(matches.dense[row])
    return Candidate(
        concept_id=concept_id,
        name=lexicon.concepts[concept_id].name,
        matched=lexicon.names[int(matches.rows[row])],
        lexical=float(matches.lexical[row]),
        dense=None if np.isnan(dense) else dense,
        score=score,
    )

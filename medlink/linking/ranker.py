"""The ranker: from the scores of a matching name to the probability that its concept is meant."""

from __future__ import annotations

from dataclasses import astuple, dataclass

import numpy as np
from numpy.typing import NDArray

from medlink.detection.words import stem
from medlink.linking.candidates import NameMatches
from medlink.ontology.lexicon import Lexicon
from medlink.records import Candidate, Scope
from medlink.text import content_words

FEATURES = ("exact", "lexical", "dense", "same_words", "loose_scope")
_LOOSE = frozenset({Scope.BROAD, Scope.NARROW, Scope.RELATED})


@dataclass(frozen=True, slots=True)
class Ranker:
    """A logistic model over what is known of one matching name; a concept's score is that of its best name.

    ``p(concept | query, name) = 1 / (1 + exp(-(bias + sum_i weight_i * feature_i)))``

    The fields behind ``bias`` are the weights, in the order of ``FEATURES``.

    :param exact: of "the query is this name, letter for letter after normalisation" (0 or 1).
    :param lexical: of the n-gram cosine, in [0, 1].
    :param dense: of the encoder's cosine, in [-1, 1].
    :param same_words: of "the same content words in any order and inflection" (0 or 1).
    :param loose_scope: of "the ontology calls this name broad, narrow or related" (0 or 1).
    """

    bias: float
    exact: float
    lexical: float
    dense: float
    same_words: float
    loose_scope: float

    def score(self, features: NDArray[np.float64]) -> NDArray[np.float64]:
        """Probabilities of the rows of a feature matrix.

        :param features: *Shape:* (n_rows, n_features), columns in the order of ``FEATURES``.
        :returns: *Shape:* (n_rows,), in [0, 1], rounded to six decimals.
        """
        bias, *weights = astuple(self)
        # Column by column: the same sum in the same order for every number of rows, which a matrix product is not.
        logits = bias + sum(weight * features[:, column] for column, weight in enumerate(weights))
        return np.asarray(np.round(1.0 / (1.0 + np.exp(-logits)), 6))


# Fitted by pipelines/fit_ranker.py on the train mentions of NCBI Disease and BC5CDR-disease and the names of MEDIC 2012
# (30,042 rows), which has no scopes: that weight is a guess.
DEFAULT_RANKER = Ranker(bias=-9.62, exact=0.93, lexical=0.0, dense=9.58, same_words=2.23, loose_scope=-0.5)


@dataclass(frozen=True, slots=True)
class Features:
    """What is known of each pair of matching name and concept that bears it.

    :param rows: *Shape:* (n_pairs,), position of the name in the ``NameMatches``.
    :param concept_ids: *Shape:* (n_pairs,).
    :param values: *Shape:* (n_pairs, n_features), columns in the order of ``FEATURES``.
    """

    rows: NDArray[np.int64]
    concept_ids: tuple[str, ...]
    values: NDArray[np.float64]


def describe_matches(matches: NameMatches, lexicon: Lexicon) -> Features:
    """The features of every pair of a matching name and a concept that bears it.

    Where the encoder was not asked, the n-gram cosine stands in for its cosine.
    """
    words = _stems(matches.query)
    dense = np.where(np.isnan(matches.dense), matches.lexical, matches.dense)
    rows: list[int] = []
    concept_ids: list[str] = []
    values: list[tuple[float, ...]] = []
    for row, name_row in enumerate(matches.rows.tolist()):
        name = lexicon.names[name_row]
        same_words = _stems(name) == words
        for posting in lexicon.postings(name_row):
            rows.append(row)
            concept_ids.append(posting.concept_id)
            scope = posting.name.scope in _LOOSE
            values.append((name == matches.query, matches.lexical[row], dense[row], same_words, scope))
    shaped = np.array(values, np.float64).reshape(len(values), len(FEATURES))
    return Features(np.array(rows, np.int64), tuple(concept_ids), shaped)


def _stems(text: str) -> list[str]:
    """What the dictionary compares: content words without inflection, in any order."""
    return sorted(map(stem, content_words(text)))


def rank_concepts(matches: NameMatches, lexicon: Lexicon, ranker: Ranker) -> tuple[Candidate, ...]:
    """The concepts that a query may mean, best first; of equal scores the ontology's own order of trust, then the id.

    Each concept stands once, with its best name.
    """
    features = describe_matches(matches, lexicon)
    scores = ranker.score(features.values)
    best: dict[str, int] = {}
    for pair in np.lexsort((features.rows, -scores)).tolist():
        best.setdefault(features.concept_ids[pair], pair)
    ranked = [_candidate(pair, features, matches, lexicon, float(scores[pair])) for pair in best.values()]
    return tuple(sorted(ranked, key=lambda candidate: (-candidate.score, *_trust(candidate, lexicon))))


def _trust(candidate: Candidate, lexicon: Lexicon) -> tuple[int, str]:
    """Among homonyms, who bears the name as its preferred one comes first."""
    row = lexicon.row_of(candidate.matched)
    postings = lexicon.postings(row) if row is not None else ()
    ranks = [posting.name.scope.rank for posting in postings if posting.concept_id == candidate.concept_id]
    return min(ranks, default=len(Scope)), candidate.concept_id


def _candidate(pair: int, features: Features, matches: NameMatches, lexicon: Lexicon, score: float) -> Candidate:
    row = int(features.rows[pair])
    concept = lexicon.concepts[features.concept_ids[pair]]
    dense = float(matches.dense[row])
    return Candidate(
        concept_id=concept.id,
        name=concept.name,
        matched=lexicon.names[int(matches.rows[row])],
        lexical=float(matches.lexical[row]),
        dense=None if np.isnan(dense) else dense,
        score=score,
    )

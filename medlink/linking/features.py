"""What is known of a query and a name of a concept, as one row of numbers: what the ranker decides by."""

from __future__ import annotations

from dataclasses import dataclass
from math import log

import numpy as np
from numpy.typing import NDArray

from medlink.linking.candidates import NameMatches
from medlink.linking.experience import COLUMNS as LEDGER_COLUMNS
from medlink.linking.experience import NOTHING, Experience
from medlink.linking.wording import Comparison, Rarity, compare, read_wording
from medlink.ontology.aliases import ALIAS
from medlink.ontology.lexicon import Lexicon
from medlink.records import Scope

_LOOSE = frozenset({Scope.BROAD, Scope.NARROW, Scope.RELATED})
# Scores of the indexes: n-gram cosine, the encoder's, and its towers' own.
_SCORES = ("lexical", "dense", "surface", "semantic")
FEATURES = (
    "exact",
    *_SCORES,
    *(f"{score}_behind" for score in _SCORES),
    "support",
    *Comparison._fields,
    "query_words",
    "query_short",
    "name_words",
    "loose_scope",
    "preferred",
    "homonyms",
    "names_of_concept",
    "alias",
    *LEDGER_COLUMNS,
)
"""The columns of a feature row.

``…_behind`` is a score less the best one of all matches, at most 0. ``support`` is the mean of the three best cosines
among the concept's matching names, less the best one of all. Counts are logarithms. ``alias`` and what follows it is
what annotators said: whether the name is a wording of theirs, and :data:`medlink.linking.experience.COLUMNS`; the
rankers that come with medlink make nothing of it, those of releases do.
"""
_N_SUPPORTING = 3


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


def describe_matches(
    matches: NameMatches, lexicon: Lexicon, rarity: Rarity, experience: Experience = NOTHING
) -> Features:
    """The features of every pair of a matching name and a concept that bears it.

    Where the encoder was not asked, the n-gram cosine stands in for its cosines.
    """
    scores = _scores(matches)
    behind = scores - scores.max(axis=0, initial=-1.0)
    query = read_wording(matches.query)
    rows: list[int] = []
    concept_ids: list[str] = []
    values: list[tuple[float, ...]] = []
    about_query = log(len(query.stems)), float(bool(query.acronym))
    for row, (name_row, *own) in enumerate(zip(matches.rows.tolist(), scores.tolist(), behind.tolist(), strict=True)):
        name = lexicon.names[name_row]
        wording = read_wording(name)
        postings = lexicon.postings(name_row)
        shared = (
            float(name == matches.query),
            *own[0],
            *own[1],
            0.0,  # support, which needs all rows
            *compare(query, wording, rarity),
            *about_query,
            log(len(wording.stems)),
        )
        for posting in postings:
            rows.append(row)
            concept_ids.append(posting.concept_id)
            scope = posting.name.scope
            n_names = 1 + len(posting.concept.synonyms)
            bearer = (scope in _LOOSE, scope is Scope.PREFERRED, log(len(postings)), log(n_names))
            said = (float(posting.name.kind == ALIAS), *experience.describe(posting.concept_id))
            values.append((*shared, *map(float, bearer), *said))
    shaped = np.array(values, np.float64).reshape(len(values), len(FEATURES))
    shaped[:, FEATURES.index("support")] = _support(concept_ids, shaped[:, FEATURES.index("dense")])
    return Features(np.array(rows, np.int64), tuple(concept_ids), shaped)


def _scores(matches: NameMatches) -> NDArray[np.float64]:
    """*Shape:* (n_matches, 4), in the order of ``_SCORES``."""
    columns = [matches.lexical, matches.dense, *matches.towers.T]
    return np.asarray(np.stack([np.where(np.isnan(c), matches.lexical, c) for c in columns], axis=1), np.float64)


def _support(concept_ids: list[str], cosines: NDArray[np.float64]) -> NDArray[np.float64]:
    """*Shape:* (n_pairs,)."""
    by_concept: dict[str, list[float]] = {}
    for concept_id, cosine in zip(concept_ids, cosines.tolist(), strict=True):
        by_concept.setdefault(concept_id, []).append(cosine)
    best = {key: sorted(found)[-_N_SUPPORTING:] for key, found in by_concept.items()}
    means = {key: sum(found) / _N_SUPPORTING for key, found in best.items()}
    top = max(means.values(), default=0.0)
    return np.array([means[concept_id] - top for concept_id in concept_ids])

"""Mentions of one document that speak for each other's candidates."""

from __future__ import annotations

from dataclasses import replace
from math import exp

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medlink.linking.context import ContextWeights, gather_choices, rank_together, rest_of
from medlink.linking.ranker import trust
from medlink.ontology.lexicon import Lexicon
from medlink.ontology.source import Ontology
from medlink.records import Candidate, Concept, Name

WEIGHTS = ContextWeights(elsewhere=1.0, acronym=2.0)
CONCEPTS = (
    Concept("D:1", "Myotonic dystrophy", (Name("Dystrophia myotonica"),)),
    Concept("D:2", "Diabetes mellitus", (Name("DM"),)),
    Concept("D:3", "Renal cyst", (Name("RC"),)),
)


@pytest.fixture(scope="module")
def lexicon() -> Lexicon:
    return Lexicon(Ontology(name="toy", title="toy", version="1", licence="", sha256="0" * 64, concepts=CONCEPTS))


def candidate(concept_id: str, score: float) -> Candidate:
    (concept,) = (concept for concept in CONCEPTS if concept.id == concept_id)
    return Candidate(concept_id, concept.name, concept.name.lower(), 1.0, None, score)


def test_an_acronym_means_what_the_document_names_by_any_name_of_those_initials(lexicon: Lexicon) -> None:
    alone = {"dm": (candidate("D:2", 0.6),), "myotonic dystrophy": (candidate("D:1", 0.9),)}
    together = rank_together(alone, lexicon, WEIGHTS)
    joined, own = exp(1.0 * 0.9 + 2.0 * 0.9), 0.6
    assert [c.concept_id for c in together["dm"]] == ["D:1", "D:2"]
    total = joined + own + 0.4
    assert [c.score for c in together["dm"]] == pytest.approx([joined / total, own / total], abs=1e-6)
    assert together["myotonic dystrophy"][0].concept_id == "D:1"


def test_a_homonym_goes_to_the_concept_that_stands_elsewhere(lexicon: Lexicon) -> None:
    alone = {"swelling": (candidate("D:2", 0.45), candidate("D:3", 0.4)), "renal cyst": (candidate("D:3", 0.9),)}
    assert [c.concept_id for c in rank_together(alone, lexicon, WEIGHTS)["swelling"]] == ["D:3", "D:2"]


def test_a_lone_mention_stays_as_it_is(lexicon: Lexicon) -> None:
    alone = {"dm": (candidate("D:2", 0.6),)}
    assert rank_together(alone, lexicon, WEIGHTS) == alone


def test_unsure_mentions_and_long_queries_bring_in_no_concept(lexicon: Lexicon) -> None:
    alone = {"dm": (), "renal cyst": (candidate("D:1", 0.2),), "diabetic": (candidate("D:2", 0.9),)}
    assert gather_choices("renal cyst", {"renal cyst": (), "dm": (candidate("D:2", 0.9),)}, lexicon) == []
    assert [choice.candidate.concept_id for choice in gather_choices("dm", alone, lexicon)] == ["D:2"]
    assert rank_together({"dm": (), "cyst": (candidate("D:3", 0.2),)}, lexicon, WEIGHTS)["dm"] == ()


IDS, SCORES = ("D:1", "D:2", "D:3"), (0.0, 0.1, 0.3, 0.45, 0.45, 0.9)
RANKED = st.permutations(IDS).flatmap(
    lambda ids: st.lists(st.sampled_from(SCORES), max_size=3).map(
        lambda scores: tuple(map(candidate, ids, sorted(scores, reverse=True)))
    )
)
QUERIES = st.sampled_from(["dm", "rc", "renal cyst", "diabetes", "dystrophia myotonica", "x"])


@settings(deadline=None)
@given(alone=st.dictionaries(QUERIES, RANKED))
def test_document_is_ranked_as_each_query_by_its_own_choices(
    lexicon: Lexicon, alone: dict[str, tuple[Candidate, ...]]
) -> None:
    expected = dict(alone)
    for query, candidates in alone.items():
        choices = gather_choices(query, alone, lexicon)
        masses = [exp(choice.log_score + WEIGHTS.logit(choice.evidence)) for choice in choices]
        scored = [
            replace(choice.candidate, score=round(mass / (sum(masses) + rest_of(candidates)), 6))
            for choice, mass in zip(choices, masses, strict=True)
        ]
        if choices:
            expected[query] = tuple(sorted(scored, key=lambda one: (-one.score, *trust(one, lexicon))))
    assert rank_together(alone, lexicon, WEIGHTS) == expected

from __future__ import annotations

from medlink.formats.decision import decide
from medlink.records import Link, Mention
from tests.formats.samples import HEADACHE, SEIZURE

MENTION = Mention("n", 0, 3, "fit")


def test_decide_of_nil_keeps_every_candidate() -> None:
    decision = decide(Link(MENTION, (SEIZURE, HEADACHE), None, "r", "v"))
    assert (decision.is_nil, decision.concept_id, decision.name) == (True, "", "")
    assert decision.score == SEIZURE.score
    assert decision.alternatives == (SEIZURE, HEADACHE)


def test_decide_takes_the_score_of_the_chosen_concept() -> None:
    decision = decide(Link(MENTION, (SEIZURE, HEADACHE), HEADACHE.concept_id, "r", "v"))
    assert (decision.name, decision.score, decision.alternatives) == ("Headache", HEADACHE.score, (SEIZURE,))


def test_decide_of_a_concept_that_is_no_candidate_has_no_name() -> None:
    decision = decide(Link(MENTION, (SEIZURE,), "HP:9", "r", "v"))
    assert (decision.concept_id, decision.name, decision.alternatives) == ("HP:9", "", (SEIZURE,))


def test_decide_without_candidates_has_score_zero() -> None:
    assert decide(Link(MENTION, (), None, "r", "v")).score == 0.0

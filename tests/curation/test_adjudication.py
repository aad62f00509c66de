"""What holds when annotators agree, differ, change their minds, and are adjudicated."""

from __future__ import annotations

from pathlib import Path

import pytest

from medlink.curation.adjudication import NIL, NOT_A_MENTION, Basis, Decision, Policy, decide_spans
from medlink.records import Verdict
from medlink.store.events import Event
from medlink.store.ledger import Ledger
from tests.store.said import START, after, event


def decide(tmp_path: Path, *events: Event, policy: Policy = Policy.ADJUDICATOR, gone: str = "") -> list[Decision]:
    """The decisions of a ledger that was told these events; ``old`` ids lead to ``HP:1``."""
    with Ledger.open(tmp_path / "ledger.sqlite") as ledger:
        with ledger.batch(START) as batch:
            for one in events:
                batch.add(one)
        moved = {"old": "HP:1", gone: None}
        return list(decide_spans(ledger.current(), policy=policy, resolve=lambda key: moved.get(key, key)))


A1, B2, C2 = event("HP:1"), event("HP:2", annotator="bob", time=after(1)), event("HP:2", annotator="cy")
C3 = event("HP:3", annotator="cy", time=after(2))
JUDGE = event("HP:1", annotator="judge", adjudicator=True, time=after(-9))


@pytest.mark.parametrize(
    ("events", "policy", "expected"),
    [
        ([A1], "adjudicator", ("HP:1", "agreement")),
        ([A1, event("HP:1", annotator="bob")], "adjudicator", ("HP:1", "agreement")),
        ([A1, event("old", annotator="bob")], "adjudicator", ("HP:1", "agreement")),
        ([A1, B2], "adjudicator", ("", "conflict")),
        ([A1, B2], "majority", ("", "conflict")),
        ([A1, B2, C2], "adjudicator", ("", "conflict")),
        ([A1, B2, C2], "majority", ("HP:2", "majority")),
        ([A1, B2, C3], "majority", ("", "conflict")),
        ([A1, B2], "latest", ("HP:2", "latest")),
        ([A1, B2, C3], "latest", ("HP:3", "latest")),
        ([A1, B2, C2, JUDGE], "adjudicator", ("HP:1", "adjudicator")),
        ([A1, B2, C2, JUDGE], "majority", ("HP:1", "adjudicator")),
        ([A1, B2, C2, JUDGE], "latest", ("HP:1", "adjudicator")),
        ([A1, JUDGE], "adjudicator", ("HP:1", "agreement")),
        ([A1, event(None, annotator="bob")], "adjudicator", ("", "conflict")),
        ([event(None)], "adjudicator", (NIL, "agreement")),
        ([event(None, verdict=Verdict.MISSED)], "adjudicator", (NIL, "agreement")),
        ([event(None, verdict=Verdict.NOT_A_MENTION)], "adjudicator", (NOT_A_MENTION, "agreement")),
        ([A1, event(None, verdict=Verdict.IGNORE, annotator="bob")], "adjudicator", ("HP:1", "agreement")),
        ([event("lost")], "adjudicator", ("", "gone")),
        ([A1, event("lost", annotator="bob")], "latest", ("", "gone")),
        ([JUDGE, event("lost", annotator="bob")], "adjudicator", ("HP:1", "adjudicator")),
    ],
    ids=range(22),
)
def test_decision(tmp_path: Path, events: list[Event], policy: str, expected: tuple[str, str]) -> None:
    (decision,) = decide(tmp_path, *events, policy=Policy(policy), gone="lost")
    assert (decision.outcome, decision.basis.value) == expected
    assert decision.is_open == (not expected[0])


def test_who_withdraws_with_ignore_says_nothing_any_more(tmp_path: Path) -> None:
    assert decide(tmp_path, A1, event(None, verdict=Verdict.IGNORE, time=after(1))) == []


def test_the_last_adjudicator_decides_between_adjudicators(tmp_path: Path) -> None:
    second = event("HP:4", annotator="chief", adjudicator=True, time=after(3))
    (decision,) = decide(tmp_path, A1, JUDGE, second)
    assert (decision.outcome, decision.basis) == ("HP:4", Basis.ADJUDICATOR)


def test_spans_are_decided_apart(tmp_path: Path) -> None:
    decisions = decide(tmp_path, A1, event("HP:2", start=3, end=6), event("HP:3", doc_id="d0"))
    assert [(d.span.doc_id, d.span.start, d.concept_id) for d in decisions] == [
        ("d0", 4, "HP:3"),
        ("d1", 3, "HP:2"),
        ("d1", 4, "HP:1"),
    ]

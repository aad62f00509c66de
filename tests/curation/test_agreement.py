"""Kappas against the papers' own examples and scikit-learn."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score

from medlink.curation.adjudication import decide_spans
from medlink.curation.agreement import PairAgreement, cohen_kappa, fleiss_kappa, measure_agreement
from medlink.store.events import Event
from medlink.store.ledger import Ledger
from tests.store.said import START, event

LABELS = st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("abc")), min_size=1, max_size=30)
# Fourteen raters, ten items, five categories: how often each item was put in each. The kappa is .210, as
# https://en.wikipedia.org/wiki/Fleiss%27_kappa works out.
COUNTS = (
    (0, 0, 0, 0, 14), (0, 2, 6, 4, 2), (0, 0, 3, 5, 6), (0, 3, 9, 2, 0), (2, 2, 8, 1, 1),
    (7, 7, 0, 0, 0), (3, 2, 6, 3, 0), (2, 5, 3, 2, 2), (6, 5, 2, 1, 0), (0, 2, 2, 3, 7),
)  # fmt: skip


@given(LABELS)
def test_cohen_kappa_is_that_of_scikit_learn(pairs: list[tuple[str, str]]) -> None:
    first, second = (list(labels) for labels in zip(*pairs, strict=True))
    ours = cohen_kappa(first, second)
    if ours is None:
        assert set(first) == set(second)
        assert len(set(first)) == 1
    else:
        assert ours == pytest.approx(cohen_kappa_score(first, second))


@given(LABELS)
def test_fleiss_kappa_of_two_raters_is_scotts_pi(pairs: list[tuple[str, str]]) -> None:
    both = [label for pair in pairs for label in pair]
    expected = sum((both.count(label) / len(both)) ** 2 for label in set(both))
    observed = sum(a == b for a, b in pairs) / len(pairs)
    ours = fleiss_kappa(pairs)
    if len(set(both)) == 1:
        assert ours is None
    else:
        assert ours == pytest.approx((observed - expected) / (1 - expected))


def test_fleiss_kappa_worked_by_hand() -> None:
    # Agreement per item: 1, 1/3, 1/3 (mean 5/9); shares 5/9 and 4/9, so chance is 41/81.
    items = ["aaa", "aab", "bba"]
    shares = ("aaaaabbab".count("a"), 9)
    assert shares == (6, 9)
    expected = (6 / 9) ** 2 + (3 / 9) ** 2
    assert fleiss_kappa(items) == pytest.approx((5 / 9 - expected) / (1 - expected))


def test_fleiss_kappa_of_a_published_example() -> None:
    items = [[label for label, count in zip("abcde", counts, strict=True) for _ in range(count)] for counts in COUNTS]
    assert fleiss_kappa(items) == pytest.approx(0.210, abs=5e-4)


def test_nobody_and_one_label_have_no_kappa() -> None:
    assert fleiss_kappa([]) is None
    assert fleiss_kappa(["aa", "aaa"]) is None
    assert cohen_kappa("aa", "aa") is None


def test_agreement_of_a_ledger(tmp_path: Path) -> None:
    def judged(annotator: str, *concepts: str | None) -> list[Event]:
        return [
            event(concept, annotator=annotator, start=10 * place, end=10 * place + 3)
            for place, concept in enumerate(concepts)
            if concept != ""
        ]

    events = [
        *judged("ann", "HP:1", "HP:1", "HP:2", None, "HP:9"),
        *judged("bob", "HP:1", "HP:2", "HP:2", None, ""),
        *judged("cy", "HP:1", "", "", "", ""),
        event("HP:7", annotator="judge", adjudicator=True, start=10, end=13),
        event("HP:7", annotator="", start=10, end=13),
    ]
    with Ledger.open(tmp_path / "ledger.sqlite") as ledger:
        with ledger.batch(START) as batch:
            for one in events:
                batch.add(one)
        agreement = measure_agreement(decide_spans(ledger.current()))
    assert agreement.n_spans == 4
    by_hand = cohen_kappa(["HP:1", "HP:1", "HP:2", "N"], ["HP:1", "HP:2", "HP:2", "N"])
    assert agreement.pairs == (
        PairAgreement("ann", "bob", 4, 0.75, by_hand),
        PairAgreement("ann", "cy", 1, 1.0, None),
        PairAgreement("bob", "cy", 1, 1.0, None),
    )
    assert by_hand == pytest.approx((0.75 - 5 / 16) / (1 - 5 / 16))
    assert [(c.outcome, c.n_spans) for c in agreement.concepts] == [("HP:1", 2), ("HP:2", 2), ("NIL", 1)]
    items = [["1", "1", "1"], ["1", "2"], ["2", "2"], ["n", "n"]]
    for concept, label in zip(agreement.concepts, "12n", strict=True):
        assert concept.kappa == pytest.approx(fleiss_kappa([[str(one == label) for one in item] for item in items]))

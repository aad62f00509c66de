from __future__ import annotations

from itertools import combinations
from math import log

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medlink.detection.decision import best_disjoint, load_decision
from medlink.detection.evidence import Candidate
from medlink.detection.readings import Kind
from medlink.detection.recogniser import Support

SPANS = st.tuples(st.integers(0, 12), st.integers(1, 5)).map(lambda pair: (pair[0], sum(pair)))
SCORED = st.lists(st.tuples(SPANS, st.floats(0.05, 0.95)), max_size=7)


def _candidate(kind: Kind | None = Kind.EXACT, support: Support | None = None, **settings: float) -> Candidate:
    facts = {"commonness": 3.5, "n_narrower": 0, "n_words": 2, "sure": 1.0} | settings
    return Candidate(0, 9, "", kind, acronym=False, support=support, **facts)  # type: ignore[arg-type]


def _odds(probability: float) -> float:
    return log(probability / (1 - probability))


def _disjoint(spans: list[tuple[int, int]]) -> bool:
    return all(a[1] <= b[0] or b[1] <= a[0] for a, b in combinations(spans, 2))


@given(SCORED, st.floats(0.1, 0.9))
def test_the_kept_spans_gain_as_much_as_any_others(scored: list[tuple[tuple[int, int], float]], keep: float) -> None:
    spans, probabilities = [span for span, _ in scored], [p for _, p in scored]

    def gain(places: tuple[int, ...]) -> float:
        return sum((_odds(probabilities[i]) - _odds(keep)) * (spans[i][1] - spans[i][0]) for i in places)

    kept = tuple(best_disjoint(spans, probabilities, keep=keep))
    assert _disjoint([spans[i] for i in kept])
    assert all(probabilities[i] >= keep for i in kept)
    subsets = (c for n in range(len(spans) + 1) for c in combinations(range(len(spans)), n))
    best = max(gain(c) for c in subsets if _disjoint([spans[i] for i in c]))
    assert gain(kept) == pytest.approx(best, abs=1e-3)


def test_a_longer_span_stays_before_the_short_ones_in_it() -> None:
    assert best_disjoint([(0, 5), (0, 12), (6, 12)], [0.8, 0.8, 0.8], keep=0.5) == [1]


def test_what_is_at_the_threshold_is_kept() -> None:
    assert best_disjoint([(0, 5), (6, 9)], [0.5, 0.49], keep=0.5) == [0]


def test_what_is_written_is_likelier_than_what_is_read() -> None:
    decision = load_decision()
    written = decision.probability(_candidate())
    assert all(decision.probability(_candidate(kind)) < written for kind in Kind if kind is not Kind.EXACT)


def test_common_words_are_less_likely() -> None:
    decision = load_decision()
    assert decision.probability(_candidate(commonness=5.5)) < decision.probability(_candidate())


def test_the_recogniser_counts() -> None:
    decision = load_decision()
    sure, unsure = Support("Disease", 0.95, 0.95, 0.95), Support("Disease", 0.05, 0.05, 0.5)
    for kind in (Kind.EXACT, None):
        assert decision.probability(_candidate(kind, unsure)) < 0.5 < decision.probability(_candidate(kind, sure))

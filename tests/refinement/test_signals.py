from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medlink.refinement.lessons import Lesson, Place
from medlink.refinement.signals import alias_documents, gather_signals
from tests.refinement.tiny_lessons import make_lesson


def lesson(doc_id: str, seq: int, query: str, concept_id: str | None, *, refuted: tuple[str, ...] = ()) -> Lesson:
    changed = bool(refuted)
    made = make_lesson(doc_id, start=seq, query=query, concept_id=concept_id, changed=changed)
    return replace(made, refuted=refuted)


def test_gather_signals_puts_together_what_means_the_same() -> None:
    first, second = gather_signals(
        [
            lesson("a", 5, "fits", "C:1", refuted=("C:9",)),
            lesson("b", 2, "fits", "C:1", refuted=("C:8",)),
            lesson("b", 3, "fits", "C:2"),
        ]
    )
    assert (first.concept_id, first.n, first.seq, first.changed) == ("C:2", 1, 3, False)
    assert (second.concept_id, second.n, second.seq, second.changed) == ("C:1", 2, 5, True)
    assert second.refuted == ("C:8", "C:9")
    assert second.documents == {"a", "b"}


def test_gather_signals_refutes_no_concept_for_itself() -> None:
    (signal,) = gather_signals([lesson("a", 1, "fits", "C:1"), lesson("b", 2, "fits", "C:1", refuted=("C:1", "C:2"))])
    assert signal.refuted == ("C:2",)


def test_gather_signals_takes_the_mean_of_trust_and_leaves_out_what_is_not_believed() -> None:
    lessons = [lesson("a", 1, "fits", "C:1"), lesson("b", 2, "fits", "C:1"), lesson("c", 3, "fits", "C:1")]
    trust = {lessons[0].place: 0.5, lessons[1].place: 0.0}
    (signal,) = gather_signals(lessons, trust=trust)
    assert (signal.n, signal.trust, signal.documents) == (2, 0.75, frozenset({"a", "c"}))


def test_what_is_no_mention_is_no_signal_and_nil_is_one() -> None:
    signals = gather_signals([make_lesson("a", is_mention=False, concept_id=None), make_lesson("b", concept_id=None)])
    assert [(signal.concept_id, signal.documents) for signal in signals] == [(None, frozenset({"b"}))]


LESSONS = st.lists(
    st.tuples(st.sampled_from("abc"), st.sampled_from(["fits", "spells"]), st.sampled_from(["C:1", "C:2", None])),
    max_size=12,
).map(lambda rows: [lesson(doc, seq, query, key) for seq, (doc, query, key) in enumerate(rows)])


@given(st.data(), LESSONS)
def test_signals_count_every_believed_lesson_once_in_whatever_order(data: st.DataObject, lessons: list[Lesson]) -> None:
    shares = st.sampled_from([0.0, 0.25, 0.5, 1.0])
    trust: dict[Place, float] = {one.place: data.draw(shares) for one in lessons}
    signals = gather_signals(lessons, trust=trust)
    assert sum(signal.n for signal in signals) == sum(trust[one.place] > 0 for one in lessons)
    assert sum(signal.n * signal.trust for signal in signals) == pytest.approx(sum(trust.values()))
    assert [signal.seq for signal in signals] == sorted(signal.seq for signal in signals)
    assert gather_signals(data.draw(st.permutations(lessons)), trust=trust) == signals


def test_alias_documents_tells_where_a_wording_means_a_concept() -> None:
    lessons = [
        lesson("a", 1, "fits", "C:1"),
        lesson("b", 2, "fits", "C:1"),
        lesson("b", 3, "fits", "C:2"),
        lesson("c", 4, "fits", None),
    ]
    assert alias_documents(lessons) == {("fits", "C:1"): {"a", "b"}, ("fits", "C:2"): {"b"}}

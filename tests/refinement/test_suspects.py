from __future__ import annotations

from math import comb, exp, lgamma

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medlink.refinement.evidence import Evidence
from medlink.refinement.lessons import Lesson
from medlink.refinement.suspects import USUAL, Suspicion, Tally, likelihood_ratio, suspect
from tests.refinement.tiny_lessons import make_lesson

NEAR = Evidence(2, 0.3, 0.0, named_otherwise=False, n_agreeing=0, n_differing=0)
FAR = Evidence(0, 0.0, 0.7, named_otherwise=True, n_agreeing=0, n_differing=0)


def batch(**n: tuple[int, int]) -> Suspicion:
    """By annotator the number of changed lessons, and how many of them are implausible."""
    lessons: list[Lesson] = []
    evidence: list[Evidence] = []
    for name, (n_lessons, n_far) in n.items():
        annotators = () if name == "nobody" else (name,)
        for row in range(n_lessons):
            lessons.append(make_lesson(f"{name} {row}", annotators=annotators))
            evidence.append(FAR if row < n_far else NEAR)
    return suspect(lessons, evidence)


def names(suspicion: Suspicion) -> list[str]:
    return [finding.annotator for finding in suspicion.suspects]


def test_one_who_always_errs_is_named_and_the_others_are_not() -> None:
    found = batch(ann=(40, 3), bob=(40, 4), cat=(60, 54))
    assert names(found) == ["cat"]
    assert found.batch.is_suspicious
    assert found.suspects[0].wrong == pytest.approx(0.9, abs=0.05)


def test_honest_annotators_are_left_in_peace() -> None:
    found = batch(ann=(60, 4), bob=(30, 3), cat=(1, 1))
    assert names(found) == []
    assert not found.batch.is_suspicious


def test_one_who_has_the_hardest_documents_is_not_named() -> None:
    """Six of sixty stand out beside none of sixty, but so many are usual."""
    assert names(batch(ann=(60, 0), bob=(60, 0), cat=(60, 6))) == []


def test_a_batch_without_names_is_judged_as_a_whole() -> None:
    found = batch(nobody=(100, 60))
    assert found.batch.is_suspicious
    assert found.annotators == ()
    assert not batch(nobody=(100, 10)).batch.is_suspicious


def test_the_chance_is_that_of_the_formula() -> None:
    """The Beta-binomial tail, written out; where all labels are changed the share of those decides."""

    def log_beta(a: float, b: float) -> float:
        return lgamma(a) + lgamma(b) - lgamma(a + b)

    a, b = USUAL
    tail = sum(comb(12, k) * exp(log_beta(k + a, 12 - k + b) - log_beta(a, b)) for k in range(5, 13))
    assert batch(ann=(12, 5)).annotators[0].chance == pytest.approx(tail)


def test_the_chance_beside_others_is_that_of_the_formula() -> None:
    """Fisher's exact test: of 20 changed lessons 6 are implausible, and 5 of those are among cat's 8."""
    tail = sum(comb(6, k) * comb(14, 8 - k) for k in (5, 6)) / comb(20, 8)
    found = {one.annotator: one.chance_beside for one in batch(ann=(12, 1), cat=(8, 5)).annotators}
    assert found["cat"] == pytest.approx(tail)


def test_what_earlier_batches_had_is_usual() -> None:
    lessons, evidence = [make_lesson(f"{row}") for row in range(40)], [FAR] * 20 + [NEAR] * 20
    assert suspect(lessons, evidence).batch.is_suspicious
    assert not suspect(lessons, evidence, before=Tally(90, 200, 200)).batch.is_suspicious


def test_a_far_label_of_a_careful_annotator_is_trusted_more() -> None:
    careful, careless = batch(ann=(50, 1)), batch(ann=(50, 40))
    assert careful.trust[0] > careless.trust[0]
    assert careful.trust[-1] > 0.95
    assert careless.trust[-1] < careful.trust[-1]


def test_unchanged_lessons_are_not_tested() -> None:
    lessons = [make_lesson(f"{row}", changed=False, annotators=("ann",)) for row in range(50)]
    found = suspect(lessons, [FAR] * 50)
    assert (found.batch.tally, found.suspects) == (Tally(0, 0, 50), ())


def test_slips_among_a_good_systems_few_errors_are_no_poison() -> None:
    """Thirty of forty changed labels look bad; but of 600 that were judged in all."""
    changed = [make_lesson(f"c{row}", annotators=("ann",)) for row in range(40)]
    accepted = [make_lesson(f"a{row}", changed=False, annotators=("ann",)) for row in range(560)]
    evidence = [FAR] * 30 + [NEAR] * 10
    assert names(suspect(changed, evidence)) == ["ann"]
    assert names(suspect([*changed, *accepted], evidence + [NEAR] * 560)) == []


def test_suspect_of_nothing_is_nothing() -> None:
    found = suspect([], [])
    assert (len(found.trust), found.annotators, found.batch.is_suspicious) == (0, (), False)


def test_nil_on_a_name_is_implausible_and_on_an_unknown_wording_is_not() -> None:
    lesson = make_lesson("d", concept_id=None)
    named = Evidence(0, 0.1, 0.0, named_otherwise=True, n_agreeing=0, n_differing=0)
    unknown = Evidence(0, 0.8, 0.0, named_otherwise=False, n_agreeing=0, n_differing=0)
    assert likelihood_ratio(lesson, named) > 8 > likelihood_ratio(lesson, unknown)


EVIDENCE = st.builds(
    Evidence, st.integers(0, 20), st.floats(0, 1), st.floats(0, 1), st.booleans(), st.integers(0, 3), st.integers(0, 3)
)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(EVIDENCE, st.booleans(), st.sampled_from(["", "ann", "bob"])), max_size=20), st.randoms())
def test_suspect_does_not_depend_on_the_order(rows: list[tuple[Evidence, bool, str]], random: object) -> None:
    lessons = [
        make_lesson(f"{place}", changed=changed, annotators=(name,) if name else ())
        for place, (_, changed, name) in enumerate(rows)
    ]
    evidence = [row[0] for row in rows]
    order = list(range(len(rows)))
    random.shuffle(order)  # type: ignore[attr-defined]
    one, other = suspect(lessons, evidence), suspect([lessons[i] for i in order], [evidence[i] for i in order])
    assert other.trust.tolist() == pytest.approx(one.trust[order].tolist())
    assert [f.tally for f in one.annotators] == [f.tally for f in other.annotators]
    assert ((one.trust >= 0) & (one.trust <= 1)).all()


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 60), st.data())
def test_more_implausible_labels_never_look_more_honest(n: int, data: st.DataObject) -> None:
    few = data.draw(st.integers(0, n))
    many = data.draw(st.integers(few, n))
    assert batch(ann=(n, many)).batch.chance <= batch(ann=(n, few)).batch.chance + 1e-12

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medlink.evaluation.corpora import read_corpus
from medlink.linking.linker import Linker
from medlink.ontology.lexicon import Lexicon
from medlink.refinement.guard import (
    CaseSet,
    Way,
    corpus_cases,
    correction_cases,
    is_guarded,
    lesson_cases,
    ontology_cases,
    split_lessons,
)
from medlink.refinement.measuring import ask, measure, name_pairs
from medlink.text import normalise
from tests.evaluation.tiny_corpus import write_pubtator
from tests.refinement.tiny_lessons import make_lesson


def test_is_guarded_is_for_ever() -> None:
    """A document that is guarded today and trained on tomorrow would judge what was learned from it."""
    guarded = [number for number in range(60) if is_guarded(f"note-{number}")]
    assert guarded == [6, 11, 17, 19, 25, 32, 42]


@given(st.text(), st.floats(0, 1), st.floats(0, 1))
def test_a_larger_share_guards_all_of_a_smaller_one(doc_id: str, one: float, other: float) -> None:
    small, large = sorted((one, other))
    assert is_guarded(doc_id, share=large) >= is_guarded(doc_id, share=small)


def test_is_guarded_takes_the_share() -> None:
    n_guarded = sum(is_guarded(str(number)) for number in range(20_000))
    assert n_guarded / 20_000 == pytest.approx(0.1, abs=0.01)
    assert not is_guarded("x", share=0)
    assert is_guarded("x", share=1)


@given(st.lists(st.sampled_from([f"note-{number}" for number in range(30)]), max_size=40))
def test_split_lessons_keeps_documents_whole_and_loses_none(doc_ids: list[str]) -> None:
    lessons = [make_lesson(doc_id, start=10 * seq) for seq, doc_id in enumerate(doc_ids)]
    training, guard = split_lessons(lessons)
    assert not {one.place[0] for one in training} & {one.place[0] for one in guard}
    assert sorted([*training, *guard], key=lambda one: one.place[1]) == lessons


def test_lesson_cases_ask_for_concepts_and_nil_but_not_for_what_is_no_mention() -> None:
    cases = lesson_cases(
        [
            make_lesson("d", concept_id="HP:0001250"),
            make_lesson("d", start=9, concept_id=None),
            make_lesson("d", start=20, concept_id=None, is_mention=False),
        ]
    )
    assert [(case.place[1], case.gold) for case in cases.cases] == [(0, frozenset({"HP:0001250"})), (9, frozenset())]


def test_correction_cases_are_what_was_changed() -> None:
    kept = correction_cases([make_lesson("d", changed=False), make_lesson("d", start=9, changed=True)])
    assert [case.place[1] for case in kept.cases] == [9]


def test_corpus_cases_take_any_part_and_retired_ids(tmp_path: Path, tiny_lexicon: Lexicon) -> None:
    found = corpus_cases("gold", read_corpus([write_pubtator(tmp_path)], "pubtator"), tiny_lexicon)
    by_query = {case.query: case.gold for case in found.cases}
    assert by_query["seizures"] == {"HP:0001250"}
    assert by_query["enlarged kidneys and cysts"] == {"HP:0000105", "HP:0000107"}


def test_ontology_cases_are_the_same_each_time_and_mean_their_concepts(tiny_lexicon: Lexicon) -> None:
    part = ontology_cases(tiny_lexicon)
    assert part == ontology_cases(tiny_lexicon)
    assert part.cases
    for case in part.cases:
        assert {posting.concept_id for posting in tiny_lexicon.lookup(case.query)} == case.gold
        others = {normalise(name.text) for key in case.gold for name in tiny_lexicon.concepts[key].names}
        assert others - {case.query}


def test_ontology_cases_of_fewer_names_are_the_first_of_those_of_more(tiny_lexicon: Lexicon) -> None:
    assert ontology_cases(tiny_lexicon, n_names=3).cases == ontology_cases(tiny_lexicon).cases[:3]


def test_a_hidden_name_is_not_found_by_itself(linker: Linker) -> None:
    cases = ontology_cases(linker.lexicon).cases
    for matches in linker.find(sorted({case.query for case in cases}), own_names=False):
        assert matches.query not in {linker.lexicon.names[row] for row in matches.rows.tolist()}


def test_ask_answers_as_the_linker_does(linker: Linker) -> None:
    lessons = [
        make_lesson("d1", query="seizure", concept_id="HP:0001250"),
        make_lesson("d1", start=20, query="kidney cysts", concept_id="HP:0001250"),
        make_lesson("d2", query="xyzzy plugh", concept_id=None),
    ]
    outcomes = ask(linker, lesson_cases(lessons))
    ranked = [*linker.rank_document(["seizure", "kidney cysts"]), *linker.rank_document(["xyzzy plugh"])]
    for answer, found in zip(outcomes.answers, ranked, strict=True):
        best = found[0]
        assert answer == (best.concept_id if best.score >= linker.settings.threshold else None)
    assert outcomes.right.tolist() == [
        answer == lesson.concept_id for answer, lesson in zip(outcomes.answers, lessons, strict=True)
    ]
    assert outcomes.score[0] == ranked[0][0].score
    assert ((outcomes.score >= 0) & (outcomes.score <= 1)).all()


def test_ask_does_not_depend_on_the_order_of_the_cases(linker: Linker) -> None:
    queries = ("seizure", "cysts of the kidney", "deaf", "large kidneys")
    lessons = [make_lesson(f"d{place % 2}", start=10 * place, query=query) for place, query in enumerate(queries)]
    one, other = ask(linker, lesson_cases(lessons)), ask(linker, lesson_cases(reversed(lessons)))
    assert (one.cases, one.answers, one.score.tolist()) == (other.cases, other.answers, other.score.tolist())


def test_measure_leaves_out_what_is_empty(linker: Linker) -> None:
    measured = measure(linker, [CaseSet("empty", Way.DOCUMENT, ()), ontology_cases(linker.lexicon)], lesson_cases([]))
    assert list(measured.guard) == ["ontology"]
    assert measured.corrections is None
    assert measured.vectors.names.shape == measured.vectors.siblings.shape


def test_name_pairs_are_two_names_of_a_concept(tiny_lexicon: Lexicon) -> None:
    pairs = name_pairs(tiny_lexicon, 4)
    assert len(pairs) == 4
    for one, other in pairs:
        assert one != other
        bearers = [{posting.concept_id for posting in tiny_lexicon.lookup(name)} for name in (one, other)]
        assert bearers[0] & bearers[1]

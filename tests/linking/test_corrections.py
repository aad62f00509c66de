"""Corrections count at once: confirmed concepts come first, rejected ones go, everything else stays as it was."""

from __future__ import annotations

import pickle
from dataclasses import replace
from typing import Any

import pytest

from medlink.linking.assemble import make_annotator
from medlink.linking.corrections import AT_PLACE, Corrections
from medlink.linking.explain import explain_query
from medlink.linking.linker import Linker
from medlink.linking.recipe import Recipe
from medlink.linking.settings import LinkerSettings
from medlink.records import Candidate, Document, Link, Mention, Ruling
from medlink.text import wording_key
from tests.store.said import START

ATTACK, CYST, SEIZURE = "HP:0001658", "HP:0000107", "HP:0001250"


def ruling(surface: str, concept_id: str | None, **fields: Any) -> Ruling:
    values: dict[str, Any] = {"key": wording_key(surface), "rejected": (), "place": None, "section": ""}
    values |= {"n_mentions": 2, "n_documents": 1, "annotators": ("ann",), "last": START}
    return Ruling(surface=surface, concept_id=concept_id, **(values | fields))


def corrected(linker: Linker, *rulings: Ruling, **settings: Any) -> Linker:
    return replace(linker, corrections=Corrections(rulings), settings=replace(linker.settings, **settings))


def link(linker: Linker, surface: str, **fields: Any) -> Link:
    (found,) = linker.link([Mention("note", 0, len(surface), surface, **fields)])
    return found


def test_confirmed_concept_comes_first_by_the_rule_of_succession(linker: Linker) -> None:
    found = link(corrected(linker, ruling("heart attack", CYST)), "Heart  Attack".replace("  ", " "))
    assert found.concept_id == CYST
    assert found.candidates[0].score == 0.75
    assert sum(candidate.score for candidate in found.candidates) <= 1.0 + 1e-5
    before = [c.concept_id for c in link(linker, "heart attack").candidates if c.concept_id != CYST]
    after = [c.concept_id for c in found.candidates[1:]]
    assert after == before[: len(after)]


def test_confirmed_concept_that_nothing_finds_is_an_alias_now(linker: Linker) -> None:
    corrections = Corrections((ruling("funny turn", SEIZURE),))
    found = corrections.apply(Mention("note", 0, 10, "Funny turn"), (), linker.lexicon, threshold=0.4)
    assert found is not None
    assert found.candidates == (Candidate(SEIZURE, "Seizure", "Funny turn", 1.0, None, 0.75),)


def test_rejected_concept_is_out(linker: Linker) -> None:
    assert link(linker, "renal cyst").concept_id == CYST
    found = link(corrected(linker, ruling("renal cyst", None, rejected=(CYST,)), top_k=20), "renal cyst")
    assert found.concept_id is None
    assert {c.concept_id: c.score for c in found.candidates}[CYST] == 0.0
    moved = link(corrected(linker, ruling("renal cyst", SEIZURE, rejected=(CYST,))), "renal cyst")
    assert moved.concept_id == SEIZURE


@pytest.mark.parametrize("threshold", [0.0, 0.9, 1.0])
def test_decisions_hold_at_every_threshold(linker: Linker, threshold: float) -> None:
    rulings = (ruling("renal cyst", SEIZURE), ruling("heart attack", None, rejected=(ATTACK,)))
    strict = corrected(linker, *rulings, threshold=threshold)
    found = link(strict, "renal cyst")
    assert found.concept_id == SEIZURE
    assert found.score >= threshold
    assert link(strict, "heart attack").concept_id is None


def test_no_ruling_changes_nothing(linker: Linker) -> None:
    other = corrected(linker, ruling("heart attack", CYST), ruling("MI", CYST))
    for surface in ("renal cyst", "seizures", "mi", "xyz"):
        assert link(other, surface) == link(linker, surface)


def test_place_stands_above_section_above_wording(linker: Linker) -> None:
    rulings = (
        ruling("heart attack", CYST),
        ruling("heart attack", SEIZURE, section="family history"),
        ruling("heart attack", None, place=("note", 0, 12)),
    )
    mention = Mention("note", 0, 12, "heart attack", section="Family History")
    linker = corrected(linker, *rulings)
    elsewhere = [replace(mention, start=5, end=17), replace(mention, doc_id="n2", section="Exam")]
    assert [found.concept_id for found in linker.link([mention, *elsewhere])] == [None, SEIZURE, CYST]


def test_name_of_several_concepts_needs_two_documents(linker: Linker) -> None:
    name = next(name for row, name in enumerate(linker.lexicon.names) if len(linker.lexicon.postings(row)) > 1)
    before = link(linker, name)
    other = next(key for key in (ATTACK, CYST, SEIZURE) if key != before.concept_id)
    assert link(corrected(linker, ruling(name, other)), name) == before
    assert link(corrected(linker, ruling(name, other, n_documents=2)), name).concept_id == other
    assert link(corrected(linker, ruling(name, other, place=("note", 0, len(name)))), name).concept_id == other


def test_place_with_another_surface_is_another_text(linker: Linker) -> None:
    rulings = (ruling("renal cysts", SEIZURE, place=("note", 0, 11)),)
    assert link(corrected(linker, *rulings), "kidney cyst").concept_id == CYST


def test_decided_mention_is_nearly_certain(linker: Linker) -> None:
    found = link(corrected(linker, ruling("renal cyst", SEIZURE, place=("note", 0, 10))), "renal cyst")
    assert found.candidates[0].score == AT_PLACE


def test_the_long_form_decides_for_an_abbreviation(linker: Linker) -> None:
    found = link(corrected(linker, ruling("renal cyst", SEIZURE)), "RC", expanded="renal cyst")
    assert found.concept_id == SEIZURE


def test_concept_that_moved_is_followed_and_one_that_is_gone_is_not(linker: Linker) -> None:
    assert link(corrected(linker, ruling("heart attack", "HP:0004733")), "heart attack").concept_id == CYST
    assert link(corrected(linker, ruling("heart attack", "HP:0009006")), "heart attack").concept_id == ATTACK


def test_explanation_says_who_decided_and_what_the_ranker_said(linker: Linker) -> None:
    explanation = explain_query("renal cyst", corrected(linker, ruling("renal cyst", SEIZURE, rejected=(CYST,))))
    assert explanation.concept_id == SEIZURE
    assert explanation.candidates[0].concept_id == SEIZURE
    assert explanation.reasons[0] == (
        "Annotators decided that “renal cyst” means HP:0001250 Seizure: 2 mentions in 1 document, by ann, last on "
        "2026-01-05."
    )
    assert explanation.reasons[1] == "They rejected HP:0000107 Renal cyst."
    assert explanation.reasons[2].startswith("Without them: HP:0000107 by its name")
    nil = explain_query("renal cyst", corrected(linker, ruling("renal cyst", None)))
    assert "is no concept here" in nil.reasons[0]
    assert explain_query("xyz qq", corrected(linker, ruling("xyz qq", SEIZURE))).concept_id == SEIZURE


def test_missed_wording_is_found_in_notes(linker: Linker, recipe: Recipe) -> None:
    text = "She had funny turns in May, and an ALL OVER rash."
    confirmed = corrected(linker, ruling("funny turns", SEIZURE))
    (plain,) = make_annotator(recipe, linker).annotate([Document("n", text)])
    (found,) = make_annotator(recipe, confirmed).annotate([Document("n", text)])
    assert [one.mention.surface for one in plain.links] == []
    assert [(one.mention.surface, one.concept_id) for one in found.links] == [("funny turns", SEIZURE)]


def test_description_of_a_run_names_no_wording_and_tells_corrections_apart() -> None:
    first, second = Corrections((ruling("SECRET", CYST),)), Corrections((ruling("SECRET", SEIZURE),))
    assert "SECRET" not in repr(Recipe("x", corrections=first))  # type: ignore[arg-type]
    assert repr(first) != repr(second)
    assert pickle.loads(pickle.dumps(first)) == first  # noqa: S301 - what workers are sent


def test_settings_still_apply(linker: Linker) -> None:
    found = link(corrected(linker, ruling("renal cyst", SEIZURE), **{"top_k": 1}), "renal cyst")
    assert len(found.candidates) == LinkerSettings(top_k=1).top_k

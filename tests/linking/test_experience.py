"""What annotators said counts at once: as names, and in what is known of concepts."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from math import log, log1p

import pytest

from medlink.linking.assemble import load_annotator, load_index, load_lexicon, make_annotator, make_linker
from medlink.linking.corrections import Corrections
from medlink.linking.experience import COLUMNS, NOTHING, Experience
from medlink.linking.explain import explain_query
from medlink.linking.linker import Linker
from medlink.linking.recipe import Recipe
from medlink.ontology.lexicon import Lexicon
from medlink.records import Document, Ruling
from medlink.text import normalise, wording_key

SEIZURE, CYST, LARGE_KIDNEY = "HP:0001250", "HP:0000107", "HP:0000105"


def ruling(doc_id: str, surface: str, concept_id: str | None, *, start: int = 0, overruled: str = "") -> Ruling:
    """What was decided on one mention."""
    return Ruling(
        surface=surface,
        key=wording_key(surface),
        concept_id=concept_id,
        rejected=(overruled,) if overruled else (),
        place=(doc_id, start, start + len(surface)),
        section="",
        n_mentions=1,
        n_documents=1,
        annotators=("ann",),
        last=datetime(2026, 1, 5, tzinfo=UTC),
        query=normalise(surface),
        overruled=overruled,
    )


def corrected(recipe: Recipe, *rulings: Ruling) -> Linker:
    lexicon = load_lexicon(recipe)
    return make_linker(replace(recipe, corrections=Corrections(rulings)), lexicon, load_index(lexicon, recipe))


def test_experience_counts_mentions_and_documents() -> None:
    experience = Experience.of(
        [
            ruling("a", "fits", SEIZURE, overruled=CYST),
            ruling("a", "fits", SEIZURE, start=9),
            ruling("b", "spell", SEIZURE),
            ruling("b", "lump", None, overruled=CYST),
            replace(ruling("c", "fits", SEIZURE), place=None),
        ]
    )
    assert dict(zip(COLUMNS, experience.describe(SEIZURE), strict=True)) == pytest.approx(
        {"confirmed": log(4), "known": 1, "documents": log(3), "overruled": 0, "trusted": 0}
    )
    assert dict(zip(COLUMNS, experience.describe(CYST), strict=True)) == pytest.approx(
        {"confirmed": 0, "known": 0, "documents": 0, "overruled": log1p(2), "trusted": -log(3)}
    )
    assert experience.describe(LARGE_KIDNEY) == NOTHING.describe(LARGE_KIDNEY) == (0.0,) * len(COLUMNS)


def test_experience_without_documents_is_that_of_the_others() -> None:
    rulings = [ruling("a", "fits", SEIZURE, overruled=CYST), ruling("b", "spell", SEIZURE)]
    experience = Experience.of(rulings)
    assert experience.describe(SEIZURE)[0] == pytest.approx(log(3))
    alone = Experience.of(rulings[1:])
    for key in (SEIZURE, CYST):
        assert experience.without({"a"}).describe(key) == alone.describe(key)
    assert experience.without({"a", "b"}).describe(SEIZURE) == NOTHING.describe(SEIZURE)
    assert experience.describe(SEIZURE)[0] == pytest.approx(log(3)), "the whole is as it was"


def test_aliases_are_the_decided_wordings_that_are_no_name_of_their_concept(tiny_lexicon: Lexicon) -> None:
    corrections = Corrections(
        (
            ruling("a", "Fits", SEIZURE),
            ruling("b", "fits", SEIZURE),
            ruling("b", "Renal cyst", CYST),
            ruling("c", "Renal cyst", LARGE_KIDNEY),
            ruling("c", "fits", LARGE_KIDNEY),
            ruling("d", "lump", None),
            ruling("d", "old one", "HP:0001275"),
            ruling("e", "gone", "HP:9999999"),
        )
    )
    assert corrections.aliases(tiny_lexicon) == (
        ("fits", LARGE_KIDNEY),
        ("fits", SEIZURE),
        ("old one", SEIZURE),
        ("renal cyst", LARGE_KIDNEY),
    )


def test_aliases_count_at_once_for_wordings_that_are_near(recipe: Recipe, linker: Linker) -> None:
    taught = corrected(recipe, ruling("a", "grand mal attacks", SEIZURE))
    (before,), (after,) = linker.rank(["grand mal attack"]), taught.rank(["grand mal attack"])
    assert after[0].concept_id == SEIZURE
    assert after[0].matched == "grand mal attacks"
    assert {one.concept_id: one.score for one in after}[SEIZURE] > {one.concept_id: one.score for one in before}.get(
        SEIZURE, 0.0
    )
    assert taught.lexicon.names[: len(linker.lexicon.names)] == linker.lexicon.names


def test_contradictory_aliases_are_names_of_both(recipe: Recipe) -> None:
    taught = corrected(recipe, ruling("a", "swollen one", CYST), ruling("b", "swollen one", LARGE_KIDNEY))
    (ranked,) = taught.rank(["swollen one"])
    both = {one.concept_id for one in ranked if one.matched == "swollen one"}
    assert both == {CYST, LARGE_KIDNEY}
    postings = taught.lexicon.lookup("swollen one")
    assert {posting.concept_id for posting in postings} == both


def test_contradictory_aliases_are_not_found_in_notes(recipe: Recipe) -> None:
    rulings = (
        ruling("a", "swollen one", CYST),
        ruling("b", "swollen one", LARGE_KIDNEY),
        ruling("a", "grand mal attacks", SEIZURE, start=50),
        replace(ruling("a", "grand mal attacks", SEIZURE), place=None),
    )
    taught = replace(recipe, corrections=Corrections(rulings))
    annotator = make_annotator(taught, corrected(recipe, *rulings))
    (found,) = annotator.annotate([Document("note", "Grand mal attacks, and a swollen one, and a renal cyst.")])
    assert [link.mention.surface for link in found.links] == ["Grand mal attacks", "renal cyst"]
    assert found.links[0].concept_id == SEIZURE
    (plain,) = load_annotator(recipe).annotate([Document("note", "Grand mal attacks, and a renal cyst.")])
    assert [link.mention.surface for link in plain.links] == ["renal cyst"]


def test_explain_shows_an_alias_as_what_matched(recipe: Recipe) -> None:
    taught = corrected(recipe, ruling("a", "grand mal attacks", SEIZURE))
    explained = explain_query("grand mal attack", taught)
    assert explained.concept_id == SEIZURE
    assert explained.candidates[0].matched == "grand mal attacks"

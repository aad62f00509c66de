from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from medlink.linking.linker import Linker
from medlink.linking.recipe import Recipe
from medlink.refinement.material import Example
from medlink.refinement.settings import RefineSettings
from tests.refinement.tiny_teaching import (
    CYST,
    LARGE_KIDNEY,
    PALATE,
    QUICK,
    SEIZURE,
    TAUGHT,
    Prepared,
    Said,
    prepare,
    taught_linker,
)
from tests.tiny_release import pushing_adapter


def example_of(prepared: Prepared, query: str) -> Example:
    place = prepared.material.wordings.texts.index(query)
    (found,) = [one for one in prepared.material.lessons if one.text == place]
    return found


def names_of(prepared: Prepared, rows: tuple[int, ...] | frozenset[int]) -> set[str]:
    return {prepared.parent.lexicon.names[row] for row in rows}


def test_every_signal_with_a_concept_gives_a_lesson(prepared: Prepared) -> None:
    material = prepared.material
    assert len(material.lessons) == len([signal for signal in prepared.signals if signal.concept_id])
    assert "the left one" not in material.wordings.texts
    vectors = prepared.parent.encoder.encode(material.wordings.texts)
    np.testing.assert_array_equal(material.wordings.vectors.numpy(), vectors)


def test_positives_are_names_that_the_lessons_own_documents_did_not_teach(prepared: Prepared) -> None:
    fits = example_of(prepared, "fits")
    assert names_of(prepared, fits.positives) == {"seizure", "epileptic seizure", "seizures", "epilepsy"}
    assert prepared.parent.lexicon.names[fits.own] == "fits"


def test_what_other_documents_taught_is_a_positive(pair_recipe: Recipe) -> None:
    said = (*TAUGHT, Said("d9", "funny turn", SEIZURE))
    prepared = prepare(taught_linker(pair_recipe, said), said)
    assert "funny turn" in names_of(prepared, example_of(prepared, "fits").positives)
    assert "fits" in names_of(prepared, example_of(prepared, "funny turn").positives)
    assert "funny turn" not in names_of(prepared, example_of(prepared, "funny turn").positives)


def test_a_name_of_the_ontology_that_is_corrected_to_another_concept_does_not_attract_itself(
    prepared: Prepared,
) -> None:
    cyst = example_of(prepared, "renal cyst")
    assert names_of(prepared, cyst.positives) == {"enlarged kidney", "nephromegaly", "large kidneys"}


def test_refuted_names_come_first_and_are_the_nearest_of_their_concept(prepared: Prepared) -> None:
    fits = example_of(prepared, "fits")
    assert set(fits.negatives[: len(fits.refuted)]) == fits.refuted
    assert len(fits.refuted) == 3
    palate = prepared.ground.rows_of[prepared.ground.code_of[PALATE]]
    vector = prepared.parent.query_encoder.encode(["fits"])[0]
    scores = prepared.parent.index.dense.score(vector, np.array(palate))
    assert fits.negatives[:3] == tuple(np.array(palate)[np.argsort(-scores, kind="stable")[:3]])


def test_nothing_is_refuted_where_humans_weigh_nothing(parent: Linker) -> None:
    prepared = prepare(parent, settings=QUICK.model_copy(update={"human_weight": 0.0}))
    assert not any(one.refuted for one in prepared.material.lessons)


def test_kin_and_other_meanings_are_never_negatives(pair_recipe: Recipe) -> None:
    # Annotators call "fits" a seizure and a cleft palate: neither repels it, nor do their kin.
    said = (*TAUGHT, Said("d6", "fits", PALATE, SEIZURE))
    prepared = prepare(taught_linker(pair_recipe, said), said)
    ground, lexicon = prepared.ground, prepared.parent.lexicon
    place = prepared.material.wordings.texts.index("fits")
    both = [one for one in prepared.material.lessons if one.text == place]
    assert len(both) == 2
    meant = {SEIZURE, PALATE}
    kin = {key for one in meant for key in lexicon.ancestors(one) | lexicon.descendants(one)}
    for one in both:
        bearers = {ground.ids[code] for row in one.negatives for code in ground.codes[row]}
        assert bearers.isdisjoint(meant | kin)
        assert not one.refuted, "what it means elsewhere is not refuted"
    for one in (*prepared.material.lessons, *prepared.material.replay):
        assert one.own not in one.negatives
        assert all(ground.codes[row].isdisjoint(one.spared) for row in one.negatives)


def test_lineage_repels_where_it_is_not_spared(parent: Linker) -> None:
    def confused(settings: RefineSettings) -> set[str]:
        prepared = prepare(parent, settings=settings)
        rows = example_of(prepared, "renal cyst").negatives
        return {prepared.ground.ids[code] for row in rows for code in prepared.ground.codes[row]}

    wide = QUICK.model_copy(update={"depth": 60})
    assert "HP:0012210" not in confused(wide)
    assert "HP:0012210" in confused(wide.model_copy(update={"spare_lineage": False}))


def test_replay_is_half_of_what_lessons_are_confused_with(prepared: Prepared) -> None:
    replay, lessons = prepared.material.replay, prepared.material.lessons
    assert len(replay) == QUICK.n_pool
    confused = {code for one in lessons for row in one.negatives[:3] for code in prepared.ground.codes[row]}
    half = round(QUICK.n_pool * QUICK.confusable_share)
    assert {one.code for one in replay[:half]} <= confused
    for one in replay:
        assert one.text == one.own
        assert one.code in prepared.ground.codes[one.text]
        assert one.text not in one.positives
        assert all(one.code in prepared.ground.codes[row] for row in one.positives)


def test_no_pool_gives_no_replay(parent: Linker) -> None:
    material = prepare(parent, settings=QUICK.model_copy(update={"n_pool": 0})).material
    assert material.replay == ()
    assert material.draw_replay(8, np.random.default_rng(0)) == []


def test_material_follows_from_the_seed(parent: Linker, prepared: Prepared) -> None:
    again, other = prepare(parent), prepare(parent, settings=QUICK.model_copy(update={"seed": 1}))
    assert again.material.lessons == prepared.material.lessons
    assert again.material.replay == prepared.material.replay
    assert other.material.lessons == prepared.material.lessons
    assert other.material.replay != prepared.material.replay


@pytest.mark.parametrize(("share", "n_new"), [(0.0, 0), (0.5, 10), (1.0, 20)])
def test_draw_lessons_keeps_the_share_of_the_batch(parent: Linker, share: float, n_new: int) -> None:
    material = prepare(parent, since=5).material
    new = {one for one, is_new in zip(material.lessons, material.new, strict=True) if is_new}
    assert 0 < len(new) < len(material.lessons)
    drawn = material.draw_lessons(20, share, np.random.default_rng(0))
    assert len(drawn) == 20
    assert sum(one in new for one in drawn) == n_new


@pytest.mark.parametrize("since", [-1, 100], ids=["all new", "none new"])
def test_draw_lessons_fills_up_with_what_there_is(parent: Linker, since: int) -> None:
    material = prepare(parent, since=since).material
    assert len(material.draw_lessons(20, 0.5, np.random.default_rng(0))) == 20


def test_lessons_are_drawn_by_the_root_of_their_mentions_and_their_trust(prepared: Prepared) -> None:
    weights = dict(zip(prepared.material.lessons, prepared.material.weights.tolist(), strict=True))
    assert weights[example_of(prepared, "fits")] == pytest.approx(2**0.5)
    assert weights[example_of(prepared, "big kidneys")] == 1.0


def test_a_concept_that_the_ontology_lacks_teaches_nothing(parent: Linker) -> None:
    said = (*TAUGHT, Said("d7", "spots", "HP:9999999"))
    material = prepare(parent, said).material
    assert "spots" not in material.wordings.texts


def test_ground_knows_who_taught_a_name(prepared: Prepared) -> None:
    ground, lexicon = prepared.ground, prepared.parent.lexicon
    fits, cyst = lexicon.row_of("fits"), lexicon.row_of("renal cyst")
    assert fits is not None
    assert cyst is not None
    seizure, kidney, own = (ground.code_of[key] for key in (SEIZURE, LARGE_KIDNEY, CYST))
    assert ground.known_from(fits, seizure, frozenset({"d1", "d2"}))
    assert not ground.known_from(fits, seizure, frozenset({"d1"}))
    assert ground.only_taught_by(fits, frozenset({"d1", "d2", "d3"}))
    assert ground.known_from(cyst, kidney, frozenset({"d3"}))
    assert not ground.known_from(cyst, own, frozenset({"d3"}))
    assert not ground.only_taught_by(cyst, frozenset({"d3"}))


def test_queries_are_sought_as_the_parents_adapter_has_them(parent: Linker, prepared: Prepared) -> None:
    moved = prepare(replace(parent, adapter=pushing_adapter()))
    assert moved.material.wordings.vectors.equal(prepared.material.wordings.vectors)
    assert [one.negatives for one in moved.material.lessons] != [one.negatives for one in prepared.material.lessons]

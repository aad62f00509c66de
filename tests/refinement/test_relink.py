"""Linking again from the log gives what linking the notes would, and says why it differs from before."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from medlink.errors import SettingError, StoreError, UnknownNameError
from medlink.linking.assemble import describe_run, load_linker
from medlink.linking.corrections import Corrections
from medlink.linking.linker import DEPTH, Linker
from medlink.linking.recipe import Recipe
from medlink.linking.settings import LinkerSettings
from medlink.records import Document, LinkedDocument, Mention, Ruling
from medlink.refinement.change_files import write_change_lines, write_change_table
from medlink.refinement.changes import Cause, Change, ReviewLimits, Tally
from medlink.refinement.precedents import Precedent, group_lessons
from medlink.refinement.ranking_table import RankingTable
from medlink.refinement.relink import Relinker
from medlink.store.link_log import LinkLog
from medlink.store.logged import LoggedDocument, outcome_of
from medlink.store.workspace import Workspace
from tests.linking.test_corrections import ATTACK, CYST, SEIZURE, ruling
from tests.refinement.test_precedents import lesson
from tests.store.said import START
from tests.tiny_encoder import write_tiny_encoder

SURFACES = ("renal cyst", "RC", "MR", "MI", "heart attack", "Renal cystt", "Febrile fit", "°", "deaf", "mitral regurg")


def note(doc_id: str, *surfaces: str, section: str = "") -> list[Mention]:
    starts = [20 * place for place in range(len(surfaces))]
    return [
        Mention(doc_id, start, start + len(surface), surface, section=section)
        for start, surface in zip(starts, surfaces, strict=True)
    ]


def record(recipe: Recipe, linker: Linker, *notes: Sequence[Mention]) -> None:
    links = iter(linker.link([mention for mentions in notes for mention in mentions]))
    with LinkLog.open(Workspace(recipe.workspace).link_log) as log:
        recorder = log.recorder(describe_run(recipe), START)
        for mentions in notes:
            recorder.add(LinkedDocument(Document(mentions[0].doc_id, ""), tuple(next(links) for _ in mentions)))
        recorder.flush()


def relink(
    recipe: Recipe,
    *,
    precedents: Sequence[Precedent] = (),
    apply: bool = False,
    n_workers: int = 1,
    limits: ReviewLimits | None = None,
) -> tuple[list[Change], Tally]:
    tally = Tally()
    relinker = Relinker(recipe, precedents, limits or ReviewLimits(), n_workers=n_workers)
    with LinkLog.open(Workspace(recipe.workspace).link_log) as log:
        relinking = log.relinking()
        changes = list(relinker.changes(tally, into=relinking if apply else None))
        if apply:
            relinking.commit(relinker.run, START)
    return changes, tally


def stored(recipe: Recipe) -> list[LoggedDocument]:
    with LinkLog.read(Workspace(recipe.workspace).link_log) as log:
        return list(log.documents(log.document_numbers(describe_run(recipe).target)))


def test_rankings_come_back_from_the_table_as_they_were(linker: Linker, tmp_path: Path) -> None:
    rankings = linker.rank([*SURFACES, ""], k=DEPTH)
    RankingTable(tmp_path / "t", linker.lexicon, 20, is_new=True).write(5, rankings)
    table = RankingTable(tmp_path / "t", linker.lexicon, 20)
    assert [table.read(5 + row) for row in range(len(rankings))] == rankings


RULINGS = (
    ruling("renal cyst", SEIZURE),
    ruling("MI", CYST, section="family history"),
    ruling("heart attack", None, place=("n1", 0, 12), rejected=(ATTACK,)),
    ruling("Febrile fit", None, n_documents=2),
)
NOTES = st.lists(st.lists(st.sampled_from(SURFACES), min_size=1, max_size=5), min_size=1, max_size=4)


@pytest.mark.slow
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(NOTES, st.sets(st.sampled_from(RULINGS)), st.sampled_from(["", "Family History"]))
def test_links_are_those_that_linking_the_notes_would_give(
    own_recipe: Recipe, linker: Linker, surfaces: list[list[str]], rulings: set[Ruling], section: str
) -> None:
    notes = [note(f"n{i}", *words, section=section) for i, words in enumerate(surfaces)]
    Workspace(own_recipe.workspace).link_log.unlink(missing_ok=True)
    record(own_recipe, linker, *notes)
    now = replace(own_recipe, corrections=Corrections(tuple(sorted(rulings, key=repr))))
    expected = replace(linker, corrections=now.corrections).link([mention for one in notes for mention in one])
    before = {(d.doc_id, link.mention.start): link.outcome for d in stored(own_recipe) for link in d.links}
    changes, tally = relink(now, apply=True)
    assert [link.outcome for d in stored(own_recipe) for link in d.links] == [outcome_of(link) for link in expected]
    moved = [e for e in expected if before[e.mention.doc_id, e.mention.start].concept_id != e.concept_id]
    assert [(c.mention.doc_id, c.mention.start, c.new) for c in changes] == [
        (e.mention.doc_id, e.mention.start, outcome_of(e)) for e in moved
    ]
    assert {change.cause for change in changes} <= {Cause.RULING}
    assert (tally.n_links, tally.n_changed) == (len(expected), len(changes))
    assert relink(now)[0] == []


def test_ruling_is_named_with_the_change(own_recipe: Recipe, linker: Linker) -> None:
    record(own_recipe, linker, note("n0", "renal cyst"), note("n1", "heart attack"), note("n2", "heart attack"))
    changes, tally = relink(replace(own_recipe, corrections=Corrections(RULINGS)))
    assert [(change.mention.doc_id, change.ruling) for change in changes] == [("n0", RULINGS[0]), ("n1", RULINGS[2])]
    assert (tally.causes["ruling"], tally.n_nil_gained, tally.n_nil_lost, tally.n_unchanged) == (2, 1, 0, 1)
    assert [change.review for change in changes] == [False, False]
    lines, table = io.BytesIO(), io.BytesIO()
    write_change_lines(changes, lines, linker.lexicon)
    write_change_table(changes, table, linker.lexicon)
    first, second = map(json.loads, lines.getvalue().splitlines())
    assert (first["old_concept"], first["old_name"], first["new_name"]) == (CYST, "Renal cyst", "Seizure")
    assert (first["corrections"][0]["kind"], first["corrections"][0]["n_mentions"]) == ("wording", 2)
    assert (second["new_concept"], second["corrections"][0]["id"]) == (None, "n1:0-12")
    assert (
        table.getvalue()
        .decode()
        .splitlines()[2]
        .endswith('"ruling","n1:0-12 no concept, not HP:0001658 (2 mentions)","no"')
    )


def test_withdrawn_ruling_is_a_cause(own_recipe: Recipe, linker: Linker) -> None:
    ruled = replace(own_recipe, corrections=Corrections(RULINGS))
    record(ruled, replace(linker, corrections=ruled.corrections), note("n0", "renal cyst"))
    (change,), _ = relink(own_recipe)
    assert (change.old.concept_id, change.new.concept_id, change.cause) == (SEIZURE, CYST, Cause.WITHDRAWN)


@pytest.fixture
def other(own_recipe: Recipe, tmp_path: Path) -> Recipe:
    """The same workspace with another encoder, which stands for another release."""
    (own_recipe.workspace / "indexes").unlink()
    (tmp_path / "other").mkdir()
    return replace(own_recipe, encoder=str(write_tiny_encoder(tmp_path / "other", seed=1)))


def test_what_was_learned_is_traced_to_the_nearest_corrections(
    own_recipe: Recipe, linker: Linker, other: Recipe
) -> None:
    doubtful = ["mitral regurg", "palate clef roof", "short interv", "kidney abnorm", "renal anomal", "nervous abn"]
    record(own_recipe, linker, note("n0", *doubtful))
    now = load_linker(other).link(note("n0", *doubtful))
    changes, tally = relink(other, precedents=group_lessons([lesson("mitral regurg", SEIZURE)]))
    assert tally.n_rescored + tally.n_changed > 0
    assert [change.new for change in changes] == [
        outcome_of(after)
        for before, after in zip(linker.link(note("n0", *doubtful)), now, strict=True)
        if before.concept_id != after.concept_id
    ]
    for change in changes:
        assert change.cause is Cause.LEARNING
        assert change.old_release != change.new_release
        assert [near.precedent.id for near in change.near] == ["note:0-13"]


def test_threshold_of_the_run_holds(own_recipe: Recipe, linker: Linker) -> None:
    strict = LinkerSettings(threshold=1.0)
    record(replace(own_recipe, linking=strict), replace(linker, settings=strict), note("n0", "renal cyst"))
    record(own_recipe, linker, note("n1", "renal cyst"))
    assert relink(own_recipe, apply=True)[0] == []
    assert [d.links[0].outcome.concept_id for d in stored(own_recipe)] == [None, CYST]


def test_limits_choose_what_a_person_should_see(own_recipe: Recipe, linker: Linker) -> None:
    record(own_recipe, linker, note("n0", "renal cyst"))
    ruled = replace(own_recipe, corrections=Corrections(RULINGS))  # gives 0.75, two mentions alike
    for limits, expected in [(ReviewLimits(), False), (ReviewLimits(0.8), True), (ReviewLimits(0.75, 0.9), True)]:
        ((change,), _) = relink(ruled, limits=limits)
        assert change.review == expected
    with pytest.raises(SettingError, match="margin"):
        ReviewLimits(margin=2)


def test_links_to_something_else_are_left_alone(own_recipe: Recipe, linker: Linker) -> None:
    with pytest.raises(StoreError, match="medlink link"):
        relink(own_recipe)
    record(own_recipe, linker, note("n0", "renal cyst"))
    with pytest.raises(UnknownNameError, match="holds nothing that was linked to this"):
        relink(replace(own_recipe, branches=("HP:0000107",)))


@pytest.mark.slow
def test_number_of_workers_changes_nothing(own_recipe: Recipe, linker: Linker) -> None:
    words: list[Any] = [[SURFACES[(i * j) % len(SURFACES)] for j in range(1, 6)] for i in range(300)]
    record(own_recipe, linker, *(note(f"n{i:03}", *some) for i, some in enumerate(words)))
    ruled = replace(own_recipe, corrections=Corrections(RULINGS))
    one, several = relink(ruled), relink(ruled, n_workers=3, apply=True)
    assert one == several
    assert len(one[0]) > 100
    assert relink(ruled)[0] == []

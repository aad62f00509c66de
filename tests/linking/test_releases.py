"""A linker takes its parts from a release: all of them, and nothing else changes."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from medlink.encoder.adapter import Adapter
from medlink.errors import ArtifactError, EncoderError, SettingError, UnknownNameError
from medlink.formats.links_json import dump_line
from medlink.linking.annotator import BATCH
from medlink.linking.assemble import load_annotator, load_linker
from medlink.linking.context import DEFAULT_CONTEXT, ContextWeights
from medlink.linking.explain import explain_query
from medlink.linking.linker import Linker
from medlink.linking.parts import ReleaseSettings, parts_of, read_parts
from medlink.linking.portable import read_linker, write_linker
from medlink.linking.ranker import Ranker, default_ranker
from medlink.linking.recipe import Recipe, choose_release
from medlink.linking.settings import DEFAULT_THRESHOLD, LinkerSettings
from medlink.linking.workers import annotate
from medlink.records import Document
from medlink.store.release import BASE, Release
from medlink.store.releases import ReleaseStore
from medlink.store.workspace import Workspace
from tests.conftest import TINY_OBO
from tests.tiny_release import WIDTH, make_release, pushing_adapter

QUERIES = ("kidney cysts", "seizures", "cleft", "heart atack", "renal cyst")
NOTE = "He denies seizures. A renal cyst (RC) was seen; kidney cysts run in the family. Heart attack; RC again, MI."


@pytest.fixture
def base(tmp_path: Path, pair_folder: Path) -> Recipe:
    """The tiny ontology and two tiny towers, as if they shipped, in a workspace of the test's own."""
    return Recipe(tmp_path / "workspace", ontology=str(TINY_OBO), encoder=str(pair_folder), n_threads=1)


def of_release(recipe: Recipe, release: Release) -> Recipe:
    return replace(recipe, encoder="nowhere", release=str(release.folder))


def links_of(recipe: Recipe) -> str:
    """What a run writes of the note."""
    (linked,) = load_annotator(recipe).annotate([Document("note", NOTE)])
    return dump_line(linked, with_text=True)


def indexes_of(recipe: Recipe) -> set[str]:
    return {path.name for path in (recipe.workspace / "indexes").iterdir() if not path.name.startswith(".")}


def sure_ranker() -> Ranker:
    weights = default_ranker(2).weights
    return Ranker(replace(weights, nil=weights.nil - 3.0, output=tuple(2 * number for number in weights.output)))


def test_release_equal_to_base_links_alike_byte_for_byte(base: Recipe, pair_folder: Path) -> None:
    release = make_release(base.workspace, pair_folder, adapter=Adapter.identity(WIDTH, 8), context=DEFAULT_CONTEXT)
    before, indexes = links_of(base), indexes_of(base)
    after = links_of(of_release(base, release))
    assert json.loads(before)["links"]
    base_id = load_linker(base).release
    assert base_id.startswith("base-")
    assert after == before.replace(base_id, release.id)
    assert indexes_of(base) == indexes, "the index of names is the same one"


def test_adapter_moves_queries_and_no_name(base: Recipe, pair_folder: Path) -> None:
    release = make_release(base.workspace, pair_folder, adapter=pushing_adapter())
    plain, indexes = load_linker(base), indexes_of(base)
    adapted = load_linker(of_release(base, release))
    assert adapted.encoder.fingerprint == plain.encoder.fingerprint
    assert adapted.query_encoder.fingerprint != plain.query_encoder.fingerprint
    assert indexes_of(base) == indexes
    assert adapted.rank(["kidney cystss"]) != plain.rank(["kidney cystss"])


def test_ranker_context_and_threshold_come_from_the_release(base: Recipe, pair_folder: Path) -> None:
    ranker, context = sure_ranker(), ContextWeights(elsewhere=0.25, acronym=3.0)
    release = make_release(base.workspace, pair_folder, ranker=ranker, context=context, threshold=0.7)
    linker = load_linker(of_release(base, release))
    assert linker.ranker.weights == ranker.weights
    assert (linker.context, linker.threshold, linker.release) == (context, 0.7, release.id)
    plain = load_linker(base)
    assert (plain.context, plain.threshold) == (DEFAULT_CONTEXT, DEFAULT_THRESHOLD)
    assert linker.rank(QUERIES) == replace(plain, ranker=ranker).rank(QUERIES)
    assert linker.rank_document(QUERIES) == replace(plain, ranker=ranker, context=context).rank_document(QUERIES)


def test_threshold_of_the_user_stands_above_the_releases(base: Recipe, pair_folder: Path) -> None:
    release = make_release(base.workspace, pair_folder, threshold=1.0)
    recipe = of_release(base, release)
    assert explain_query("kidney cystss", load_linker(recipe)).concept_id is None
    set_by_user = replace(recipe, linking=LinkerSettings(threshold=0.0))
    assert explain_query("kidney cystss", load_linker(set_by_user)).concept_id is not None


def test_release_of_one_tower_is_linked_with(base: Recipe, encoder_folder: Path) -> None:
    release = make_release(base.workspace, encoder_folder, ranker=default_ranker(1), adapter=pushing_adapter())
    linker = load_linker(of_release(base, release))
    (ranked,) = linker.rank(["renal cyst"])
    assert ranked[0].concept_id == "HP:0000107"
    assert linker.encoder.width == WIDTH


def test_read_parts_gives_what_was_written(base: Recipe, pair_folder: Path) -> None:
    adapter, context = pushing_adapter(), ContextWeights(elsewhere=0.25, acronym=3.0)
    release = make_release(base.workspace, pair_folder, context=context, adapter=adapter, threshold=0.55)
    parts = read_parts(release.folder)
    assert parts.adapter is not None
    assert parts.adapter.fingerprint == adapter.fingerprint
    assert parts.ranker is not None
    assert parts.ranker.weights == default_ranker(2).weights
    assert (parts.context, parts.settings, parts.release) == (context, ReleaseSettings(0.55), release.folder)


def test_parts_of_base_are_those_of_the_recipe(base: Recipe) -> None:
    parts = parts_of(replace(base, pooling="first"))
    assert (parts.encoder, parts.settings.pooling) == (base.encoder, "first")
    assert (parts.ranker, parts.adapter, parts.release) == (None, None, None)


@pytest.mark.parametrize(("threshold", "pooling"), [(1.5, "mean"), (-0.1, "mean"), (0.5, "median")])
def test_release_settings_refuse_what_is_out_of_range(threshold: float, pooling: str) -> None:
    with pytest.raises(SettingError):
        ReleaseSettings(threshold, pooling)


def test_damaged_release_is_not_linked_with(base: Recipe, pair_folder: Path) -> None:
    release = make_release(base.workspace, pair_folder)
    os.truncate(release.ranker, 10)
    with pytest.raises(ArtifactError, match="damaged"):
        load_linker(of_release(base, release))


def test_adapter_for_another_encoder_is_refused(base: Recipe, pair_folder: Path) -> None:
    release = make_release(base.workspace, pair_folder, adapter=Adapter.identity(64, 8))
    with pytest.raises(EncoderError, match="another tower"):
        load_linker(of_release(base, release))


def test_release_whose_encoder_is_none_is_refused(base: Recipe, pair_folder: Path) -> None:
    release = make_release(base.workspace, pair_folder, change=lambda encoder: (encoder / "config.json").unlink())
    with pytest.raises(EncoderError, match="holds no encoder"):
        load_linker(of_release(base, release))


def test_choose_release_takes_the_current_one_unless_told_otherwise(base: Recipe, pair_folder: Path) -> None:
    store = ReleaseStore(Workspace(base.workspace).releases)
    first = make_release(base.workspace, pair_folder)
    second = make_release(base.workspace, pair_folder, threshold=0.5)
    assert choose_release(base, None) == base
    assert not (base.workspace / "releases" / "current.json").exists(), "to choose writes nothing"
    store.promote(second.id)
    assert choose_release(base, None).release == str(second.folder)
    assert choose_release(base, "r0001").release == str(first.folder)
    assert choose_release(base, BASE).release == ""
    assert choose_release(base, None, encoder="minilm") == replace(base, encoder="minilm")
    with pytest.raises(UnknownNameError, match="r0009"):
        choose_release(base, "r0009")
    with pytest.raises(SettingError, match="a release or an encoder"):
        choose_release(base, BASE, encoder="minilm")


def test_choose_release_says_what_to_do_when_the_current_one_is_gone(base: Recipe, pair_folder: Path) -> None:
    release = make_release(base.workspace, pair_folder)
    ReleaseStore(Workspace(base.workspace).releases).promote(release.id)
    shutil.rmtree(release.folder)
    with pytest.raises(ArtifactError, match="medlink releases promote"):
        choose_release(base, None)


def test_run_keeps_the_release_that_it_began_with(base: Recipe, pair_folder: Path) -> None:
    store = ReleaseStore(Workspace(base.workspace).releases)
    first = make_release(base.workspace, pair_folder)
    second = make_release(base.workspace, pair_folder, threshold=0.5)
    store.promote(first.id)

    def notes() -> Iterator[Document]:
        yield Document("a", NOTE)
        store.promote(second.id)
        yield from (Document(f"b{number}", NOTE) for number in range(BATCH))

    linked = list(annotate(notes(), choose_release(base, None)))
    assert {link.release for document in linked for link in document.links} == {first.id}
    assert len(linked) == BATCH + 1


def portable(base: Recipe, pair_folder: Path, folder: Path) -> Linker:
    """A linker of a release whose folder is gone but for what was taken along."""
    release = make_release(base.workspace, pair_folder, adapter=pushing_adapter(), threshold=0.7, card={"a": 1})
    linker = load_linker(of_release(base, release))
    linker.rank(QUERIES)
    write_linker(linker, folder)
    shutil.rmtree(base.workspace)
    return linker


def test_portable_linker_brings_its_release_along(base: Recipe, pair_folder: Path, tmp_path: Path) -> None:
    linker = portable(base, pair_folder, tmp_path / "portable")
    again = read_linker(tmp_path / "portable", replace(base, ontology="gone", encoder="nowhere"))
    assert again.rank(QUERIES) == linker.rank(QUERIES)
    assert (again.release, again.threshold) == (linker.release, 0.7)
    assert not base.workspace.exists()


def test_portable_linker_leaves_memory_and_card_behind(base: Recipe, pair_folder: Path, tmp_path: Path) -> None:
    portable(base, pair_folder, tmp_path / "portable")
    names = {path.name for path in (tmp_path / "portable").rglob("*")}
    assert "ranker.json" in names
    assert not names & {"memory.json", "card.json", "card.md", "card.png"}

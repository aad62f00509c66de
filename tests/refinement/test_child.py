from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from medlink.encoder.combined import CombinedEncoder
from medlink.linking.assemble import load_index, load_lexicon, make_linker
from medlink.linking.linker import Linker
from medlink.linking.parts import read_parts
from medlink.linking.recipe import Recipe
from medlink.records import Mention
from medlink.refinement.child import Moved, move_names, write_child
from medlink.refinement.refine import Child, Lessons, refine
from medlink.refinement.settings import Mode, RefineSettings
from medlink.refinement.views import FullViews, SurfaceViews
from medlink.store.release import BASE, ReleaseFacts
from medlink.store.releases import ReleaseStore
from medlink.store.workspace import Workspace
from tests.refinement.tiny_lessons import NOW
from tests.refinement.tiny_teaching import QUICK, TAUGHT, corrections_of, lessons_of

MODES = {
    Mode.SURFACE: QUICK.model_copy(update={"adapter_rate": 1e-2, "n_hidden": 8}),
    Mode.ADAPTER: QUICK.model_copy(update={"mode": Mode.ADAPTER, "learning_rate": 1e-2, "n_hidden": 8}),
    Mode.FULL: QUICK.model_copy(update={"mode": Mode.FULL, "learning_rate": 1e-3}),
}
TEXTS = ("fits", "kidney cysts", "mitral valve leaking", "cleft of the palate", "MR", "large kidney")


def refined(parent: Linker, settings: RefineSettings, folder: Path) -> Child:
    folder.mkdir()
    return refine(parent, Lessons(lessons_of()), settings, folder)


def vectors_of(linker: Linker) -> list[np.ndarray[tuple[int, int], np.dtype[np.float16]]]:
    """The names' vectors by tower."""
    whole = linker.index.dense.vectors.take(np.arange(len(linker.lexicon.names)))
    return [whole[:, tower.start : tower.stop] for tower in linker.encoder.towers]


def links_of(linker: Linker) -> list[object]:
    mentions = [Mention("note", 10 * i, 10 * i + len(text), text) for i, text in enumerate(TEXTS)]
    return [(link.concept_id, link.candidates) for link in linker.link(mentions)]


@pytest.mark.parametrize(("mode", "moved"), [(Mode.SURFACE, 0), (Mode.ADAPTER, None), (Mode.FULL, 1)])
def test_only_the_tower_that_changed_is_encoded_again(
    parent: Linker, tmp_path: Path, mode: Mode, moved: int | None
) -> None:
    child = refined(parent, MODES[mode], tmp_path / "child")
    n_names = len(parent.lexicon.names)
    assert child.moved == Moved(0 if moved is None else n_names, n_names)
    assert isinstance(child.linker.encoder, CombinedEncoder)
    for place, (before, after) in enumerate(zip(vectors_of(parent), vectors_of(child.linker), strict=True)):
        assert np.array_equal(before, after) == (place != moved)
    fresh = child.linker.encoder.encode(parent.lexicon.names)
    np.testing.assert_allclose(np.concatenate(vectors_of(child.linker), axis=1), fresh, atol=4e-3)
    if moved is None:
        assert child.linker.index is parent.index


@pytest.mark.slow
@pytest.mark.parametrize("mode", list(Mode))
def test_child_links_from_its_folder_as_in_memory(
    parent: Linker, pair_recipe: Recipe, tmp_path: Path, mode: Mode
) -> None:
    child = refined(parent, MODES[mode], tmp_path / "child")
    facts = ReleaseFacts(
        parent=BASE,
        created=NOW,
        mode=mode.value,
        ontology="tiny",
        ontology_version="1",
        ontology_hash="ab" * 32,
        base_encoder="cd" * 32,
        ledger_seq=8,
        n_lessons=8,
    )
    store = ReleaseStore(Workspace(tmp_path / "workspace").releases)
    release = store.create(lambda folder: shutil.copytree(tmp_path / "child", folder, dirs_exist_ok=True), facts)
    recipe = replace(
        pair_recipe, workspace=tmp_path / "workspace", release=str(release.folder), corrections=corrections_of()
    )
    lexicon = load_lexicon(recipe)
    loaded = make_linker(recipe, lexicon, load_index(lexicon, recipe))
    assert links_of(loaded) == links_of(child.linker)
    assert links_of(loaded) != links_of(parent)
    parts = read_parts(release.folder)
    assert parts.ranker is not None
    assert parts.ranker.weights == child.linker.ranker.weights
    assert parts.settings.threshold == child.linker.threshold
    assert release.memory is not None


def test_without_training_the_child_has_the_parents_parts(parent: Linker, tmp_path: Path) -> None:
    child = refined(parent, QUICK.model_copy(update={"steps": 0, "ranker": False}), tmp_path / "child")
    assert child.steps == ()
    assert child.linker.encoder.fingerprint == parent.encoder.fingerprint
    assert child.linker.ranker.weights == parent.ranker.weights
    assert child.linker.adapter is None
    assert links_of(child.linker) == links_of(parent)


def test_same_lessons_and_seed_make_the_same_child(parent: Linker, tmp_path: Path) -> None:
    folders = [tmp_path / "one", tmp_path / "two"]
    for folder in folders:
        refined(parent, MODES[Mode.SURFACE], folder)
    names = [sorted(str(path.relative_to(folder)) for path in folder.rglob("*")) for folder in folders]
    assert names[0] == names[1]
    for name in names[0]:
        one, two = (folder / name for folder in folders)
        assert one.is_dir() or one.read_bytes() == two.read_bytes(), name


def test_names_that_moved_little_keep_their_vectors(parent: Linker, tmp_path: Path) -> None:
    views = FullViews(parent, MODES[Mode.FULL])
    (tmp_path / "child").mkdir()
    draft = write_child(
        parent, views, parent.ranker, tmp_path / "child", threshold=0.4
    )  # rounded otherwise, as good as unmoved
    near = [one.surface for one in TAUGHT]
    all_of_it, moved = move_names(draft, parent)
    assert moved.n_encoded == len(parent.lexicon.names)
    kept, unmoved = move_names(draft, parent, max_drift=0.01, near=near)
    if draft.encoder.fingerprint == parent.encoder.fingerprint:
        assert moved.n_encoded == 0
    assert unmoved.n_encoded == 0
    assert all(np.array_equal(one, two) for one, two in zip(vectors_of(kept), vectors_of(parent), strict=True))
    assert len(vectors_of(all_of_it)) == 2


@pytest.mark.slow
def test_groups_of_names_that_moved_are_encoded_again(parent: Linker, tmp_path: Path) -> None:
    strong = MODES[Mode.FULL].model_copy(update={"learning_rate": 0.02, "steps": 10})
    exact = refined(parent, strong, tmp_path / "exact")
    rough = refined(parent, strong.model_copy(update={"max_drift": 1e-6}), tmp_path / "rough")
    nothing = refined(parent, strong.model_copy(update={"max_drift": 1.9}), tmp_path / "nothing")
    assert rough.moved.n_encoded == len(parent.lexicon.names)
    assert nothing.moved.n_encoded == 0
    np.testing.assert_array_equal(vectors_of(rough.linker)[1], vectors_of(exact.linker)[1])
    np.testing.assert_array_equal(vectors_of(nothing.linker)[1], vectors_of(parent)[1])


def test_surface_child_is_kept_in_eight_bits(parent: Linker, tmp_path: Path) -> None:
    views = SurfaceViews(parent, QUICK)
    child = write_child(parent, views, parent.ranker, tmp_path, threshold=0.4)
    assert isinstance(child.encoder, CombinedEncoder)
    near = child.encoder.encode(TEXTS) * parent.encoder.encode(TEXTS)
    np.testing.assert_allclose(near.sum(axis=1), 1, atol=1e-3)

"""Releases are whole or absent, one is current, and a kill at any moment changes neither."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from medlink.errors import ArtifactError, SettingError, UnknownNameError
from medlink.store.release import BASE, open_release
from medlink.store.releases import ReleaseStore, share_file
from medlink.store.workspace import Workspace
from tests.store.release_loop import LARGE, facts, fill

ROOT = Path(__file__).parents[2]


@pytest.fixture
def store(tmp_path: Path) -> ReleaseStore:
    return ReleaseStore(Workspace(tmp_path).releases)


def make(store: ReleaseStore, parent: str = BASE, *, threshold: float = 0.4) -> str:
    return store.create(lambda folder: fill(folder, threshold=threshold), facts(parent)).id


def chain(store: ReleaseStore) -> list[str]:
    """Three releases, each refined from the one before."""
    ids = [BASE]
    for threshold in (0.1, 0.2, 0.3):
        ids.append(make(store, ids[-1], threshold=threshold))
    return ids[1:]


def test_create_gives_what_was_filled_in(store: ReleaseStore) -> None:
    release = store.create(fill, facts())
    assert release.folder == store.folder / release.id
    assert release.facts == facts()
    assert (release.encoder / "config.json").is_file()
    assert (release.adapter, release.context, release.memory, release.card) == (None, None, None, None)
    assert (release.ranker.name, release.settings.name, release.figures()) == ("ranker.json", "settings.json", {})
    assert store.get(release.id) == release == open_release(release.folder)


def test_id_is_a_running_number_and_the_hash_of_what_links_depend_on(store: ReleaseStore) -> None:
    first, second = make(store), make(store)
    assert (first[:6], second[:6]) == ("r0001-", "r0002-")
    assert first[6:] == second[6:]
    with_card = store.create(lambda folder: fill(folder, card='{"a": 1}'), facts(n_lessons=9)).id
    assert with_card[6:] == first[6:], "neither card nor facts change a link"
    assert make(store, threshold=0.5)[6:] != first[6:]


def test_number_of_a_deleted_current_release_is_not_given_again(store: ReleaseStore) -> None:
    release = make(store)
    store.promote(release)
    shutil.rmtree(store.folder / release)
    assert make(store).startswith("r0002-")


def test_all_is_in_the_order_of_making(store: ReleaseStore) -> None:
    assert store.all() == ()
    ids = [make(store, threshold=number / 20) for number in range(12)]
    assert [release.id for release in store.all()] == ids


def test_get_takes_the_beginning_of_an_id(store: ReleaseStore) -> None:
    first, second = make(store), make(store, threshold=0.5)
    assert (store.get("r0001").id, store.get(second[:8]).id) == (first, second)


@pytest.mark.parametrize("name", ["r0009", "", "r", "../r0001", "base"])
def test_get_names_what_there_is(store: ReleaseStore, name: str) -> None:
    first = make(store)
    make(store, threshold=0.5)
    with pytest.raises(UnknownNameError, match=first):
        store.get(name)


def test_get_from_an_empty_store_says_so(store: ReleaseStore) -> None:
    with pytest.raises(UnknownNameError, match="no release of that name"):
        store.get("r0001")


def test_lineage_leads_to_base(store: ReleaseStore) -> None:
    first, second, third = chain(store)
    assert store.lineage(third) == (third, second, first, BASE)
    shutil.rmtree(store.folder / first)
    assert store.lineage(third) == (third, second, first), "what lies behind a missing one is not known"


def test_create_refuses_an_unknown_parent(store: ReleaseStore) -> None:
    with pytest.raises(UnknownNameError):
        make(store, "r0001-00000000")
    assert store.all() == ()


def drop_ranker(folder: Path) -> None:
    fill(folder)
    (folder / "ranker.json").unlink()


def add_stranger(folder: Path) -> None:
    fill(folder)
    (folder / "notes.txt").write_text("", encoding="utf-8")


@pytest.mark.parametrize(("wrong", "message"), [(drop_ranker, "no ranker.json"), (add_stranger, "notes.txt, which is")])
def test_create_refuses_other_parts_and_leaves_nothing(
    store: ReleaseStore, wrong: Callable[[Path], None], message: str
) -> None:
    with pytest.raises(ArtifactError, match=message):
        store.create(wrong, facts())
    assert [path.name for path in store.folder.iterdir()] == [".create.lock"]


def test_create_leaves_nothing_when_filling_fails(store: ReleaseStore) -> None:
    def fail(folder: Path) -> None:
        fill(folder)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store.create(fail, facts())
    assert [path.name for path in store.folder.iterdir()] == [".create.lock"]


@pytest.mark.parametrize("changed", [{"n_lessons": -1}, {"ledger_seq": -1}, {"created": datetime(2026, 1, 1)}])
def test_facts_refuse_what_cannot_be(changed: dict[str, object]) -> None:
    with pytest.raises(SettingError):
        replace(facts(), **changed)  # type: ignore[arg-type]


def test_child_shares_large_equal_files_with_its_parent(store: ReleaseStore) -> None:
    first = store.create(fill, facts())
    second = store.create(lambda folder: fill(folder, threshold=0.5), facts(first.id))
    large = Path("encoder", "semantic", "model.safetensors")
    assert (second.folder / large).samefile(first.folder / large)
    assert not second.ranker.samefile(first.ranker), "small files are copies"
    shutil.rmtree(first.folder)
    assert store.get(second.id) == second
    assert (second.folder / large).stat().st_size == LARGE


def test_child_keeps_a_large_file_that_differs(store: ReleaseStore) -> None:
    large = Path("encoder", "semantic", "model.safetensors")

    def differ(folder: Path) -> None:
        fill(folder)
        (folder / large).write_bytes(b"v" * LARGE)

    first = store.create(fill, facts())
    second = store.create(differ, facts(first.id))
    assert (second.folder / large).read_bytes() == b"v" * LARGE
    assert (first.folder / large).read_bytes() == b"w" * LARGE


def test_share_file_stays_a_copy_across_file_systems(tmp_path: Path) -> None:
    if not Path("/dev/shm").is_dir() or Path("/dev/shm").stat().st_dev == tmp_path.stat().st_dev:  # noqa: S108
        pytest.skip("one file system only")
    with tempfile.TemporaryDirectory(dir="/dev/shm") as elsewhere:
        original, path = Path(elsewhere, "a"), tmp_path / "a"
        original.write_bytes(b"same")
        path.write_bytes(b"same")
        share_file(path, original)
        assert not path.samefile(original)
    assert [one.name for one in tmp_path.iterdir()] == ["a"]
    assert path.read_bytes() == b"same"


def test_current_is_base_until_one_is_promoted(store: ReleaseStore) -> None:
    assert store.current() is None
    release = make(store)
    assert store.current() is None
    store.promote("r0001")
    current = store.current()
    assert current is not None
    assert current.id == release
    assert store.promote(BASE) is None
    assert store.current() is None


def test_rollback_goes_back_step_by_step(store: ReleaseStore) -> None:
    first, second, third = chain(store)
    for release in (first, second, second, third):
        store.promote(release)
    went = [store.rollback() for _ in range(3)]
    assert [release.id if release else BASE for release in went] == [second, first, BASE]
    with pytest.raises(SettingError, match="nothing to go back to"):
        store.rollback()


def test_promote_after_a_rollback_goes_back_to_what_was_current_then(store: ReleaseStore) -> None:
    first, second, third = chain(store)
    store.promote(first)
    store.promote(second)
    store.rollback()
    store.promote(third)
    back = store.rollback()
    assert back is not None
    assert back.id == first


def truncate(folder: Path) -> None:
    os.truncate(folder / "encoder" / "semantic" / "model.safetensors", 10)


def change(folder: Path) -> None:
    (folder / "settings.json").write_text('{"threshold": 0.0}', encoding="utf-8")


def drop_manifest(folder: Path) -> None:
    (folder / "manifest.json").unlink()


def add_file(folder: Path) -> None:
    (folder / "adapter.old").write_text("", encoding="utf-8")


def rename(folder: Path) -> None:
    folder.rename(folder.with_name("r0001-00000000"))


@pytest.mark.parametrize("damage", [truncate, change, drop_manifest, add_file, rename])
def test_damaged_release_is_named_and_not_loaded(store: ReleaseStore, damage: Callable[[Path], None]) -> None:
    first, second = make(store), make(store, threshold=0.5)
    damage(store.folder / first)
    survey = store.survey()
    assert [release.id for release in survey.sound] == [second]
    (name,) = survey.damaged
    assert name.startswith("r0001-")
    with pytest.raises(ArtifactError, match="r0001-"):
        store.get("r0001")
    with pytest.raises(ArtifactError, match="r0001-"):
        store.promote("r0001")
    assert store.current() is None


@pytest.mark.parametrize("damage", [change, shutil.rmtree])
def test_current_release_that_is_damaged_or_gone_says_what_to_do(
    store: ReleaseStore, damage: Callable[[Path], None]
) -> None:
    first, second, _ = chain(store)
    store.promote(first)
    store.promote(second)
    damage(store.folder / second)
    with pytest.raises(ArtifactError, match=f"release {second} cannot be used.*medlink releases promote"):
        store.current()
    back = store.rollback()
    assert back is not None
    assert back.id == first


def test_rollback_to_a_missing_release_changes_nothing(store: ReleaseStore) -> None:
    first, second, _ = chain(store)
    store.promote(first)
    store.promote(second)
    shutil.rmtree(store.folder / first)
    with pytest.raises(ArtifactError, match=f"release {first} cannot be used"):
        store.rollback()
    current = store.current()
    assert current is not None
    assert current.id == second


@pytest.mark.parametrize("content", ["", "{", '{"current": 3}', '{"current": "base", "before": [], "more": 1}'])
def test_damaged_pointer_is_told_and_promote_is_the_way_out(store: ReleaseStore, content: str) -> None:
    release = make(store)
    (store.folder / "current.json").write_text(content, encoding="utf-8")
    for ask in (store.current, store.rollback):
        with pytest.raises(ArtifactError, match=r"current\.json.*medlink releases promote"):
            ask()
    store.promote(release)
    current = store.current()
    assert current is not None
    assert current.id == release


def test_store_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(ArtifactError, match="the releases cannot be written"):
        ReleaseStore(tmp_path / "file" / "releases").promote(BASE)


@pytest.mark.parametrize("card", ["[1]", "{"])
def test_create_refuses_a_card_that_is_no_object(store: ReleaseStore, card: str) -> None:
    with pytest.raises(ArtifactError, match=r"card\.json"):
        store.create(lambda folder: fill(folder, card=card), facts())
    assert store.all() == ()


def kill_at_any_moment(store: ReleaseStore, *, n_kills: int, seed: int) -> int:
    """The releases that a process reported before it was killed, over some kills; each time all is in order."""
    draw, reported = random.Random(seed), set[str]()
    command = [sys.executable, "-m", "tests.store.release_loop", str(store.folder)]
    for _ in range(n_kills):
        child = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        assert child.stdout is not None
        reported.add(child.stdout.readline().strip())
        time.sleep(draw.uniform(0, 0.15))
        child.kill()
        reported.update(line.strip() for line in child.stdout.read().splitlines(keepends=True) if line.endswith("\n"))
        child.wait()
        child.stdout.close()
        survey = store.survey()
        assert survey.damaged == {}
        ids = [release.id for release in survey.sound]
        assert set(ids) >= reported, "what was reported is there"
        assert [int(name[1:5]) for name in ids] == list(range(1, len(ids) + 1))
        current = store.current()
        assert current is None or current.id in ids
    return len(reported)


def leftovers(store: ReleaseStore) -> list[str]:
    return [path.name for path in store.folder.iterdir() if ".tmp-" in path.name]


def test_kill_leaves_releases_and_pointer_whole(store: ReleaseStore) -> None:
    assert kill_at_any_moment(store, n_kills=2, seed=0) >= 2
    make(store, threshold=0.99)
    assert leftovers(store) == []


@pytest.mark.slow
def test_kill_at_any_moment_leaves_releases_and_pointer_whole(store: ReleaseStore) -> None:
    assert kill_at_any_moment(store, n_kills=40, seed=1) >= 40
    make(store, threshold=0.99)
    assert leftovers(store) == []


def test_two_processes_give_each_release_a_number_of_its_own(store: ReleaseStore) -> None:
    command = [sys.executable, "-m", "tests.store.release_loop", str(store.folder)]
    children = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    reported = []
    for child in children:
        assert child.stdout is not None
        reported += [child.stdout.readline().strip() for _ in range(3)]
    for child in children:
        child.kill()
        child.communicate()
    assert len({name[:5] for name in reported}) == 6
    assert store.survey().damaged == {}

"""Artifacts are whole or absent, and damage is seen."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medlink.errors import ArtifactError
from medlink.store import artifacts
from medlink.store.artifacts import MANIFEST, Facts, file_sha256, obtain_artifact, read_manifest, write_artifact

KIND = "test.v1"


def fill(folder: Path) -> Facts:
    (folder / "a.bin").write_bytes(b"\0" * 1000)
    (folder / "deep").mkdir()
    (folder / "deep" / "b.txt").write_text("content", encoding="utf-8")
    return {"width": 3, "dtype": "float16"}


def leftovers(parent: Path) -> list[str]:
    return [path.name for path in parent.iterdir() if ".tmp-" in path.name]


def test_write_artifact_lists_every_file_with_its_hash(tmp_path: Path) -> None:
    write_artifact(tmp_path / "x", fill, kind=KIND)
    manifest = read_manifest(tmp_path / "x", kind=KIND)
    assert set(manifest.files) == {"a.bin", "deep/b.txt"}
    assert manifest.files["deep/b.txt"].sha256 == "ed7002b439e9ac845f22357d822bac1444730fbdb6016d3ec9432297b9ec9f73"
    assert manifest.facts == {"width": 3, "dtype": "float16"}
    assert leftovers(tmp_path) == []


@given(content=st.binary(max_size=3000))
def test_file_sha256_is_that_of_hashlib(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    import hashlib

    path = tmp_path_factory.mktemp("h") / "f"
    path.write_bytes(content)
    assert file_sha256(path) == hashlib.sha256(content).hexdigest()


def truncate(folder: Path) -> None:
    os.truncate(folder / "a.bin", 10)


def flip(folder: Path) -> None:
    (folder / "a.bin").write_bytes(b"\1" + b"\0" * 999)


def remove_file(folder: Path) -> None:
    (folder / "deep" / "b.txt").unlink()


def remove_manifest(folder: Path) -> None:
    (folder / MANIFEST).unlink()


def break_manifest(folder: Path) -> None:
    (folder / MANIFEST).write_text("{", encoding="utf-8")


def empty(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.mkdir()


@pytest.mark.parametrize("damage", [truncate, flip, remove_file, remove_manifest, break_manifest, empty, shutil.rmtree])
def test_obtain_artifact_rebuilds_what_is_damaged(tmp_path: Path, damage: object) -> None:
    folder = tmp_path / "x"
    _, built = obtain_artifact(folder, fill, kind=KIND)
    assert built
    assert callable(damage)
    damage(folder)
    with pytest.raises(ArtifactError):
        read_manifest(folder, kind=KIND)
    _, built = obtain_artifact(folder, fill, kind=KIND)
    assert built
    _, built = obtain_artifact(folder, fill, kind=KIND)
    assert not built
    assert leftovers(tmp_path) == []


def test_read_manifest_refuses_another_kind(tmp_path: Path) -> None:
    write_artifact(tmp_path / "x", fill, kind=KIND)
    with pytest.raises(ArtifactError, match="another kind"):
        read_manifest(tmp_path / "x", kind="other.v1")


def test_write_artifact_leaves_the_old_one_when_filling_fails(tmp_path: Path) -> None:
    write_artifact(tmp_path / "x", fill, kind=KIND)

    def fail(folder: Path) -> Facts:
        (folder / "half").write_text("half", encoding="utf-8")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_artifact(tmp_path / "x", fail, kind=KIND)
    assert set(read_manifest(tmp_path / "x", kind=KIND).files) == {"a.bin", "deep/b.txt"}
    assert leftovers(tmp_path) == []


def test_write_artifact_begins_anew_when_its_folder_is_deleted_under_its_hands(tmp_path: Path) -> None:
    calls = []

    def fill_slowly(folder: Path) -> Facts:
        calls.append(folder)
        if len(calls) == 1:
            shutil.rmtree(tmp_path / "cache")
        return fill(folder)

    write_artifact(tmp_path / "cache" / "x", fill_slowly, kind=KIND)
    assert len(calls) == 2
    assert read_manifest(tmp_path / "cache" / "x", kind=KIND).facts["width"] == 3


def test_write_artifact_says_which_file_filling_misses(tmp_path: Path) -> None:
    def read_missing(folder: Path) -> Facts:
        return {"text": (tmp_path / "missing").read_text(encoding="utf-8")}

    with pytest.raises(FileNotFoundError, match="missing"):
        write_artifact(tmp_path / "x", read_missing, kind=KIND)


BUILDER = """
import sys, time
from pathlib import Path
from medlink.store.artifacts import obtain_artifact
def fill(folder):
    (folder / "part").write_text("half")
    Path(sys.argv[2]).open("a").write("built\\n")
    time.sleep(float(sys.argv[3]))
    (folder / "part").write_text("whole")
    return {}
obtain_artifact(Path(sys.argv[1]), fill, kind="test.v1")
assert (Path(sys.argv[1]) / "part").read_text() == "whole"
"""


def start_builder(folder: Path, log: Path, seconds: float) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", BUILDER, str(folder), str(log), str(seconds)])


def test_two_processes_build_once(tmp_path: Path) -> None:
    log = tmp_path / "log"
    builders = [start_builder(tmp_path / "cache" / "x", log, 1.0) for _ in range(2)]
    assert [builder.wait(60) for builder in builders] == [0, 0]
    assert log.read_text(encoding="utf-8") == "built\n"


def test_a_killed_builder_leaves_nothing_that_is_used(tmp_path: Path) -> None:
    folder, log = tmp_path / "cache" / "x", tmp_path / "log"
    builder = start_builder(folder, log, 60.0)
    while not log.exists():
        time.sleep(0.05)
    builder.send_signal(signal.SIGKILL)
    builder.wait(10)
    assert not folder.exists()
    assert leftovers(folder.parent) != []
    assert start_builder(folder, log, 0.0).wait(60) == 0
    assert leftovers(folder.parent) == []
    assert log.read_text(encoding="utf-8") == "built\nbuilt\n"


@pytest.fixture
def checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An artifact that was found sound, on a clock without ticks."""
    monkeypatch.setattr("medlink.store.artifacts._TICK", -1.0)
    folder = tmp_path / "index"
    assert obtain_artifact(folder, fill, kind=KIND)[1] is True
    assert obtain_artifact(folder, fill, kind=KIND)[1] is False
    assert (tmp_path / ".index.checked").is_file()
    return folder


def test_what_was_found_sound_is_not_read_again(checked: Path) -> None:
    (checked / "a.bin").write_bytes(b"damaged")
    stamp = checked.parent / ".index.checked"
    stamp.write_text(artifacts._stamp(checked), encoding="ascii")  # as if it had been found sound like this
    assert obtain_artifact(checked, fill, kind=KIND)[1] is False
    assert (checked / "a.bin").read_bytes() == b"damaged"


def test_what_was_changed_since_it_was_found_sound_is_built_again(checked: Path) -> None:
    data = checked / "deep" / "b.txt"
    state = data.stat()
    data.write_bytes(b"Content")
    os.utime(data, ns=(state.st_atime_ns, state.st_mtime_ns))
    assert obtain_artifact(checked, fill, kind=KIND)[1] is True
    assert data.read_bytes() == b"content"


def test_another_kind_is_told_though_it_was_found_sound(checked: Path) -> None:
    assert obtain_artifact(checked, fill, kind="test.v2")[1] is True


def test_what_was_written_just_now_is_read_again(tmp_path: Path) -> None:
    obtain_artifact(tmp_path / "index", fill, kind=KIND)
    obtain_artifact(tmp_path / "index", fill, kind=KIND)
    assert not (tmp_path / ".index.checked").exists()

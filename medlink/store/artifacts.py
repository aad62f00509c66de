"""Artifacts: folders that are written whole or not at all, and checked against their manifest before use."""

from __future__ import annotations

import errno
import hashlib
import json
import logging
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal, TypeAlias

from filelock import FileLock
from pydantic import BaseModel, ConfigDict, ValidationError

from medlink.errors import ArtifactError

logger = logging.getLogger(__name__)

MANIFEST = "manifest.json"
# How often a write begins anew when somebody deletes the folder under its hands.
_ATTEMPTS = 3
# What stands in the name of a temporary folder whose name is not known yet.
_UNNAMED = "new"
# Seconds after which a file system's clock surely has moved on.
_TICK = 2.0

Facts: TypeAlias = dict[str, str | int | float | bool]
Fill: TypeAlias = Callable[[Path], Facts]


class FileEntry(BaseModel):
    """One file of an artifact.

    :param sha256: hex digest of its content.
    :param size: bytes.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    sha256: str
    size: int


class Manifest(BaseModel):
    """What an artifact holds and what it was made from.

    :param kind: what reads it, with a version, such as ``name-index.v1``.
    :param facts: width, dtype, counts, versions and hashes of what it was built from.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_version: Literal[1] = 1
    kind: str
    facts: Facts
    files: dict[str, FileEntry]


def file_sha256(path: Path) -> str:
    """The hex sha256 of a file's content, read piece by piece."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def write_artifact(folder: Path, fill: Fill, *, kind: str) -> Manifest:
    """The manifest of the artifact that ``fill`` wrote; ``folder`` then holds all of it or is untouched.

    ``fill`` writes into a temporary sibling, which is synced and renamed. A process that is killed on the way
    leaves a sibling whose name begins with a dot, which the next writer removes.

    :param folder: where the artifact will be; what is there is replaced.
    :param fill: writes its files into the folder it is given and returns the manifest's facts.
    """
    for _ in range(_ATTEMPTS):
        folder.parent.mkdir(parents=True, exist_ok=True)
        temporary = _make_sibling(folder)
        try:
            return _fill_and_rename(temporary, folder, fill, kind)
        except FileNotFoundError:
            if temporary.exists():
                raise  # not our folder is missing, but something that fill reads
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    raise ArtifactError("the folder is deleted again and again while it is written", where=str(folder.parent))


def write_named_artifact(parent: Path, fill: Fill, *, kind: str, name: Callable[[Manifest], str]) -> Path:
    """The folder of an artifact whose name in ``parent`` follows from what ``fill`` wrote; all of it or none is there.

    What killed writers left is removed first, so the caller holds a lock of all writers to ``parent``.

    :param name: of the folder, which does not exist yet.
    """
    parent.mkdir(parents=True, exist_ok=True)
    _remove_leftovers(parent / _UNNAMED)
    temporary = _make_sibling(parent / _UNNAMED)
    try:
        folder = parent / name(_complete(temporary, fill, kind))
        temporary.rename(folder)
        sync(parent)
        return folder
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def read_manifest(folder: Path, *, kind: str) -> Manifest:
    """The manifest of an artifact whose files all have the size and hash that it states.

    :raises ArtifactError: when the folder, its manifest or a file is missing, of another kind, or damaged.
    """
    manifest = _parse_manifest(folder, kind=kind)
    for name, entry in manifest.files.items():
        _check_file(folder / name, entry)
    return manifest


def _parse_manifest(folder: Path, *, kind: str) -> Manifest:
    path = folder / MANIFEST
    try:
        manifest = Manifest.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError as error:
        raise ArtifactError("no artifact here", where=str(folder), expected=f"a {MANIFEST}") from error
    except (ValueError, ValidationError) as error:
        raise ArtifactError("the manifest cannot be read", where=str(path), got=type(error).__name__) from error
    if manifest.kind != kind:
        raise ArtifactError("another kind of artifact", where=str(folder), expected=kind, got=manifest.kind)
    return manifest


@contextmanager
def artifact_lock(folder: Path) -> Iterator[None]:
    """Holds the lock of one artifact's builder; the system frees it when the process dies."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.parent / f".{folder.name}.lock"):
        yield


def obtain_artifact(folder: Path, fill: Fill, *, kind: str) -> tuple[Manifest, bool]:
    """The manifest of a sound artifact and whether it was built just now: found if it is there, else built.

    A damaged or half-written one is built again. Of two processes that ask at once, one builds and the other
    waits and finds.
    """
    if (manifest := _find_manifest(folder, kind)) is not None:
        return manifest, False
    with artifact_lock(folder):
        if (manifest := _find_manifest(folder, kind)) is not None:
            return manifest, False
        _remove_leftovers(folder)
        return write_artifact(folder, fill, kind=kind), True


def _find_manifest(folder: Path, kind: str) -> Manifest | None:
    """The manifest of a sound artifact, ``None`` where it is missing or damaged.

    Files that nobody has touched since they were found sound are not read again: an index of millions of names has
    gigabytes.
    """
    stamp, found = folder.parent / f".{folder.name}.checked", _stamp(folder)
    try:
        if found and stamp.read_text(encoding="ascii") == found:
            return _parse_manifest(folder, kind=kind)
    except (OSError, ValueError):
        pass  # never checked here
    try:
        manifest = read_manifest(folder, kind=kind)
    except ArtifactError as error:
        logger.info("to be built: %s", error)
        return None
    if found and found == _stamp(folder):
        with suppress(OSError):  # of a workspace that may only be read
            stamp.write_text(found, encoding="ascii")  # half of it is no stamp
    return manifest


def _stamp(folder: Path) -> str:
    """What changes when somebody touches a file of a folder; empty where one was touched just now.

    A file that is written twice within a tick of the system's clock looks as if it had been written once.
    """
    try:
        states = [(path, path.stat()) for path in sorted(folder.rglob("*"))]
    except OSError:
        return ""
    newest = max((state.st_ctime for _, state in states), default=0.0)
    if not states or time.time() - newest < _TICK:
        return ""
    parts = [f"{path.relative_to(folder)} {s.st_size} {s.st_mtime_ns} {s.st_ctime_ns} {s.st_ino}" for path, s in states]
    return hashlib.sha256("\n".join(parts).encode(errors="surrogateescape")).hexdigest()


def _fill_and_rename(temporary: Path, folder: Path, fill: Fill, kind: str) -> Manifest:
    manifest = _complete(temporary, fill, kind)
    _replace_folder(temporary, folder)
    return manifest


def _complete(temporary: Path, fill: Fill, kind: str) -> Manifest:
    """Fills a temporary folder, describes it in a manifest, and makes all of it durable."""
    manifest = Manifest(kind=kind, facts=fill(temporary), files=_describe_files(temporary))
    (temporary / MANIFEST).write_text(manifest.model_dump_json(indent=2) + "\n", encoding="utf-8")
    _sync_tree(temporary)
    return manifest


def _describe_files(folder: Path) -> dict[str, FileEntry]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {
        path.relative_to(folder).as_posix(): FileEntry(sha256=file_sha256(path), size=path.stat().st_size)
        for path in files
    }


def _check_file(path: Path, entry: FileEntry) -> None:
    if not path.is_file():
        raise ArtifactError("a file of the artifact is missing", where=str(path))
    size = path.stat().st_size
    if size != entry.size:
        raise ArtifactError("a file is damaged", where=str(path), expected=f"{entry.size} bytes", got=f"{size}")
    digest = file_sha256(path)
    if digest != entry.sha256:
        raise ArtifactError("a file is damaged", where=str(path), expected=f"sha256 {entry.sha256}", got=digest)


def _make_sibling(folder: Path) -> Path:
    sibling = Path(tempfile.mkdtemp(prefix=_temporary_prefix(folder), dir=folder.parent))
    sibling.chmod(folder.parent.stat().st_mode & 0o777)  # a shared workspace stays shared
    return sibling


def _temporary_prefix(folder: Path) -> str:
    return f".{folder.name}.tmp-"


def _remove_leftovers(folder: Path) -> None:
    """Removes what killed builders left; the caller holds the lock, so no builder is at work."""
    for path in folder.parent.glob(_temporary_prefix(folder) + "*"):
        shutil.rmtree(path, ignore_errors=True)


def _replace_folder(temporary: Path, folder: Path) -> None:
    """Puts the new folder in the place of the old; a reader that opened the old one's files keeps them."""
    for _ in range(_ATTEMPTS):
        try:
            temporary.rename(folder)
            break
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
            _retire(folder)
    else:
        raise ArtifactError("another process replaces this folder again and again", where=str(folder))
    sync(folder.parent)


def _retire(folder: Path) -> None:
    """Removes a folder in one step: nobody sees it half-removed."""
    retired = _make_sibling(folder)
    with suppress(FileNotFoundError):
        folder.rename(retired / "old")
    shutil.rmtree(retired, ignore_errors=True)


def _sync_tree(folder: Path) -> None:
    for path in folder.rglob("*"):
        sync(path)
    sync(folder)


def sync(path: Path) -> None:
    """Makes a file's content, or a folder's entries, durable."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

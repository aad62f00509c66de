"""The releases of a workspace: made once, never changed, and one of them current."""

from __future__ import annotations

import filecmp
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from medlink.errors import ArtifactError, SettingError, UnknownNameError
from medlink.store.artifacts import Facts, Manifest, write_named_artifact
from medlink.store.pointer import Pointer, read_pointer, write_pointer
from medlink.store.release import (
    BASE,
    ID,
    KIND,
    Release,
    ReleaseFacts,
    check_parts,
    content_hash,
    open_release,
    read_figures,
)

# Files of this many bytes that a release has in common with its parent are kept once.
_LARGE = 1 << 16


@dataclass(frozen=True, slots=True)
class Survey:
    """All releases of a store, in the order of their making.

    :param damaged: why each of the others cannot be used, by its id.
    """

    sound: tuple[Release, ...]
    damaged: dict[str, ArtifactError]


class ReleaseStore:
    """The releases in a folder, which need not exist before the first is made.

    Writers wait for each other; readers never wait, and see each release and the pointer whole or not at all,
    whenever a writer is killed.

    :param folder: of :attr:`medlink.store.workspace.Workspace.releases`.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def create(self, fill: Callable[[Path], object], facts: ReleaseFacts) -> Release:
        """A new release; it is not made current.

        Large files that are the parent's, byte for byte, take no second place on the disk where the file system can
        link them; who damages such a file in its place damages both.

        :param fill: writes the parts into the folder that it is given: copies of the parent's, or its own.
        :raises UnknownNameError: when there is no such parent.
        :raises ArtifactError: when a part is missing, not known or no report card, or the folder cannot be written.
        """
        parent = None if facts.parent == BASE else self.get(facts.parent)

        def fill_all(target: Path) -> Facts:
            fill(target)
            check_parts(target)
            read_figures(target)  # a card that cannot be read is refused here, not whenever somebody lists releases
            if parent:
                _share_files(target, parent)
            return facts.to_facts()

        with self._lock("create"):
            folder = write_named_artifact(self.folder, fill_all, kind=KIND, name=self._next_id)
        return open_release(folder)

    def get(self, name: str) -> Release:
        """The release of an id, or of the beginning of one.

        :raises UnknownNameError: when no release, or more than one, has an id that begins so.
        :raises ArtifactError: when it is damaged.
        """
        known = self._ids()
        found = [one for one in known if one == name] or [one for one in known if name and one.startswith(name)]
        if len(found) != 1:
            raise UnknownNameError(
                "several releases of that name" if found else "no release of that name",
                where=name,
                expected="one of " + ", ".join((found or known)[-10:]) if known else "",
                hint="See: medlink releases list",
            )
        return open_release(self.folder / found[0])

    def survey(self) -> Survey:
        """All releases, sound and damaged."""
        sound, damaged = [], {}
        for name in self._ids():
            try:
                sound.append(open_release(self.folder / name))
            except ArtifactError as error:
                damaged[name] = error
        return Survey(tuple(sound), damaged)

    def all(self) -> tuple[Release, ...]:
        """All sound releases in the order of their making."""
        return self.survey().sound

    def lineage(self, name: str) -> tuple[str, ...]:
        """The ids from a release back to ``base``; to the first that is missing or damaged, where one is.

        :raises UnknownNameError: when there is no such release.
        """
        release = self.get(name)
        ids = [release.id]
        while release.facts.parent != BASE:
            ids.append(release.facts.parent)
            try:
                release = open_release(self.folder / release.facts.parent)
            except ArtifactError:
                return tuple(ids)
        return (*ids, BASE)

    def pointer(self) -> Pointer:
        """Which release is current and which were before, whether they are there or not.

        :raises ArtifactError: when the record of it is damaged.
        """
        return read_pointer(self._pointer_path)

    def current(self) -> Release | None:
        """The current release; ``None`` for what ships.

        :raises ArtifactError: when it is missing or damaged, or the record of it is.
        """
        return self._open_current(self.pointer().current)

    def promote(self, name: str) -> Release | None:
        """Makes a release current, or ``base``, which is ``None``.

        :param name: an id, the beginning of one, or ``base``.
        :raises UnknownNameError: when there is no such release.
        :raises ArtifactError: when it is damaged; what was current stays so.
        """
        release = None if name == BASE else self.get(name)
        with self._lock("current"):
            try:
                pointer = self.pointer()
            except ArtifactError:
                pointer = Pointer()  # what it said is lost; to promote is the way out
            self._write(pointer.moved_to(release.id if release else BASE))
        return release

    def rollback(self) -> Release | None:
        """Makes that current again which was before; ``None`` for what ships.

        :raises SettingError: when nothing was current before.
        :raises ArtifactError: when it is missing or damaged; what is current stays so.
        """
        with self._lock("current"):
            pointer = self.pointer()
            back = pointer.moved_back()
            if back is None:
                raise SettingError("there is nothing to go back to", where=str(self.folder), got=pointer.current)
            release = self._open_current(back.current)
            self._write(back)
        return release

    def _open_current(self, name: str) -> Release | None:
        try:
            return None if name == BASE else open_release(self.folder / name)
        except ArtifactError as error:
            raise ArtifactError(
                f"release {name} cannot be used: {error.what}",
                where=error.where,
                expected=error.expected,
                got=error.got,
                hint="Restore its folder, or make another one current: medlink releases promote ID, or base.",
            ) from error

    def _write(self, pointer: Pointer) -> None:
        with _writing(self.folder):
            write_pointer(self._pointer_path, pointer)

    def _ids(self) -> list[str]:
        names = (path.name for path in self.folder.iterdir()) if self.folder.is_dir() else ()
        return sorted(filter(ID.fullmatch, names), key=lambda name: (_number(name), name))

    def _next_id(self, manifest: Manifest) -> str:
        """A number that no release has, nor one had that was current and is gone."""
        used = self._ids()
        with suppress(ArtifactError):
            pointer = self.pointer()
            used += filter(ID.fullmatch, (pointer.current, *pointer.before))
        return f"r{max(map(_number, used), default=0) + 1:04d}-{content_hash(manifest)[:8]}"

    @property
    def _pointer_path(self) -> Path:
        return self.folder / "current.json"

    @contextmanager
    def _lock(self, what: str) -> Iterator[None]:
        """Holds one of the store's two locks; the system frees it when the process dies."""
        lock = FileLock(self.folder / f".{what}.lock")
        with _writing(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            lock.acquire()
        try:
            yield
        finally:
            lock.release()


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    """Says what is wrong where the system does not let us write."""
    try:
        yield
    except OSError as error:
        raise ArtifactError(
            "the releases cannot be written",
            where=str(folder),
            got=type(error).__name__,
            hint="Check the rights to the folder and the space on the disk.",
        ) from error


def _number(release_id: str) -> int:
    return int(release_id[1:].partition("-")[0])


def _share_files(target: Path, parent: Release) -> None:
    """Replaces large files that are equal to the parent's by links to these, where the file system can."""
    for name, entry in parent.files.items():
        path = target / name
        if entry.size >= _LARGE and path.is_file() and filecmp.cmp(path, parent.folder / name, shallow=False):
            share_file(path, parent.folder / name)


def share_file(path: Path, original: Path) -> None:
    """Makes a file the same one as another of equal content; it stays a copy where the file system has no links."""
    if path.samefile(original):
        return
    beside = path.with_name(f".{path.name}.link")
    with suppress(OSError):
        os.link(original, beside)
        beside.replace(path)

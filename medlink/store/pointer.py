"""Which release is current, and which were before: one small file, replaced in one step."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from medlink.errors import ArtifactError
from medlink.store.artifacts import sync
from medlink.store.release import BASE


@dataclass(frozen=True, slots=True)
class Pointer:
    """What is current.

    :param current: the id of a release, or ``base``.
    :param before: what was current before it, the latest last; going back takes from here.
    """

    current: str = BASE
    before: tuple[str, ...] = ()

    def moved_to(self, release_id: str) -> Pointer:
        """With another release current."""
        return self if release_id == self.current else Pointer(release_id, (*self.before, self.current))

    def moved_back(self) -> Pointer | None:
        """With that current which was before; ``None`` where nothing was."""
        return Pointer(self.before[-1], self.before[:-1]) if self.before else None


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_version: Literal[1] = 1
    current: str
    before: tuple[str, ...]


def read_pointer(path: Path) -> Pointer:
    """The pointer in a file; to what ships where there is none.

    :raises ArtifactError: when it is damaged.
    """
    try:
        stored = _File.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return Pointer()
    except (OSError, ValidationError) as error:
        raise ArtifactError(
            "the record of the current release cannot be read",
            where=str(path),
            got=type(error).__name__,
            hint="Say again which one is current: medlink releases promote ID, or base.",
        ) from error
    return Pointer(stored.current, stored.before)


def write_pointer(path: Path, pointer: Pointer) -> None:
    """Replaces the file in one step; the caller holds its lock.

    A process that dies on the way leaves the old pointer or the new one, and at most a file beside it that the next
    one writes over.
    """
    beside = path.with_name(f".{path.name}.part")
    stored = _File(current=pointer.current, before=pointer.before)
    with beside.open("w", encoding="utf-8") as stream:
        stream.write(stored.model_dump_json(indent=2) + "\n")
        stream.flush()
        os.fsync(stream.fileno())
    beside.replace(path)
    sync(path.parent)

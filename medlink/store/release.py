"""A release: an immutable folder with all that links depend on, and where it comes from."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, TypeAlias

from pydantic import ConfigDict, TypeAdapter, ValidationError

from medlink import __version__
from medlink.errors import ArtifactError, SettingError
from medlink.store.artifacts import Facts, FileEntry, Manifest, read_manifest, write_artifact
from medlink.store.events import to_stamp

KIND = "release.v1"
#: What comes with medlink, in the place of a release's id.
BASE = "base"

ENCODER, RANKER, CONTEXT, SETTINGS = "encoder", "ranker.json", "context.json", "settings.json"
ADAPTER = "adapter.safetensors"
MEMORY, MEMORY_NOTES = "memory.safetensors", "memory.json"
BELIEFS = "beliefs.json"
CARD_JSON, CARD_MD, CARD_PNG = "card.json", "card.md", "card.png"
_NEEDED = (ENCODER, RANKER, SETTINGS)
_KNOWN = frozenset({*_NEEDED, CONTEXT, ADAPTER, MEMORY, MEMORY_NOTES, BELIEFS, CARD_JSON, CARD_MD, CARD_PNG})
# What is kept beside, and changes no link.
_SILENT = frozenset({MEMORY, MEMORY_NOTES, BELIEFS, CARD_JSON, CARD_MD, CARD_PNG})

ID = re.compile(r"r(\d{4,})-([0-9a-f]{8})")
Mode: TypeAlias = Literal["surface", "adapter", "full"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseFacts:
    """Where a release comes from.

    :param parent: the id of the release that was refined, or :data:`BASE`.
    :param created: when, with a time zone.
    :param mode: what was trained: the surface tower and the adapter, the adapter alone, or everything.
    :param ontology: its name; ``ontology_version`` and ``ontology_hash`` are its release and its content's hash.
    :param base_encoder: fingerprint of the encoder that came with medlink and that all its ancestors come from.
    :param ledger_seq: the last event of the ledger that it has learned from; 0 for none.
    :param n_lessons: what it was trained on.
    :raises SettingError: when a count is negative or ``created`` has no time zone.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    parent: str
    created: datetime
    mode: Mode
    ontology: str
    ontology_version: str
    ontology_hash: str
    base_encoder: str
    ledger_seq: int
    n_lessons: int
    medlink: str = __version__

    def __post_init__(self) -> None:
        if self.ledger_seq < 0 or self.n_lessons < 0:
            raise SettingError("a release's counts", expected="0 or more", got=f"{self.ledger_seq}, {self.n_lessons}")
        if self.created.tzinfo is None:
            raise SettingError("a release's date", where="created", expected="a time zone", got=f"{self.created}")

    def to_facts(self) -> Facts:
        """As a manifest holds them."""
        return asdict(self) | {"created": to_stamp(self.created)}


_FACTS = TypeAdapter(ReleaseFacts)


@dataclass(frozen=True, slots=True)
class Release:
    """A sound release.

    :param id: ``r``, a running number, and the first eight hex digits of what its links depend on.
    :param files: size and hash by path within the folder.
    """

    id: str
    folder: Path
    facts: ReleaseFacts
    files: Mapping[str, FileEntry]

    @property
    def encoder(self) -> Path:
        """The folder that :func:`medlink.encoder.loading.open_encoder` opens."""
        return self.folder / ENCODER

    @property
    def ranker(self) -> Path:
        """The ranker's weights."""
        return self.folder / RANKER

    @property
    def settings(self) -> Path:
        """The threshold and what else is set."""
        return self.folder / SETTINGS

    @property
    def context(self) -> Path | None:
        """The weights of what a document's other mentions say; ``None`` for those that come with medlink."""
        return self._path(CONTEXT)

    @property
    def adapter(self) -> Path | None:
        """The query adapter's weights, if it has one."""
        return self._path(ADAPTER)

    @property
    def memory(self) -> Path | None:
        """The memory bank, to go on from, if it is kept; ``memory_notes`` is what stands beside it."""
        return self._path(MEMORY)

    @property
    def memory_notes(self) -> Path | None:
        """What the rows of the memory bank are, if that is kept."""
        return self._path(MEMORY_NOTES)

    @property
    def card(self) -> Path | None:
        """The report card as a page, if there is one."""
        return self._path(CARD_MD)

    @property
    def card_chart(self) -> Path | None:
        """The report card as a picture, if there is one."""
        return self._path(CARD_PNG)

    def figures(self) -> dict[str, Any]:
        """What ``card.json`` says; empty without one.

        :raises ArtifactError: when it is no JSON object.
        """
        return read_figures(self.folder)

    def _path(self, name: str) -> Path | None:
        return self.folder / name if name in self.files else None


def open_release(folder: Path) -> Release:
    """The release in a folder, whose files are all as they were when it was made.

    :raises ArtifactError: when it is missing, damaged, not a release's, or has another's name.
    """
    manifest = read_manifest(folder, kind=KIND)
    check_parts(folder)
    named = ID.fullmatch(folder.name)
    content = content_hash(manifest)
    if named is None or named[2] != content[:8]:
        raise ArtifactError(
            "a release under another name", where=str(folder), expected=f"a name that ends in {content[:8]}"
        )
    try:
        facts = _FACTS.validate_python(manifest.facts)
    except (ValidationError, SettingError) as error:
        raise ArtifactError("a release's facts cannot be read", where=str(folder), got=str(error)) from error
    return Release(folder.name, folder, facts, manifest.files)


def copy_release(release: Release, parent: Path) -> Release:
    """The release once more, as a folder in ``parent``: what links depend on, neither memory nor report card."""

    def fill(target: Path) -> Facts:
        for name in release.files:
            if name not in _SILENT:
                (target / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(release.folder / name, target / name)
        return release.facts.to_facts()

    write_artifact(parent / release.id, fill, kind=KIND)
    return open_release(parent / release.id)


def read_figures(folder: Path) -> dict[str, Any]:
    """What the report card in a folder says; empty without one.

    :raises ArtifactError: when it is no JSON object.
    """
    path = folder / CARD_JSON
    try:
        figures = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    except ValueError as error:
        raise ArtifactError("a report card cannot be read", where=str(path), got=type(error).__name__) from error
    if not isinstance(figures, dict):
        raise ArtifactError("a report card cannot be read", where=str(path), expected="an object")
    return figures


def content_hash(manifest: Manifest) -> str:
    """Hex sha256 of the files that links depend on: two releases of one hash link alike."""
    deciding = sorted((name, entry.sha256) for name, entry in manifest.files.items() if name not in _SILENT)
    return hashlib.sha256(json.dumps(deciding).encode()).hexdigest()


def check_parts(folder: Path) -> None:
    """Raises where a release lacks a part or holds something else.

    :raises ArtifactError: naming what is missing, or not known.
    """
    found = {path.name for path in folder.iterdir()} - {"manifest.json"}
    missing, unknown = sorted(set(_NEEDED) - found), sorted(found - _KNOWN)
    if missing or unknown:
        raise ArtifactError(
            "a release of other parts",
            where=str(folder),
            expected=", ".join(_NEEDED),
            got="; ".join((*(f"no {name}" for name in missing), *(f"{name}, which is none" for name in unknown))),
        )

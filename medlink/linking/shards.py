"""Output in shards: a folder of files of so many notes each, whole or absent, with a manifest to go on from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from itertools import chain, count, islice
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from medlink.errors import ArtifactError, SettingError
from medlink.formats.atomic import check_new_folder, new_file
from medlink.formats.shard_formats import SHARD_FORMATS
from medlink.records import Document, LinkedDocument

KIND = "link-shards.v1"
MANIFEST = "manifest.json"

Annotate = Callable[[Iterable[Document]], Iterator[LinkedDocument]]
Finish = Callable[[Iterable[LinkedDocument]], Iterator[LinkedDocument]]


@dataclass(frozen=True, slots=True)
class Shard:
    """A file of the output, as the manifest has it.

    :param file: its name in the folder.
    :param notes_sha256: of the notes it was made of, ids and texts: what tells whether they have changed since.
    :param n_mentions: all links with or without a concept, ``n_links`` those with one, ``n_negated`` the negated of
        these.
    """

    file: str
    n_bytes: int
    sha256: str
    notes_sha256: str
    n_notes: int
    n_mentions: int
    n_links: int
    n_negated: int


@dataclass(frozen=True, slots=True)
class ShardPlan:
    """What a run writes and what its links depend on: equal for two runs that may continue each other.

    :param format: a key of :data:`medlink.formats.shard_formats.SHARD_FORMATS`.
    :param shard_notes: notes in each shard but the last.
    :param run: settings by name.
    """

    format: str
    shard_notes: int
    run: Mapping[str, str]


@dataclass(slots=True)
class Manifest:
    """The state of a folder of shards.

    :param sources: what was read, with the size in bytes of each that is a file.
    :param release: of the model that linked, ``ontology_version`` likewise; empty until a note has a mention.
    :param shards: by number; finished ones only.
    """

    format: str
    shard_notes: int
    run: dict[str, str]
    sources: list[dict[str, str | int | None]]
    release: str = ""
    ontology_version: str = ""
    complete: bool = False
    n_notes: int = 0
    n_links: int = 0
    shards: dict[int, Shard] = field(default_factory=dict)
    kind: str = KIND


_MANIFEST = TypeAdapter(Manifest)


class ShardFolder:
    """A folder of shards that an interrupted run can go on with: only what is missing or damaged is linked.

    The shard of a note is its place among the notes divided by the shard's size, so the same notes give the same
    files, whatever was interrupted when. Memory does not grow with the notes nor with the shards' size.

    :param sources: what the notes are read from, for the manifest.
    """

    def __init__(self, folder: Path, plan: ShardPlan, sources: Iterable[str] = ()) -> None:
        self.folder, self._plan = folder, plan
        self._manifest = Manifest(plan.format, plan.shard_notes, dict(plan.run), list(map(_source, sources)))

    @property
    def finished(self) -> tuple[Shard, ...]:
        """The shards that are whole, in order."""
        return tuple(shard for _, shard in sorted(self._manifest.shards.items()))

    def start(self, *, resume: bool) -> None:
        """Makes the folder ready; with ``resume``, finds out what is in it and whole.

        :raises SettingError: when there is something that is not to be resumed, or that another run has made.
        :raises ArtifactError: when the manifest is damaged.
        """
        path = self.folder / MANIFEST
        if not (resume and path.is_file()):
            check_new_folder(self.folder)
            self.folder.mkdir(parents=True, exist_ok=True)
            self._write_manifest()
            return
        before = _read_manifest(path)
        self._check_same_run(before)
        for partial in self.folder.glob(".*.partial"):
            partial.unlink()
        self._manifest.release, self._manifest.ontology_version = before.release, before.ontology_version
        self._manifest.shards = {n: shard for n, shard in before.shards.items() if self._is_whole(shard)}

    def complete(self, documents: Iterable[Document], annotate: Annotate, finish: Finish = iter) -> Iterator[Path]:
        """Writes every shard that is not there and yields its path.

        :param documents: all of the run's, in their order; those of whole shards are read and compared, not linked.
        :param annotate: links what it is given, in order.
        :param finish: what each shard's documents go through before they are written; it has come to its end before the
            shard is there.
        :raises SettingError: when the notes of a whole shard have changed, or the model or ontology has.
        """
        linked = annotate(self._wanted(documents))
        for number in count():
            if number in self._manifest.shards:
                continue
            first = next(linked, None)
            if first is None:
                break
            yield self._write(number, finish(chain([first], islice(linked, self._plan.shard_notes - 1))))
        self._manifest.complete = True
        self._write_manifest()

    def _wanted(self, documents: Iterable[Document]) -> Iterator[Document]:
        """The documents of the shards that are not there."""
        stream = iter(documents)
        for number in count():
            some = islice(stream, self._plan.shard_notes)
            shard = self._manifest.shards.get(number)
            if shard is None:
                first = next(some, None)
                if first is None:
                    break
                yield first
                yield from some
                continue
            digest = _Digest()
            for document in some:
                digest.add(document)
            if digest.hex != shard.notes_sha256:
                raise self._changed(shard)
        for last in (shard for n, shard in self._manifest.shards.items() if n > number):
            raise self._changed(last)

    def _changed(self, shard: Shard) -> SettingError:
        return SettingError(
            "the notes have changed since the run was interrupted",
            where=str(self.folder / shard.file),
            expected=f"the {shard.n_notes} notes that it was made of",
            hint="Name a new folder for the links of the notes as they are now.",
        )

    def _write(self, number: int, linked: Iterator[LinkedDocument]) -> Path:
        form = SHARD_FORMATS[self._plan.format]
        path = self.folder / f"part-{number:05d}{form.suffix}"
        counted = _Counted(self._manifest, self.folder)
        first_row = 1 + sum(shard.n_mentions for n, shard in self._manifest.shards.items() if n < number)
        with new_file(path) as stream:
            form.write(counted.through(linked), stream, first_row)
        self._manifest.shards[number] = Shard(path.name, path.stat().st_size, _sha256(path), *counted.figures())
        self._write_manifest()
        return path

    def _write_manifest(self) -> None:
        manifest = self._manifest
        manifest.shards = dict(sorted(manifest.shards.items()))
        manifest.n_notes = sum(shard.n_notes for shard in manifest.shards.values())
        manifest.n_links = sum(shard.n_links for shard in manifest.shards.values())
        with new_file(self.folder / MANIFEST) as stream:
            stream.write(json.dumps(asdict(manifest), indent=1, ensure_ascii=False).encode() + b"\n")

    def _check_same_run(self, before: Manifest) -> None:
        now = self._manifest
        old, new = ({"format": m.format, "shard size": str(m.shard_notes), **m.run} for m in (before, now))
        changed = sorted(key for key in old.keys() | new.keys() if old.get(key) != new.get(key))
        if changed:
            raise SettingError(
                "the interrupted run was another one",
                where=str(self.folder),
                got=f"other values of {', '.join(changed)}",
                hint="Run again with the settings of that run, or name a new folder.",
            )

    def _is_whole(self, shard: Shard) -> bool:
        path = self.folder / shard.file
        return path.is_file() and path.stat().st_size == shard.n_bytes and _sha256(path) == shard.sha256


class _Counted:
    """Counts what passes, and holds that one release and one version of the ontology link everything."""

    def __init__(self, manifest: Manifest, folder: Path) -> None:
        self._manifest, self._folder = manifest, folder
        self._digest = _Digest()
        self._n_mentions = self._n_links = self._n_negated = 0

    def through(self, linked: Iterable[LinkedDocument]) -> Iterator[LinkedDocument]:
        """The same documents, counted."""
        for document in linked:
            self._digest.add(document.document)
            for link in document.links:
                self._check(link.release, link.ontology_version)
                self._n_mentions += 1
                self._n_links += link.concept_id is not None
                self._n_negated += link.concept_id is not None and link.mention.assertion.negated
            yield document

    def figures(self) -> tuple[str, int, int, int, int]:
        """The hash of the notes and the counts, in the order of :class:`Shard`."""
        return self._digest.hex, self._digest.n_notes, self._n_mentions, self._n_links, self._n_negated

    def _check(self, release: str, version: str) -> None:
        before = (self._manifest.release, self._manifest.ontology_version)
        if before == ("", ""):
            self._manifest.release, self._manifest.ontology_version = release, version
        elif before != (release, version):
            raise SettingError(
                "model or ontology have changed since the run was interrupted",
                where=str(self._folder),
                expected=f"release {before[0]}, ontology {before[1]}",
                got=f"release {release}, ontology {version}",
                hint="Name a new folder.",
            )


class _Digest:
    """The hash and the number of notes, one behind the other."""

    def __init__(self) -> None:
        self._sha256 = hashlib.sha256()
        self.n_notes = 0

    def add(self, document: Document) -> None:
        """Adds a note."""
        self.n_notes += 1
        for text in (document.id, document.text):
            data = text.encode()
            self._sha256.update(len(data).to_bytes(8, "big") + data)

    @property
    def hex(self) -> str:
        """The hash so far."""
        return self._sha256.hexdigest()


def _source(name: str) -> dict[str, str | int | None]:
    path = Path(name)
    return {"source": name, "n_bytes": path.stat().st_size if path.is_file() else None}


def _read_manifest(path: Path) -> Manifest:
    try:
        manifest = _MANIFEST.validate_json(path.read_bytes())
    except ValidationError as error:
        raise ArtifactError(
            "the manifest of the shards is damaged", where=str(path), hint="Name a new folder."
        ) from error
    if manifest.kind != KIND:
        raise ArtifactError("no manifest of shards", where=str(path), expected=KIND, got=manifest.kind)
    return manifest


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def figures_of(shards: Iterable[Shard]) -> dict[str, int]:
    """The counts of some shards together: ``n_notes``, ``n_mentions``, ``n_links``, ``n_negated``."""
    some = list(shards)
    names = ("n_notes", "n_mentions", "n_links", "n_negated")
    return {name: sum(getattr(shard, name) for shard in some) for name in names}

"""Bringing a user's own ontology into a folder: checked first, then copied, then entered by its manifest."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from medlink.errors import OntologyFormatError, SettingError
from medlink.ontology.catalogue import NAME_PATTERN, Entry, Source, read_manifest, source_path
from medlink.ontology.lexicon import Lexicon
from medlink.ontology.parts import Release, pack_release
from medlink.ontology.readers import FORMATS, format_of, reader_of
from medlink.ontology.source import hash_file


@dataclass(frozen=True, slots=True)
class AddOptions:
    """How an ontology is added.

    :param format: a key of ``FORMATS``; ``None`` for what the file shows.
    :param branch: ids of the concepts to which it is cut by default.
    :param options: what is chosen about the reading, by name; it holds whenever the ontology is read again.
    :param described: what the catalogue says of this ontology already; its licence, homepage, branch and reading
        options hold where neither the file nor the options name one.
    :param replace: whether it may take the place of one of the same name in the folder.
    """

    format: str | None = None
    branch: tuple[str, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    described: Entry | None = None
    replace: bool = False
    show_progress: bool = False


def add_ontology(path: Path, name: str, folder: Path, *, options: AddOptions | None = None) -> Entry:
    """The entry of an ontology that is now in the folder, with a copy of its file.

    Of a release that is a folder, the files that are used are copied into one zip archive.

    The file is read completely first: a broken one changes nothing. The manifest comes last and in one step, so that
    a process killed on the way leaves the folder's catalogue as it was. Files of earlier versions stay in the folder.

    :param name: lower-case letters, digits, dot, dash and underscore.
    :raises OntologyFormatError: when the file is broken.
    :raises UnknownNameError: when its suffix says no format, or a branch is nobody's id.
    :raises SettingError: when the name is no such name, or taken and not to be replaced.
    """
    options = options or AddOptions()
    if not re.fullmatch(NAME_PATTERN, name):
        raise SettingError("no name for an ontology", expected=f"a match of {NAME_PATTERN}", got=repr(name))
    manifest = folder / f"{name}.toml"
    if manifest.exists() and not options.replace:
        raise SettingError(
            f"an ontology {name!r} is there already",
            where=str(manifest),
            hint="Give the new one another name, such as one with its release date, or replace it with --replace.",
        )
    entry, sha256 = _examine(path, name, options)
    folder.mkdir(parents=True, exist_ok=True)
    entry = _pack_folder(path, folder, entry, sha256) if path.is_dir() else _copy_file(path, folder, entry)
    _replace_file(manifest, lambda target: target.write_text(_render(entry), encoding="utf-8"))
    return read_manifest(manifest)


def _examine(path: Path, name: str, options: AddOptions) -> tuple[Entry, str]:
    """The entry of a file or folder that proves readable, and the hash of what was read."""
    chosen = options.format or format_of(path)
    known = options.described
    reading = dict(options.options) or (known.options if known and known.format == chosen else {})
    ontology = reader_of(chosen, reading)(path, name=name, show_progress=options.show_progress)
    branch = options.branch or (known.branch if known else ())
    if branch:
        Lexicon(ontology).branch(*branch)
    suffix = "".join(path.suffixes[-2:]) if path.suffix == ".gz" else path.suffix
    prefixes = Counter(concept.id.partition(":")[0] for concept in ontology.concepts if ":" in concept.id)
    copy = f"{name}-{ontology.sha256[:12]}{'.zip' if path.is_dir() else suffix}"
    entry = Entry(
        name=name,
        title=known.title if known and ontology.title == name else ontology.title,
        version=ontology.version,
        licence=ontology.licence or (known.licence if known else ""),
        homepage=known.homepage if known else "",
        obtain=f"added from {path.name}",
        format=chosen,
        id_prefix=min(prefixes, key=lambda prefix: (-prefixes[prefix], prefix), default=""),
        branch=branch,
        options=reading,
        source=Source(path=Path(copy), sha256=ontology.sha256),
    )
    return entry, ontology.sha256


def _copy_file(path: Path, folder: Path, entry: Entry) -> Entry:
    """The entry, with a copy of the file beside the manifest-to-be."""
    target = folder / source_path(entry)
    _replace_file(target, lambda temporary: shutil.copyfile(path, temporary))
    if entry.source and hash_file(target) != entry.source.sha256:
        target.unlink()
        raise _changed(path)
    return entry


def _pack_folder(path: Path, folder: Path, entry: Entry, sha256: str) -> Entry:
    """The entry, with the files that its reader uses in one archive beside the manifest-to-be."""
    target, release = folder / source_path(entry), Release(path, FORMATS[entry.format].files)
    packed: list[str] = []
    _replace_file(target, lambda temporary: packed.append(pack_release(release, temporary)))
    if packed != [sha256]:
        target.unlink()
        raise _changed(path)
    return entry.model_copy(update={"source": Source(path=Path(target.name), sha256=hash_file(target))})


def _changed(path: Path) -> OntologyFormatError:
    return OntologyFormatError(
        "the file changed while it was read", where=str(path), hint="Add it again when it is complete."
    )


def _replace_file(target: Path, write: Callable[[Path], object]) -> None:
    """Puts a file in place in one step: other processes see the old one or the new one."""
    temporary = target.with_name(f".{target.name}-{os.getpid()}")
    try:
        write(temporary)
        with temporary.open("rb") as stream:
            os.fsync(stream.fileno())
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


def _render(entry: Entry) -> str:
    """The entry as TOML; strings, booleans and lists of strings are written the same there as in JSON."""
    fields = entry.model_dump(mode="json", exclude={"source", "options"})
    lines = [f"{key} = {_quote(value)}" for key, value in fields.items() if value]
    if entry.options:
        reading = entry.model_dump(mode="json")["options"]
        lines += ["", "[options]", *(f"{key} = {_quote(value)}" for key, value in reading.items())]
    source = entry.source.model_dump(mode="json") if entry.source else {}
    lines += ["", "[source]", *(f"{key} = {_quote(value)}" for key, value in source.items() if value), ""]
    return "\n".join(lines)


def _quote(value: str | bool | list[str]) -> str:
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")

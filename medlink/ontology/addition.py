"""Bringing a user's own ontology into a folder: checked first, then copied, then entered by its manifest."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from medlink.errors import OntologyFormatError, SettingError
from medlink.ontology.catalogue import NAME_PATTERN, Entry, Source, read_manifest, source_path
from medlink.ontology.lexicon import Lexicon
from medlink.ontology.readers import format_of, reader_of
from medlink.ontology.source import hash_file


@dataclass(frozen=True, slots=True)
class AddOptions:
    """How an ontology is added.

    :param format: a key of ``READERS``; ``None`` for what the file's suffix says.
    :param branch: ids of the concepts to which it is cut by default.
    :param described: what the catalogue says of this ontology already; its licence, homepage and branch hold where
        neither the file nor the options name one.
    :param replace: whether it may take the place of one of the same name in the folder.
    """

    format: str | None = None
    branch: tuple[str, ...] = ()
    described: Entry | None = None
    replace: bool = False
    show_progress: bool = False


def add_ontology(path: Path, name: str, folder: Path, *, options: AddOptions | None = None) -> Entry:
    """The entry of an ontology that is now in the folder, with a copy of its file.

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
    entry = _examine(path, name, options)
    _copy_file(path, folder, entry)
    _replace_file(manifest, lambda target: target.write_text(_render(entry), encoding="utf-8"))
    return read_manifest(manifest)


def _examine(path: Path, name: str, options: AddOptions) -> Entry:
    """The entry of a file that proves readable."""
    chosen = options.format or format_of(path)
    ontology = reader_of(chosen)(path, name=name, show_progress=options.show_progress)
    known = options.described
    branch = options.branch or (known.branch if known else ())
    if branch:
        Lexicon(ontology).branch(*branch)
    suffix = "".join(path.suffixes[-2:]) if path.suffix == ".gz" else path.suffix
    prefixes = Counter(concept.id.partition(":")[0] for concept in ontology.concepts if ":" in concept.id)
    return Entry(
        name=name,
        title=known.title if known and ontology.title == name else ontology.title,
        version=ontology.version,
        licence=ontology.licence or (known.licence if known else ""),
        homepage=known.homepage if known else "",
        obtain=f"added from {path.name}",
        format=chosen,
        id_prefix=min(prefixes, key=lambda prefix: (-prefixes[prefix], prefix), default=""),
        branch=branch,
        source=Source(path=Path(f"{name}-{ontology.sha256[:12]}{suffix}"), sha256=ontology.sha256),
    )


def _copy_file(path: Path, folder: Path, entry: Entry) -> None:
    """Copies the file beside the manifest-to-be."""
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / source_path(entry)
    _replace_file(target, lambda temporary: shutil.copyfile(path, temporary))
    if entry.source and hash_file(target) != entry.source.sha256:
        target.unlink()
        raise OntologyFormatError(
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
    """The entry as TOML; strings and lists of strings are written the same there as in JSON."""
    fields = entry.model_dump(mode="json", exclude={"source"})
    lines = [f"{key} = {_quote(value)}" for key, value in fields.items() if value]
    source = entry.source.model_dump(mode="json") if entry.source else {}
    lines += ["", "[source]", *(f"{key} = {_quote(value)}" for key, value in source.items() if value), ""]
    return "\n".join(lines)


def _quote(value: str | list[str]) -> str:
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")

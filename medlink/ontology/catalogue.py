"""The catalogue of known ontologies: one TOML manifest each, from which the ontology is found and read."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from medlink.errors import MissingExtraError, OntologyFormatError, SettingError, UnknownNameError
from medlink.ontology.options import make_options
from medlink.ontology.readers import FORMATS, format_of, reader_of
from medlink.ontology.source import Ontology, hash_file

NAME_PATTERN = r"[a-z0-9][a-z0-9._-]*"


class Source(BaseModel):
    """Where the file of an ontology is: inside of an installed package, or beside the manifest.

    :param package: an importable package; it is located, not imported.
    :param file: the file inside of the package; a pattern such as ``data/*.xml`` where its name holds its release.
    :param path: the file of an ontology that a user added; in the manifest relative to the manifest.
    :param sha256: of that file when it was added.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    package: str = ""
    file: str = ""
    path: Path | None = None
    sha256: str = ""

    @model_validator(mode="after")
    def _one_place(self) -> Source:
        in_package, added = bool(self.package and self.file), self.path is not None and bool(self.sha256)
        if in_package == added or bool(self.package) != bool(self.file):
            raise ValueError("expected either package and file, or path and sha256")
        return self


class Entry(BaseModel):
    """What the catalogue knows of an ontology.

    :param version: how it is released, or the version that was added.
    :param obtain: where a user gets it and how it comes in.
    :param format: a key of ``FORMATS``, or what its publisher offers where medlink does not read that.
    :param options: what is chosen about the reading; lists as TOML lists, or with commas.
    :param branch: ids of the concepts to which it is cut by default; empty for all of it.
    :param source: where its file is; ``None`` for an ontology that is described but not here.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=f"^{NAME_PATTERN}$")
    title: str
    version: str = ""
    licence: str = ""
    homepage: str = ""
    obtain: str = ""
    format: str
    id_prefix: str = ""
    branch: tuple[str, ...] = ()
    options: dict[str, str | bool | tuple[str, ...]] = {}
    source: Source | None = None

    @model_validator(mode="after")
    def _readable(self) -> Entry:
        if self.source and self.format not in FORMATS:
            raise ValueError(f"expected one of the formats {', '.join(FORMATS)}, got {self.format!r}")
        if self.options and self.format in FORMATS:
            make_options(FORMATS[self.format].options, self.options, self.format)
        return self


class Catalogue:
    """The manifests of some folders.

    :param folders: of two manifests with one name, the one in the earlier folder counts; missing folders are empty.
    """

    def __init__(self, folders: Sequence[Path]) -> None:
        files = [file for folder in reversed(folders) for file in folder.glob("*.toml")]
        self._manifests = {file.stem: file for file in files}

    def entries(self) -> tuple[Entry, ...]:
        """All entries, by name.

        :raises SettingError: when a manifest is broken; names it.
        """
        return tuple(read_manifest(self._manifests[name]) for name in sorted(self._manifests))

    def __contains__(self, name: str) -> bool:
        return name in self._manifests

    def get(self, name: str) -> Entry:
        """The entry of that name.

        :raises UnknownNameError: when there is none.
        :raises SettingError: when its manifest is broken.
        """
        if name not in self._manifests:
            raise UnknownNameError(
                f"no ontology is called {name!r}",
                expected=f"one of {', '.join(sorted(self._manifests))}",
                hint="'medlink ontology add' brings in another one.",
            )
        return read_manifest(self._manifests[name])


def default_folder() -> Path:
    """The folder of the manifests that come with medlink."""
    packaged = Path(__file__).parent / "catalogue"
    return packaged if packaged.is_dir() else Path(__file__).parents[2] / "ontologies"


def read_manifest(path: Path) -> Entry:
    """The entry of a manifest.

    :raises SettingError: when it is no TOML, breaks the model, or does not carry the name of its file.
    """
    try:
        entry = Entry.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'manifest'}: {e['msg']}" for e in error.errors())
        raise SettingError("the manifest of an ontology is broken", where=str(path), got=problems) from error
    except (OSError, ValueError) as error:
        raise SettingError("the manifest of an ontology is broken", where=str(path), got=str(error)) from error
    if entry.name != path.stem:
        raise SettingError(
            "a manifest does not carry the name of its file", where=str(path), expected=path.stem, got=entry.name
        )
    if entry.source and entry.source.path:
        beside = entry.source.model_copy(update={"path": path.parent / entry.source.path})
        return entry.model_copy(update={"source": beside})
    return entry


def source_path(entry: Entry) -> Path:
    """The file of an ontology.

    :raises SettingError: when the ontology is described but not here; says where to get it.
    :raises MissingExtraError: when the package that carries it is not installed.
    """
    if entry.source is None:
        raise SettingError(
            f"the ontology {entry.name!r} is described but not here",
            got=f"licence: {entry.licence}",
            hint=entry.obtain,
        )
    if entry.source.path:
        return entry.source.path
    spec = find_spec(entry.source.package)
    folders = (spec.submodule_search_locations or ()) if spec else ()
    found = [file for folder in folders for file in sorted(Path(folder).glob(entry.source.file))]
    if len(found) != 1:
        raise MissingExtraError(
            f"the file of the ontology {entry.name!r} is not there",
            expected=f"one file {entry.source.file} in the package {entry.source.package}",
            got=f"{len(found)} files",
            hint=f"pip install --upgrade {entry.source.package.replace('_', '-')}",
        )
    return found[0]


def load_ontology(origin: Entry | Path, *, show_progress: bool = False) -> Ontology:
    """The ontology of an entry, or of a file, folder or archive that shows its format and whose stem is its name.

    :raises OntologyFormatError: when the file is broken, or no longer the one that was added.
    :raises SettingError: when the entry is described only.
    """
    if isinstance(origin, Path):
        name = origin.name.partition(".")[0]
        return reader_of(format_of(origin))(origin, name=name, show_progress=show_progress)
    path = source_path(origin)
    if origin.source and origin.source.sha256 and hash_file(path) != origin.source.sha256:
        raise OntologyFormatError(
            f"the file of the ontology {origin.name!r} is not the one that was added",
            where=str(path),
            expected=f"sha256 {origin.source.sha256}",
            hint="Add it again with 'medlink ontology add --replace'.",
        )
    read = reader_of(origin.format, origin.options)
    ontology = read(path, name=origin.name, show_progress=show_progress)
    return replace(ontology, title=origin.title, licence=ontology.licence or origin.licence)

"""A lexicon as files that are mapped: concepts as JSON Lines, and arrays of names, ids and the graph around them."""

from __future__ import annotations

import hashlib
import inspect
import json
import unicodedata
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medlink import text
from medlink.errors import ArtifactError
from medlink.ontology.columns import Edges, Moved, StringColumn, read_array
from medlink.ontology.concept_json import concept_line
from medlink.ontology.graph import Graph
from medlink.ontology.lexicon import Lexicon, Prepared
from medlink.ontology.name_table import NameTable
from medlink.ontology.source import Ontology
from medlink.ontology.stored import Selected, StoredConcepts

FORMAT = "medlink.lexicon.v2"
HEADER_FILE, CONCEPTS_FILE = "lexicon.json", "concepts.jsonl"
_HINT = "Delete the folder; it is built again."


@cache
def normaliser_hash() -> str:
    """The sha256 of the rules of normalisation: names that other rules made must not be looked up by these."""
    rules = inspect.getsource(text) + unicodedata.unidata_version
    return hashlib.sha256(rules.encode()).hexdigest()


def write_lexicon(lexicon: Lexicon, folder: Path) -> None:
    """Writes a lexicon's files into a folder, which is made where it is missing.

    Not atomic: whoever keeps lexicons writes to a temporary folder and renames it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    ontology, prepared = lexicon.ontology, lexicon.prepared
    table, graph = prepared.table.flattened(), lexicon.graph
    is_current, bounds = list[bool](), [0]
    with (folder / CONCEPTS_FILE).open("wb") as stream:
        for concept in ontology.concepts:
            bounds.append(bounds[-1] + stream.write(f"{concept_line(concept)}\n".encode()))
            is_current.append(not concept.obsolete)
    moved = [(old, new) for old in sorted(graph.moved) for new in graph.moved[old]]
    columns: dict[str, Iterable[str]] = {
        "names": table.names,
        "ids": prepared.ids,
        "moved-from": (old for old, _ in moved),
        "moved-to": (new for _, new in moved),
    }
    files = [folder / CONCEPTS_FILE]
    for name, strings in columns.items():
        files += StringColumn.of(strings).write(folder, name)
    arrays: dict[str, NDArray[Any]] = {
        "lines": np.array(bounds, np.int64),
        "current": np.flatnonzero(is_current).astype(np.int32),
        "name-starts": table.starts,
        "name-bearers": table.bearers,
        "name-spellings": table.spellings,
        "parents-sources": graph.parents.sources,
        "parents-targets": graph.parents.targets,
        "children-sources": graph.children.sources,
        "children-targets": graph.children.targets,
    }
    for name, values in arrays.items():
        files.append(folder / f"{name}.npy")
        np.save(files[-1], values)
    header = {
        "format": FORMAT,
        "normaliser": normaliser_hash(),
        "content_hash": lexicon.content_hash,
        "name": ontology.name,
        "title": ontology.title,
        "version": ontology.version,
        "licence": ontology.licence,
        "sha256": ontology.sha256,
        "runs": table.runs,
        "files": {path.name: path.stat().st_size for path in files},
    }
    (folder / HEADER_FILE).write_text(json.dumps(header, ensure_ascii=False, indent=1), encoding="utf-8")


def read_lexicon(folder: Path) -> Lexicon:
    """The lexicon of a folder, the inverse of :func:`write_lexicon`; its files are mapped, not read.

    :raises ArtifactError: when a file is missing or incomplete, or other rules of normalisation made it.
    """
    try:
        header = json.loads((folder / HEADER_FILE).read_text(encoding="utf-8"))
        _check(header, folder)
        if wrong := [name for name, size in header["files"].items() if (folder / name).stat().st_size != size]:
            raise ValueError(f"other sizes of {', '.join(wrong)}")
        return _read(folder, header)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ArtifactError(
            "the stored lexicon is damaged",
            where=str(folder),
            expected=f"{HEADER_FILE} and the files that it names, as they were written",
            got=f"{type(error).__name__}: {error}",
            hint=_HINT,
        ) from error


def _read(folder: Path, header: Mapping[str, Any]) -> Lexicon:
    def array(name: str) -> Any:  # noqa: ANN401 - of several types
        return read_array(folder / f"{name}.npy")

    def edges(name: str) -> Edges:
        return Edges(array(f"{name}-sources"), array(f"{name}-targets"))

    concepts = StoredConcepts(folder / CONCEPTS_FILE, array("lines"))
    current = array("current")
    ontology = Ontology(
        name=header["name"],
        title=header["title"],
        version=header["version"],
        licence=header["licence"],
        sha256=header["sha256"],
        concepts=concepts,
    )
    names = StringColumn.read(folder, "names")
    table = NameTable(
        names, array("name-starts"), array("name-bearers"), array("name-spellings"), tuple(header["runs"])
    )
    moved = Moved(StringColumn.read(folder, "moved-from"), StringColumn.read(folder, "moved-to"))
    prepared = Prepared(
        content_hash=header["content_hash"],
        table=table,
        ids=StringColumn.read(folder, "ids"),
        concepts=concepts if len(current) == len(concepts) else Selected(concepts, current),
        graph=Graph(edges("parents"), edges("children"), moved),
        folder=folder,
    )
    return Lexicon(ontology, prepared=prepared)


def _check(header: dict[str, Any], folder: Path) -> None:
    expected = {"format": FORMAT, "normaliser": normaliser_hash()}
    got = {key: header[key] for key in expected}
    if got != expected:
        raise ArtifactError(
            "another version of medlink wrote the stored lexicon",
            where=str(folder / HEADER_FILE),
            expected=str(expected),
            got=str(got),
            hint=_HINT,
        )

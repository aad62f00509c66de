"""A lexicon as files: concepts as JSON Lines, the table of names beside them."""

from __future__ import annotations

import hashlib
import inspect
import json
import unicodedata
from array import array
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

from medlink import text
from medlink.errors import ArtifactError
from medlink.ontology.concept_json import concept_line, parse_concept
from medlink.ontology.lexicon import Lexicon, Prepared
from medlink.ontology.name_table import NameTable, find_runs
from medlink.ontology.source import Ontology

FORMAT = "medlink.lexicon.v1"
CONCEPTS_FILE = "concepts.jsonl"
NAMES_FILE = "names.json"
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
    ontology, table = lexicon.ontology, lexicon.prepared.table
    header = {
        "format": FORMAT,
        "normaliser": normaliser_hash(),
        "content_hash": lexicon.content_hash,
        "name": ontology.name,
        "title": ontology.title,
        "version": ontology.version,
        "licence": ontology.licence,
        "sha256": ontology.sha256,
        "n_concepts": len(ontology.concepts),
    }
    with (folder / CONCEPTS_FILE).open("w", encoding="utf-8", newline="\n") as stream:
        stream.write(json.dumps(header, ensure_ascii=False) + "\n")
        stream.writelines(f"{concept_line(concept)}\n" for concept in ontology.concepts)
    with (folder / NAMES_FILE).open("w", encoding="utf-8", newline="\n") as stream:
        columns = (list(table.starts), list(table.bearers), list(table.spellings))
        json.dump((lexicon.content_hash, table.names, *columns), stream, ensure_ascii=False, separators=(",", ":"))


def read_lexicon(folder: Path) -> Lexicon:
    """The lexicon of a folder, the inverse of :func:`write_lexicon`.

    :raises ArtifactError: when a file is missing or incomplete, or other rules of normalisation made it.
    """
    try:
        with (folder / CONCEPTS_FILE).open(encoding="utf-8", newline="\n") as stream:
            header = json.loads(stream.readline())
            _check(header, folder)
            ontology = Ontology(
                name=header["name"],
                title=header["title"],
                version=header["version"],
                licence=header["licence"],
                sha256=header["sha256"],
                concepts=tuple(map(parse_concept, islice(stream, header["n_concepts"]))),
            )
        names_hash, names, *columns = json.loads((folder / NAMES_FILE).read_text(encoding="utf-8"))
        starts, bearers, spellings = (array("I", column) for column in columns)
        table = NameTable(tuple(names), starts, bearers, spellings, find_runs(names))
    except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
        raise ArtifactError(
            "the stored lexicon is damaged",
            where=str(folder),
            expected=f"{CONCEPTS_FILE} and {NAMES_FILE} as they were written",
            got=f"{type(error).__name__}: {error}",
            hint=_HINT,
        ) from error
    expected, got = (header["n_concepts"], header["content_hash"]), (len(ontology.concepts), names_hash)
    if got != expected:
        raise ArtifactError(
            "the stored lexicon is damaged",
            where=str(folder),
            expected=f"{expected[0]} concepts and the names of {expected[1]}",
            got=f"{got[0]} and {got[1]}",
            hint=_HINT,
        )
    return Lexicon(ontology, prepared=Prepared(header["content_hash"], table))


def _check(header: dict[str, Any], folder: Path) -> None:
    expected = {"format": FORMAT, "normaliser": normaliser_hash()}
    got = {key: header[key] for key in expected}
    if got != expected:
        raise ArtifactError(
            "another version of medlink wrote the stored lexicon",
            where=str(folder / CONCEPTS_FILE),
            expected=str(expected),
            got=str(got),
            hint=_HINT,
        )

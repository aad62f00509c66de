"""Plain tables of concepts (CSV or TSV with a header line) into concepts."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path

from tqdm import tqdm

from medlink.errors import OntologyFormatError
from medlink.ontology.source import ConceptCollector, Ontology, distinct_synonyms, hash_file, read_lines, tidy
from medlink.records import Concept, Name

REQUIRED = ("id", "name")
COLUMNS = (*REQUIRED, "synonyms", "parents", "type", "definition")
SEPARATOR = "|"
_DELIMITERS = ",;\t"


def read_table(path: Path, *, name: str, show_progress: bool = False) -> Ontology:
    """The rows of a table, plain or gzipped, as concepts.

    Columns, in any order: id and name, and where there are some synonyms (separated by ``|``, all of them exact),
    parents (ids, separated by ``|``), type and definition. The delimiter is a tab in ``.tsv`` files, else whichever of
    comma, semicolon and tab the header has most of. Quoting as in CSV: a quoted cell may contain line ends.

    A table knows no release: the version is the start of its sha256.

    :param name: the ontology's key in the catalogue.
    :raises OntologyFormatError: when a column or a cell is missing, unknown or empty, or an id comes twice; names file
        and line.
    """
    sha256 = hash_file(path)
    rows = _read_rows(path)
    line, header = next(rows, (1, []))
    columns = _check_header(header, f"{path}:{line}")
    collector = ConceptCollector(path)
    for line, cells in tqdm(rows, desc=f"reading {path.name}", unit=" rows", disable=not show_progress):
        where = f"{path}:{line}"
        if len(cells) != len(columns):
            raise OntologyFormatError(
                "the row does not fit the header", where=where, expected=f"{len(columns)} cells", got=str(len(cells))
            )
        collector.add(_read_concept(dict(zip(columns, cells, strict=True)), where), line)
    return Ontology(
        name=name,
        title=name,
        version=f"sha256:{sha256[:12]}",
        licence="",
        sha256=sha256,
        concepts=collector.sorted_concepts(),
    )


def _read_rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """The rows that are not empty, each with the number of its first line."""
    lines = read_lines(path)
    header = next(lines, "")
    delimiter = "\t" if ".tsv" in path.suffixes else max(_DELIMITERS, key=header.count)
    rows = csv.reader(chain([header], lines), delimiter=delimiter, strict=True)
    while True:
        first_line = rows.line_num + 1
        try:
            cells = next(rows, None)
        except csv.Error as error:
            raise OntologyFormatError(
                "the row is no CSV", where=f"{path}:{first_line}", expected="cells with closed quotes", got=str(error)
            ) from error
        if cells is None:
            return
        if any(cells):
            yield first_line, cells


def _check_header(cells: Sequence[str], where: str) -> list[str]:
    """The columns' names in lower case."""
    columns = [tidy(cell).lower() for cell in cells]
    missing = [column for column in REQUIRED if column not in columns]
    unknown = sorted(set(columns) - set(COLUMNS))
    twice = sorted({column for column in columns if columns.count(column) > 1})
    if missing or unknown or twice:
        faults = {"missing": missing, "unknown": unknown, "twice": twice}
        raise OntologyFormatError(
            "the header does not name the columns",
            where=where,
            expected=f"id, name and any of {', '.join(COLUMNS[2:])}",
            got="; ".join(f"{fault}: {', '.join(map(repr, found))}" for fault, found in faults.items() if found),
            hint="Rename the columns, or remove those that medlink does not know.",
        )
    return columns


def _read_concept(row: dict[str, str], where: str) -> Concept:
    values = {column: tidy(cell) for column, cell in row.items()}
    for column in REQUIRED:
        if not values[column]:
            raise OntologyFormatError(f"the {column} is empty", where=where, expected=f"a value in column {column!r}")
    return Concept(
        id=values["id"],
        name=values["name"],
        synonyms=distinct_synonyms(values["name"], map(Name, _split(values.get("synonyms", "")))),
        definition=values.get("definition", ""),
        parents=tuple(sorted(set(_split(values.get("parents", ""))))),
        semantic_type=sys.intern(values.get("type", "")),
    )


def _split(cell: str) -> list[str]:
    return [part for part in map(tidy, cell.split(SEPARATOR)) if part]

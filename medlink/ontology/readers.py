"""The formats of ontology files that can be read."""

from __future__ import annotations

from pathlib import Path

from medlink.errors import UnknownNameError
from medlink.ontology.icd10cm import read_icd10cm
from medlink.ontology.name_lines import read_name_lines
from medlink.ontology.obo import read_obo
from medlink.ontology.source import OntologyReader, read_lines
from medlink.ontology.table import read_table

READERS: dict[str, OntologyReader] = {
    "obo": read_obo,
    "icd10cm": read_icd10cm,
    "table": read_table,
    "biosyn": read_name_lines,
}
_SUFFIXES = {".obo": "obo", ".csv": "table", ".tsv": "table", ".txt": "table"}


def reader_of(format_name: str) -> OntologyReader:
    """The reader of a format.

    :raises UnknownNameError: when there is none.
    """
    if format_name not in READERS:
        raise UnknownNameError(
            "no reader for this ontology format", expected=f"one of {', '.join(READERS)}", got=repr(format_name)
        )
    return READERS[format_name]


def format_of(path: Path) -> str:
    """The format that a file's suffix stands for, a ``.gz`` behind it aside.

    A ``.txt`` file whose first line holds ``||`` is in BioSyn's, any other one a table.

    >>> format_of(Path("mondo.obo.gz"))
    'obo'

    :raises UnknownNameError: when the suffix stands for none.
    """
    suffix = path.with_suffix("").suffix if path.suffix == ".gz" else path.suffix
    if suffix.lower() not in _SUFFIXES:
        raise UnknownNameError(
            "the suffix stands for no known ontology format",
            where=str(path),
            expected=", ".join(_SUFFIXES),
            got=repr(suffix),
            hint=f"Name the format with --format: {', '.join(READERS)}.",
        )
    found = _SUFFIXES[suffix.lower()]
    return "biosyn" if suffix.lower() == ".txt" and _is_dictionary(path) else found


def _is_dictionary(path: Path) -> bool:
    return path.is_file() and "||" in next(read_lines(path), "")

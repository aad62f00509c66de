"""Every output format by name, written whole or not at all."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from importlib import import_module
from pathlib import Path
from typing import Any, BinaryIO

from medlink.errors import UnknownNameError
from medlink.formats.atomic import check_new_file, check_new_folder, new_file, new_folder
from medlink.formats.brat import write_brat
from medlink.formats.csv_table import write_csv
from medlink.formats.doccano import write_doccano
from medlink.formats.fhir import is_held as is_held_by_fhir
from medlink.formats.fhir import write_fhir
from medlink.formats.jsonl import write_jsonl
from medlink.formats.label_studio import write_label_studio
from medlink.formats.link_table import write_parquet
from medlink.formats.medcattrainer import write_medcattrainer
from medlink.formats.note_nlp import note_number, write_note_nlp_csv, write_note_nlp_parquet
from medlink.formats.phenopackets import is_held as is_held_by_phenopackets
from medlink.formats.phenopackets import write_phenopackets
from medlink.formats.prodigy import write_prodigy
from medlink.formats.pubtator import write_pubtator
from medlink.records import Link, LinkedDocument

#: The formats that are a folder of files.
FOLDER_FORMATS = frozenset({"brat", "cas-xmi", "cas-json", "phenopackets"})
#: The formats whose notes have numbers for ids.
NUMBERED_FORMATS = frozenset({"omop-csv", "omop-parquet"})

Writer = Callable[[Iterable[LinkedDocument], Path], tuple[Path, ...]]


def write_links(links: Iterable[LinkedDocument], path: Path, *, format: str) -> tuple[Path, ...]:
    """The paths written, in a fixed order: one file, or every file of the folder.

    Documents are taken one at a time. What is at ``path`` appears only when all of them are written and synced; when
    ``links`` raises, an older file stays as it was. The same documents give the same bytes.

    :param path: the file to write, replaced if there is one; for :data:`FOLDER_FORMATS` a new or empty folder.
    :param format: a key of :data:`WRITERS`.
    :raises UnknownNameError: when no format has that name.
    :raises SettingError: when ``path`` is no place for it.
    """
    if format not in WRITERS:
        raise UnknownNameError("no such output format", expected=", ".join(WRITERS), got=repr(format))
    return WRITERS[format](links, path)


def check_output(path: Path, *, format: str) -> None:
    """Raises :class:`SettingError` where :func:`write_links` would refuse the path: to be asked before long work."""
    (check_new_folder if format in FOLDER_FORMATS else check_new_file)(path)


def check_note_id(doc_id: str, *, format: str) -> None:
    """Raises :class:`SettingError` where a format cannot name the note: to be asked before it is linked."""
    if format in NUMBERED_FORMATS:
        note_number(doc_id)


def is_held(link: Link, *, format: str) -> bool:
    """Whether a format has a place for the link; all but those for patient records have one for every link."""
    return format not in _HOLDS or _HOLDS[format](link)


def _to_file(write: Callable[[Iterable[LinkedDocument], BinaryIO], None]) -> Writer:
    def write_file(links: Iterable[LinkedDocument], path: Path) -> tuple[Path, ...]:
        with new_file(path) as stream:
            write(links, stream)
        return (path,)

    return write_file


def _to_folder(write: Callable[[Iterable[LinkedDocument], Path], Iterable[Path]]) -> Writer:
    def write_folder(links: Iterable[LinkedDocument], path: Path) -> tuple[Path, ...]:
        with new_folder(path) as folder:
            names = tuple(write(links, folder))
        return tuple(path / name for name in names)

    return write_folder


def _late(module: str, function: str) -> Callable[..., Any]:
    """The function, imported when it is called: spaCy, the template engine and optional packages take their time."""

    def write(links: Iterable[LinkedDocument], to: Any) -> Any:  # noqa: ANN401 - stream or folder
        return getattr(import_module(f"medlink.formats.{module}"), function)(links, to)

    return write


WRITERS: dict[str, Writer] = {
    "jsonl": _to_file(write_jsonl),
    "csv": _to_file(write_csv),
    "brat": _to_folder(write_brat),
    "pubtator": _to_file(write_pubtator),
    "docbin": _to_file(_late("docbin", "write_docbin")),
    "html": _to_file(_late("html_page", "write_html")),
    "prodigy": _to_file(write_prodigy),
    "label-studio": _to_file(write_label_studio),
    "medcattrainer": _to_file(write_medcattrainer),
    "doccano": _to_file(write_doccano),
    "bioc": _to_file(_late("bioc", "write_bioc")),
    "bioc-json": _to_file(_late("bioc", "write_bioc_json")),
    "cas-xmi": _to_folder(_late("cas", "write_cas_xmi")),
    "cas-json": _to_folder(_late("cas", "write_cas_json")),
    "parquet": _to_file(write_parquet),
    "omop-csv": _to_file(write_note_nlp_csv),
    "omop-parquet": _to_file(write_note_nlp_parquet),
    "fhir": _to_file(write_fhir),
    "phenopackets": _to_folder(write_phenopackets),
}
_HOLDS: dict[str, Callable[[Link], bool]] = {"fhir": is_held_by_fhir, "phenopackets": is_held_by_phenopackets}

"""Every output format by name, written whole or not at all."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import BinaryIO

from medlink.errors import UnknownNameError
from medlink.formats.atomic import check_new_file, check_new_folder, new_file, new_folder
from medlink.formats.brat import write_brat
from medlink.formats.csv_table import write_csv
from medlink.formats.jsonl import write_jsonl
from medlink.formats.pubtator import write_pubtator
from medlink.records import LinkedDocument

# The one format that is a folder of files.
FOLDER_FORMAT = "brat"

Writer = Callable[[Iterable[LinkedDocument], Path], tuple[Path, ...]]


def write_links(links: Iterable[LinkedDocument], path: Path, *, format: str) -> tuple[Path, ...]:
    """The paths written, in a fixed order: one file, or every file of the folder for brat.

    Documents are taken one at a time. What is at ``path`` appears only when all of them are written and synced; when
    ``links`` raises, an older file stays as it was. The same documents give the same bytes.

    :param path: the file to write, replaced if there is one; for brat a new or empty folder.
    :param format: a key of :data:`WRITERS`.
    :raises UnknownNameError: when no format has that name.
    :raises SettingError: when ``path`` is no place for it.
    """
    if format not in WRITERS:
        raise UnknownNameError("no such output format", expected=", ".join(WRITERS), got=repr(format))
    return WRITERS[format](links, path)


def check_output(path: Path, *, format: str) -> None:
    """Raises :class:`SettingError` where :func:`write_links` would refuse the path: to be asked before long work."""
    (check_new_folder if format == FOLDER_FORMAT else check_new_file)(path)


def _to_file(write: Callable[[Iterable[LinkedDocument], BinaryIO], None]) -> Writer:
    def write_file(links: Iterable[LinkedDocument], path: Path) -> tuple[Path, ...]:
        with new_file(path) as stream:
            write(links, stream)
        return (path,)

    return write_file


def _write_brat_folder(links: Iterable[LinkedDocument], path: Path) -> tuple[Path, ...]:
    with new_folder(path) as folder:
        names = tuple(write_brat(links, folder))
    return tuple(path / name for name in names)


def _write_docbin(links: Iterable[LinkedDocument], stream: BinaryIO) -> None:
    from medlink.formats.docbin import write_docbin  # spaCy takes seconds to import; the other formats need none of it

    write_docbin(links, stream)


def _write_html(links: Iterable[LinkedDocument], stream: BinaryIO) -> None:
    from medlink.formats.html_page import write_html  # so that only this format loads the template engine

    write_html(links, stream)


WRITERS: dict[str, Writer] = {
    "jsonl": _to_file(write_jsonl),
    "csv": _to_file(write_csv),
    FOLDER_FORMAT: _write_brat_folder,
    "pubtator": _to_file(write_pubtator),
    "docbin": _to_file(_write_docbin),
    "html": _to_file(_write_html),
}

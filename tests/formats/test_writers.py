from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from medlink.errors import SettingError, UnknownNameError
from medlink.formats.atomic import new_file
from medlink.formats.links_json import parse_line
from medlink.formats.note_files import NoteOptions
from medlink.formats.notes import read_notes
from medlink.formats.writers import FOLDER_FORMATS, WRITERS, write_links
from medlink.records import LinkedDocument
from tests.formats.samples import DOCUMENTS, FORMULA, UNICODE, WARD, documents_for

FORMATS = list(WRITERS)


def _contents(path: Path) -> dict[str, bytes]:
    if path.is_file():
        return {path.name: path.read_bytes()}
    return {str(p.relative_to(path)): p.read_bytes() for p in sorted(path.rglob("*")) if p.is_file()}


def _broken(format: str) -> Iterator[LinkedDocument]:
    yield documents_for(format)[0]
    raise KeyboardInterrupt


def test_writers_are_these() -> None:
    assert FORMATS == [
        "jsonl", "csv", "brat", "pubtator", "docbin", "html", "prodigy", "label-studio", "medcattrainer", "doccano",
        "bioc", "bioc-json", "cas-xmi", "cas-json", "parquet", "omop-csv", "omop-parquet", "fhir", "phenopackets",
    ]  # fmt: skip


@pytest.mark.parametrize("format", FORMATS)
def test_write_links_returns_every_file_it_wrote_and_leaves_no_other(tmp_path: Path, format: str) -> None:
    target = tmp_path / "new" / "out"
    written = write_links(iter(documents_for(format)), target, format=format)
    assert sorted(written) == sorted(path for path in tmp_path.rglob("*") if path.is_file())
    assert len(set(written)) == len(written)
    assert all(path == target or path.is_relative_to(target) for path in written)


@pytest.mark.parametrize("format", FORMATS)
def test_write_links_gives_the_same_bytes_again(tmp_path: Path, format: str) -> None:
    write_links(documents_for(format), tmp_path / "a", format=format)
    write_links(list(documents_for(format)), tmp_path / "b", format=format)
    assert list(_contents(tmp_path / "a").values()) == list(_contents(tmp_path / "b").values())


@pytest.mark.parametrize("format", FORMATS)
def test_write_links_of_nothing_is_a_whole_file(tmp_path: Path, format: str) -> None:
    written = write_links((), tmp_path / "out", format=format)
    assert all(path.is_file() for path in written)
    assert written or format in ("cas-json", "phenopackets")  # folders with a file per note and no other
    assert (tmp_path / "out").exists()


@pytest.mark.parametrize("format", FORMATS)
def test_write_links_interrupted_leaves_nothing(tmp_path: Path, format: str) -> None:
    with pytest.raises(KeyboardInterrupt):
        write_links(_broken(format), tmp_path / "out", format=format)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("format", [name for name in FORMATS if name not in FOLDER_FORMATS])
def test_write_links_interrupted_keeps_the_older_file(tmp_path: Path, format: str) -> None:
    target = tmp_path / "out"
    target.write_text("older")
    with pytest.raises(KeyboardInterrupt):
        write_links(_broken(format), target, format=format)
    assert _contents(tmp_path) == {"out": b"older"}


@pytest.mark.parametrize("format", ["jsonl", "csv", "pubtator"])
def test_write_links_writes_each_note_apart_from_the_others(tmp_path: Path, format: str) -> None:
    [both] = write_links((WARD, UNICODE), tmp_path / "both", format=format)
    parts = [write_links((linked,), tmp_path / linked.document.id, format=format)[0] for linked in (WARD, UNICODE)]
    header = write_links((), tmp_path / "none", format=format)[0].read_bytes()
    assert both.read_bytes() == header + b"".join(part.read_bytes().removeprefix(header) for part in parts)


def test_write_links_replaces_an_older_file(tmp_path: Path) -> None:
    target = tmp_path / "out.jsonl"
    write_links(DOCUMENTS, target, format="jsonl")
    write_links((WARD,), target, format="jsonl")
    assert [parse_line(line) for line in target.read_text().splitlines()] == [WARD]


def test_write_links_gives_jsonl_that_reads_as_notes(tmp_path: Path) -> None:
    [path] = write_links((WARD, UNICODE, FORMULA), tmp_path / "out.jsonl", format="jsonl")
    notes = list(read_notes([str(path)], options=NoteOptions()))
    assert notes == [linked.document for linked in (WARD, UNICODE, FORMULA)]


def test_write_links_never_writes_over_an_edited_folder(tmp_path: Path) -> None:
    target = tmp_path / "brat"
    write_links((WARD,), target, format="brat")
    before = _contents(target)
    with pytest.raises(SettingError, match=r"output folder is not empty.*Name a new folder"):
        write_links((UNICODE,), target, format="brat")
    assert _contents(target) == before


def test_write_links_takes_an_empty_folder(tmp_path: Path) -> None:
    (tmp_path / "brat").mkdir()
    written = write_links((WARD,), tmp_path / "brat", format="brat")
    assert tmp_path / "brat" / "ward 3" / "fits.ann" in written


@pytest.mark.parametrize("format", FORMATS)
def test_write_links_refuses_what_is_no_regular_file(tmp_path: Path, format: str) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "kept").write_text("x")
    for name in ("pipe", "folder"):
        with pytest.raises(SettingError, match=name):
            write_links((WARD,), tmp_path / name, format=format)
    assert (tmp_path / "pipe").is_fifo()


def test_write_links_names_the_known_formats() -> None:
    with pytest.raises(UnknownNameError, match=r"jsonl, csv, brat, pubtator, .*; got 'xml'"):
        write_links((), Path("out"), format="xml")


def test_new_file_follows_a_link_to_its_file(tmp_path: Path) -> None:
    (tmp_path / "real").write_text("older")
    (tmp_path / "link").symlink_to("real")
    with new_file(tmp_path / "link") as stream:
        stream.write(b"newer")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_text() == "newer"


def test_new_file_has_the_usual_permissions(tmp_path: Path) -> None:
    with new_file(tmp_path / "new"):
        pass
    (tmp_path / "usual").touch()
    assert (tmp_path / "new").stat().st_mode == (tmp_path / "usual").stat().st_mode

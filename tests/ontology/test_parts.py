"""Releases of several files: found in folders and archives, gzipped or split, read as streams."""

from __future__ import annotations

import gzip
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from medlink.errors import OntologyFormatError
from medlink.ontology.parts import Release, hash_release, pack_release

ROWS = b"A|1|\nB|2|\nC|3|\n"
WANTED = {"CONSO": r"MRCONSO\.RRF"}


def as_file(folder: Path) -> Path:
    (folder / "MRCONSO.RRF").write_bytes(ROWS)
    return folder / "MRCONSO.RRF"


def as_folder(folder: Path) -> Path:
    (folder / "2024AB" / "META").mkdir(parents=True)
    (folder / "2024AB" / "META" / "mrconso.rrf").write_bytes(ROWS)
    (folder / "2024AB" / "META" / "MRCONSO.RRF.md5").write_bytes(b"not this")
    return folder


def as_split_parts(folder: Path) -> Path:
    (folder / "MRCONSO.RRF.aa.gz").write_bytes(gzip.compress(ROWS[:7]))
    (folder / "MRCONSO.RRF.ab.gz").write_bytes(gzip.compress(ROWS[7:]))
    return folder


def as_archive(folder: Path) -> Path:
    with zipfile.ZipFile(folder / "meta.zip", "w") as archive:
        archive.writestr("2024AB/META/MRCONSO.RRF", ROWS)
        archive.writestr("2024AB/prescribe/META/MRCONSO.RRF", b"deeper\n")
    return folder / "meta.zip"


def as_archive_in_a_folder(folder: Path) -> Path:
    with zipfile.ZipFile(folder / "2024ab-1-meta.nlm", "w") as archive:
        archive.writestr("2024AB/META/MRCONSO.RRF.aa.gz", gzip.compress(ROWS))
    return folder


@pytest.mark.parametrize("store", [as_file, as_folder, as_split_parts, as_archive, as_archive_in_a_folder])
def test_release_reads_the_same_lines_however_they_are_stored(store: Callable[[Path], Path], tmp_path: Path) -> None:
    release = Release(store(tmp_path), WANTED)
    assert "CONSO" in release
    assert [line.text for line in release.lines("CONSO")] == ["A|1|", "B|2|", "C|3|"]


def test_release_names_file_and_line_inside_of_an_archive(tmp_path: Path) -> None:
    path = as_archive(tmp_path)
    assert [line.where for line in Release(path, WANTED).lines("CONSO")][-1] == f"{path}/2024AB/META/MRCONSO.RRF:3"


def test_release_refuses_two_releases_in_one_place(tmp_path: Path) -> None:
    for year in ("2023AB", "2024AB"):
        (tmp_path / year).mkdir()
        as_file(tmp_path / year)
    with pytest.raises(OntologyFormatError, match=r"several releases in one place.*got 2023AB, 2024AB"):
        Release(tmp_path, WANTED)


def test_release_says_which_file_is_missing(tmp_path: Path) -> None:
    with pytest.raises(OntologyFormatError, match="a file of the release is missing; expected CONSO"):
        Release(tmp_path, WANTED).need("CONSO")


def test_release_names_the_line_that_is_no_utf8(tmp_path: Path) -> None:
    (tmp_path / "MRCONSO.RRF").write_bytes(b"A|1|\n\xff|2|\n")
    with pytest.raises(OntologyFormatError, match=r"MRCONSO\.RRF:2: a byte that is no UTF-8"):
        list(Release(tmp_path, WANTED).lines("CONSO"))


@pytest.mark.parametrize("content", [b"PK\x03\x04 cut off", b""], ids=["cut off", "empty"])
def test_release_says_when_an_archive_is_broken(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "meta.zip").write_bytes(content)
    with pytest.raises(OntologyFormatError, match=r"meta\.zip: the file cannot be read"):
        Release(tmp_path / "meta.zip", WANTED)


def test_tables_find_their_columns_by_the_header(tmp_path: Path) -> None:
    (tmp_path / "MRCONSO.RRF").write_bytes(b"\xef\xbb\xbfId\tx\tTerm\r\n1\t\tFit\r\n")
    rows = Release(tmp_path, WANTED).tables("CONSO", ["term", "id"])
    assert [cells for _, cells in rows] == [["Fit", "1"]]
    with pytest.raises(OntologyFormatError, match=r"MRCONSO\.RRF:1: the header lacks columns; expected name"):
        list(Release(tmp_path, WANTED).tables("CONSO", ["id", "name"]))


def test_packed_release_is_the_same_archive_each_time_and_reads_alike(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    release = Release(as_folder(tmp_path / "folder"), WANTED)
    hashes = {pack_release(release, tmp_path / name) for name in ("a.zip", "b.zip")}
    assert hashes == {hash_release(release)} == {release.sha256}
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()
    assert list(Release(tmp_path / "a.zip", WANTED).lines("CONSO"))[2].text == "C|3|"


def test_hash_of_a_folder_counts_the_files_that_are_used(tmp_path: Path) -> None:
    path = as_folder(tmp_path)
    before = Release(path, WANTED).sha256
    (path / "notes.txt").write_text("not used", encoding="utf-8")
    assert Release(path, WANTED).sha256 == before
    (path / "2024AB" / "META" / "mrconso.rrf").write_bytes(ROWS + b"D|4|\n")
    assert Release(path, WANTED).sha256 != before

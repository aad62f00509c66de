"""Files that are broken or meant to do harm: every one ends in records or in a reason, soon, and nothing else."""

from __future__ import annotations

import io
import json
import os
import random
import stat
import time
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from medlink.formats.annotation_jsonl import write_annotation_csv, write_annotation_jsonl
from medlink.formats.annotations import READERS, read_annotations
from medlink.formats.batch_files import Limits
from medlink.formats.csv_table import write_csv
from medlink.formats.writers import FOLDER_FORMATS, write_links
from medlink.records import Annotation, Rejected
from tests.formats.annotating import ANNOTATORS, BASELINE, NOTE, OTHER, SMALL, read, read_bytes
from tests.formats.samples import FORMULA
from tests.formats.test_webanno_tsv import TSV

# Of the note, which no reason may quote.
WORDS = ("zebra", "GERD", "attack", "HISTORY")
JSON_FORMATS = ["prodigy", "label-studio", "medcattrainer", "doccano", "bioc-json", "cas-json"]


@pytest.fixture(scope="module")
def exports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[str, bytes]]:
    """A valid file of every format, with the name that it needs."""
    folder = tmp_path_factory.mktemp("exports")
    files = {"webanno-tsv": ("note.tsv", TSV.encode())}
    for format, annotate in ANNOTATORS.items():
        write_links([NOTE, OTHER], folder / format, format=format)
        annotate(folder / format)
        path = folder / format
        if format in FOLDER_FORMATS:
            path = next(p for p in sorted(path.rglob("*note.1*")) if p.suffix in (".ann", ".xmi", ".json"))
        files[format] = (path.name, path.read_bytes())
    own = [item for item in read_annotations(folder / "prodigy") if isinstance(item, Annotation)]
    for format, write in (("jsonl", write_annotation_jsonl), ("csv", write_annotation_csv)):
        stream = io.BytesIO()
        write(own, stream)
        files[format] = (f"own.{format}", stream.getvalue())
    files["types"] = ("TypeSystem.xml", (folder / "cas-xmi" / "TypeSystem.xml").read_bytes())
    return files


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, exports: dict[str, tuple[str, bytes]]) -> Path:
    """A folder for files that are read one by one, with the companions that some need."""
    folder = tmp_path_factory.mktemp("place")
    (folder / "TypeSystem.xml").write_bytes(exports["types"][1])
    (folder / "note.1.txt").write_bytes(NOTE.document.text.encode())
    return folder


def check(path: Path, format: str, limits: Limits = SMALL) -> list[Annotation | Rejected]:
    """What is read, all of it of the right kind, none of it with more of the file in its reason than a few words."""
    started = time.monotonic()
    items = list(read_annotations(path, format, baseline=BASELINE, limits=limits))
    assert time.monotonic() - started < 5
    assert all(isinstance(item, Annotation | Rejected) for item in items)
    for item in items:
        if isinstance(item, Rejected):
            assert not any(word in item.reason for word in WORDS)
            item.raw.encode()
        else:
            assert item.doc_id.encode() and item.surface is not None
    return items


@pytest.mark.parametrize("format", READERS)
@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 0.999])
def test_truncated(format: str, share: float, exports: dict[str, tuple[str, bytes]], place: Path) -> None:
    name, data = exports[format]
    (place / name).write_bytes(data[: int(len(data) * share)])
    check(place / name, format)


@pytest.mark.parametrize("format", READERS)
@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32", "cp037"])
def test_wrong_encodings(format: str, encoding: str, exports: dict[str, tuple[str, bytes]], place: Path) -> None:
    name, data = exports[format]
    text = data.decode(errors="replace").encode(encoding, errors="replace")
    (place / name).write_bytes(text)
    good = [item for item in check(place / name, format) if isinstance(item, Annotation)]
    assert good == [] or format in ("bioc", "cas-xmi")  # whose parser knows some encodings


@pytest.mark.parametrize("format", READERS)
@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x00" * 5_000,
        b"\xff\xfe\xfd",
        b"\xef\xbb\xbf",
        b"[" * 90_000,
        b'{"a":' * 20_000,
        b"<a>" * 20_000,
        b"[" + b"9" * 50_000 + b"]",
        b'{"text": "\\ud800", "answer": "accept"}',
        b'{"text": NaN, "answer": "accept"}',
        b'[{"data": {"text": "a", "id": "x"}, "annotations": [{"result": ' + b"[" * 600 + b"]" * 600 + b"}]}]",
        b'{"documents": [{"id": "x", "passages": '
        + b'[{"offset": 0, "sentences": ' * 400
        + b"[]"
        + b"}]" * 400
        + b"}]}",
        b"a" * 200_000,
        b"\n" * 100_000,
        b"T1\t" + b"9" * 1_000 + b"\n",
        b"x|t|" + b"a" * 150_000 + b"\n",
        zlib.compress(b"\x00" * 2_000_000),
        zlib.compress(b"\x81\xa7version"),
    ],
    ids=lambda data: repr(data[:12]),
)
def test_what_is_no_annotation_at_all(
    format: str, data: bytes, exports: dict[str, tuple[str, bytes]], place: Path
) -> None:
    name = exports[format][0]
    (place / name).write_bytes(data)
    good = [item for item in check(place / name, format) if isinstance(item, Annotation)]
    assert good == [] or (format == "brat" and not data.strip(b"\n\xef\xbb\xbf"))  # which takes all proposals back


@pytest.mark.parametrize("format", READERS)
@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(seed=st.integers(0, 2**32), n_edits=st.integers(1, 6))
def test_bytes_changed_anywhere(
    format: str, exports: dict[str, tuple[str, bytes]], place: Path, seed: int, n_edits: int
) -> None:
    name, data = exports[format]
    if format == "docbin":
        data = zlib.decompress(data)
    chance = random.Random(seed)
    edited = bytearray(data)
    for _ in range(n_edits):
        at = chance.randrange(len(edited))
        until = min(len(edited), at + chance.choice([0, 1, 1, 2, 30]))
        edited[at:until] = chance.choice(
            [b"", b"\x00", b"-", b"9" * 30, b"\xff", b'"', b"]", b"\n", b"\t", bytes(edited[until : until + 40])]
        )
    (place / name).write_bytes(zlib.compress(bytes(edited)) if format == "docbin" else bytes(edited))
    check(place / name, format)


_SCALARS = st.none() | st.booleans() | st.integers(-5, 100) | st.floats() | st.text(max_size=5) | st.just(10**40)
_VALUES = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


def _places(value: object) -> Iterator[tuple[str | int, ...]]:
    """The way to each part of a value, the whole included."""
    yield ()
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in inner:
        yield from ((key, *rest) for rest in _places(part))


def _replaced(value: Any, place: tuple[str | int, ...], new: object) -> Any:  # noqa: ANN401 - JSON
    """The value with the part at the end of a way replaced."""
    if not place:
        return new
    changed = value.copy()
    changed[place[0]] = _replaced(changed[place[0]], place[1:], new)
    return changed


@pytest.mark.parametrize("format", JSON_FORMATS)
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data())
def test_json_with_any_value_anywhere(
    format: str, exports: dict[str, tuple[str, bytes]], place: Path, data: st.DataObject
) -> None:
    name, content = exports[format]
    lines = content.decode().splitlines() if format in ("prodigy", "doccano") else [content.decode()]
    row = json.loads(lines[0])
    for _ in range(data.draw(st.integers(1, 2))):
        row = _replaced(row, data.draw(st.sampled_from(list(_places(row)))), data.draw(_VALUES))
    (place / name).write_text("\n".join([json.dumps(row), *lines[1:]]))
    check(place / name, format)


@pytest.mark.slow
@pytest.mark.parametrize("format", ["prodigy", "label-studio", "medcattrainer", "doccano", "bioc-json"])
def test_every_part_of_a_record_may_be_anything(
    format: str, exports: dict[str, tuple[str, bytes]], place: Path
) -> None:
    name, content = exports[format]
    by_lines = format in ("prodigy", "doccano")
    file: Any = [json.loads(line) for line in content.splitlines()] if by_lines else json.loads(content)
    records: list[Any] = file["projects"][0]["documents"] if format == "medcattrainer" else file
    if format == "bioc-json":
        records = file["documents"]
    row = records[0]
    others: tuple[object, ...] = (None, [], {}, "x", -1, [[1]], True)
    records[:] = [_replaced(row, way, other) for way in _places(row) for other in others]
    text = "\n".join(map(json.dumps, records)) if by_lines else json.dumps(file)
    (place / name).write_text(text)
    items = check(place / name, format, Limits(1_000_000, 100_000_000))
    assert sum(isinstance(item, Annotation) for item in items) > len(records) // 2


@pytest.mark.parametrize("format", ["prodigy", "doccano", "pubtator"])
def test_a_gigantic_line_costs_one_line(format: str, exports: dict[str, tuple[str, bytes]], tmp_path: Path) -> None:
    data = exports[format][1]
    whole, _ = read_bytes(tmp_path, data, format=format, baseline=BASELINE)
    long = b'{"text": "' + b"a" * 3_000_000 + b'"}\n\n'
    good, bad = read_bytes(
        tmp_path, long + data, format=format, baseline=BASELINE, limits=Limits(1_000_000, 10_000_000)
    )
    assert [a.surface for a in good] == [a.surface for a in whole]
    assert [item.source.line for item in bad] == [1]
    assert "3,000,0" in bad[0].reason


@pytest.mark.parametrize(
    "format", ["label-studio", "medcattrainer", "bioc-json", "cas-json", "docbin", "brat", "webanno-tsv"]
)
def test_a_file_that_is_read_whole_has_a_limit(format: str, exports: dict[str, tuple[str, bytes]], place: Path) -> None:
    name, data = exports[format]
    (place / name).write_bytes(data)
    _, bad = read(place / name, format=format, limits=Limits(100_000, len(data) - 1))
    assert any("too large" in item.reason for item in bad)


@pytest.mark.parametrize(
    "entity",
    ['<!ENTITY x SYSTEM "file:///etc/passwd">', '<!ENTITY % x SYSTEM "http://127.0.0.1/x">', '<!ENTITY x "aaaa">'],
    ids=["file", "parameter", "inner"],
)
@pytest.mark.parametrize("format", ["bioc", "cas-xmi"])
def test_xml_entities_are_refused(format: str, entity: str, exports: dict[str, tuple[str, bytes]], place: Path) -> None:
    name, data = exports[format]
    text = data.decode()
    body = text[text.index("?>") + 2 :] if text.startswith("<?xml") else text
    root = "collection" if format == "bioc" else "xmi:XMI"
    (place / name).write_text(f"<?xml version='1.0'?><!DOCTYPE {root} [{entity}]>{body}")
    good, bad = read(place / name, format=format)
    assert (good, [item.reason for item in bad]) == ([], ["refused: the XML declares an entity"])


def test_a_type_system_with_entities_is_refused(exports: dict[str, tuple[str, bytes]], tmp_path: Path) -> None:
    name, data = exports["cas-xmi"]
    (tmp_path / name).write_bytes(data)
    types = exports["types"][1].decode()
    at = types.index("<typeSystemDescription")
    (tmp_path / "TypeSystem.xml").write_text('<!DOCTYPE t [<!ENTITY x SYSTEM "file:///etc/passwd">]>' + types[at:])
    good, bad = read(tmp_path / name)
    assert (good, [item.reason for item in bad]) == ([], ["refused: the XML declares an entity"])


def archive(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
        for name, data in members.items():
            made.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)
    return path


@pytest.mark.parametrize(
    "name", ["../out.jsonl", "a/../../out.jsonl", "/etc/out.jsonl", "C:/out.jsonl", "a\\..\\out.jsonl", "a//b"]
)
def test_archives_with_paths_that_leave_their_folder_are_refused(tmp_path: Path, name: str) -> None:
    path = archive(tmp_path / "x.zip", {"good.jsonl": b"{}", name: b"{}"})
    good, bad = read(path)
    assert (good, [item.reason for item in bad]) == ([], ["refused: the archive holds a path that leaves its folder"])
    assert sorted(p.name for p in tmp_path.iterdir()) == ["x.zip"]


def test_zip_bombs_are_refused(tmp_path: Path) -> None:
    dense = archive(tmp_path / "dense.zip", {"a.jsonl": b"\n" * 20_000_000})
    assert [item.reason for item in read(dense)[1]] == ["refused: the archive is packed like a zip bomb"]
    large = archive(tmp_path / "large.zip", {f"{n}.jsonl": b"\n" * 1_000_000 for n in range(8)})
    (rejected,) = read(large, limits=Limits(100_000, 5_000_000))[1]
    assert rejected.reason == "refused: unpacked, the archives would have more than 5,000,000 bytes"
    inner = large.read_bytes()
    many = archive(tmp_path / "many.zip", {f"{n}.zip": inner for n in range(5)})
    reasons = [item.reason for item in read(many, limits=Limits(100_000, 9_000_000))[1]]
    assert reasons.count("refused: unpacked, the archives would have more than 9,000,000 bytes") == 4
    deep = archive(
        tmp_path / "deep.zip", {"a.zip": archive(tmp_path / "b.zip", {"b.zip": dense.read_bytes()}).read_bytes()}
    )
    assert [item.reason for item in read(deep)[1]] == ["an archive within an archive within an archive is not opened"]


def test_an_archive_with_a_folder_per_file_takes_no_time(tmp_path: Path) -> None:
    path = archive(tmp_path / "x.zip", {f"{n}/a.conf.jsonl": b"" for n in range(3_000)})
    assert len(check(path, "auto")) == 3_000


def test_damaged_archives_give_a_reason(tmp_path: Path) -> None:
    data = archive(tmp_path / "x.zip", {"a.jsonl": b'{"answer": "accept"}\n' * 50, "b.jsonl": b"{}"}).read_bytes()
    chance = random.Random(5)
    for cut in range(1, len(data), 7):
        (tmp_path / "x.zip").write_bytes(data[:cut])
        check(tmp_path / "x.zip", "auto")
        edited = bytearray(data)
        edited[chance.randrange(4, len(data))] ^= 1 << chance.randrange(8)
        (tmp_path / "x.zip").write_bytes(edited)
        check(tmp_path / "x.zip", "auto")


def test_pipes_links_and_unreadable_files(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to(tmp_path)
    (tmp_path / "gone").symlink_to(tmp_path / "nowhere")
    assert read(tmp_path) == ([], [])
    assert [item.reason for item in read(tmp_path / "pipe")[1]] == ["no such file or folder"]
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)


def test_ids_with_paths_write_no_file_outside_of_the_folder(tmp_path: Path) -> None:
    from dataclasses import replace

    evil = replace(OTHER, document=replace(OTHER.document, id="../../evil"))
    for format in FOLDER_FORMATS:
        write_links([evil], tmp_path / "in" / format, format=format)
        if format == "phenopackets":  # an export, which nothing reads back
            continue
        good, bad = read(tmp_path / "in" / format, baseline={"../../evil": evil})
        assert (bad, {a.doc_id for a in good}) == ([], {"../../evil"})
    assert sorted(p.name for p in tmp_path.iterdir()) == ["in"]


def test_csv_exports_hold_no_formula(tmp_path: Path) -> None:
    path = tmp_path / "links.csv"
    with path.open("wb") as stream:
        write_csv([FORMULA], stream)
    cells = [cell.strip('"') for line in path.read_text().splitlines()[1:] for cell in line.split('","')]
    assert not [cell for cell in cells if cell.startswith(("=", "+", "@", "-HCG"))]
    assert any(cell.startswith("'=") for cell in cells)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    data=st.binary(max_size=200) | st.text(max_size=200).map(str.encode), name=st.sampled_from(["x", "x.ann", "x.zip"])
)
def test_any_bytes_at_all(place: Path, data: bytes, name: str) -> None:
    (place / name).write_bytes(data)
    check(place / name, "auto")
    (place / name).unlink()


@pytest.mark.parametrize(
    "data",
    [
        b'{"' + b'\\"' * 500_000,
        b'[{"' + b"\\" * 900_001,
        b'{"a": "' + b"{" * 900_000,
        b"<" + b"a." * 400_000,
        b"x" * 900_000 + b"|t",
        b"T" + b"1" * 900_000,
        b"(" + b"1" * 900_000 + b"\t",
    ],
    ids=lambda data: repr(data[:8]),
)
def test_no_head_takes_long_to_sniff(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "file").write_bytes(data)
    (item,) = check(tmp_path / "file", "auto")
    assert isinstance(item, Rejected) and item.reason.startswith("no known format")


def test_labels_and_spans_of_any_length_take_no_time(tmp_path: Path) -> None:
    text = "a " * 20_000
    labels = [[0, 40_000, "1" * 400 + "x " + str(n)] for n in range(400)] + [[0, 40_000, "(" + "1" * 30_000]]
    (tmp_path / "file").write_text(json.dumps({"text": text, "doc_id": "x", "label": labels}))
    items = list(read_annotations(tmp_path / "file"))
    assert {item.reason.split(";")[0] for item in items if isinstance(item, Rejected)} == {
        "a span of more than 10,000 characters"
    }
    assert len(items) == len(labels)

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from medlink.errors import NoteReadError
from medlink.formats.note_files import NoteOptions
from medlink.formats.notes import read_notes
from medlink.records import Document


def _read(*sources: str | Path, stdin: bytes = b"", **options: object) -> tuple[list[Document], list[str]]:
    """The notes and the messages of the errors, each in order."""
    items = list(
        read_notes([str(source) for source in sources], options=NoteOptions(**options), stdin=io.BytesIO(stdin))  # type: ignore[arg-type]
    )
    notes = [item for item in items if isinstance(item, Document)]
    return notes, [str(item) for item in items if isinstance(item, NoteReadError)]


def _ids(*sources: str | Path) -> list[str]:
    notes, errors = _read(*sources)
    assert errors == []
    return [note.id for note in notes]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("b.txt", "a/deep/c.d.txt", "a.TXT", "a/x.txt", ".hidden.txt", ".git/y.txt", "readme.md", "B.txt"):
        path = tmp_path / "notes" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"text of {name}")
    return tmp_path / "notes"


def test_read_notes_walks_a_folder_in_order_of_names(folder: Path) -> None:
    assert _ids(folder) == ["B", "a/deep/c.d", "a/x", "a", "b"]


def test_read_notes_names_a_single_file_by_its_stem(folder: Path) -> None:
    assert _ids(folder / "a" / "deep" / "c.d.txt") == ["c.d"]


def test_read_notes_matches_globs_in_order_of_names(folder: Path) -> None:
    assert _ids(f"{folder}/*.txt") == ["B", "b"]
    assert _ids(f"{folder}/**/*.txt") == ["B", "a/deep/c.d", "a/x", "b"]
    assert _ids(f"{folder}/[ab]*") == ["a/deep/c.d", "a/x", "a", "b"]
    assert _ids(f"{folder.parent}/*/a/?.txt") == ["notes/a/x"]
    assert _ids(f"{folder}/**") == ["B", "a", "a/deep/c.d", "a/x", "b"]


def test_read_notes_takes_relative_globs(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    assert _ids("*.txt") == ["B", "b"]
    assert _ids(".") == ["B", "a/deep/c.d", "a/x", "a", "b"]


def test_read_notes_takes_a_name_with_brackets_for_a_name(tmp_path: Path) -> None:
    (tmp_path / "note[1].txt").write_text("x")
    (tmp_path / "note1.txt").write_text("y")
    assert _ids(tmp_path / "note[1].txt") == ["note[1]"]


def test_read_notes_keeps_the_order_of_the_sources(folder: Path) -> None:
    assert _ids(folder / "b.txt", folder / "a" / "x.txt") == ["b", "x"]


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("missing.txt", "missing.txt: no such file or folder"),
        ("missing/*.txt", "missing/*.txt: no notes found; expected files that end in .txt, .jsonl, .csv, .parquet"),
        ("notes/*.md", "notes/*.md: no notes found"),
        (
            "notes/readme.md",
            "notes/readme.md: not a kind of file that holds notes; expected .txt, .jsonl, .csv, .parquet",
        ),
        ("empty", "empty: no notes found"),
    ],
)
def test_read_notes_says_why_a_source_gives_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch, source: str, message: str
) -> None:
    monkeypatch.chdir(folder.parent)
    Path("empty").mkdir()
    notes, errors = _read(source, "notes/b.txt")
    assert [note.id for note in notes] == ["b"]
    assert len(errors) == 1
    assert errors[0].startswith(message)


@contextmanager
def _without_rights() -> Iterator[None]:
    """Not the superuser, whom no permission stops."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_read_notes_goes_on_behind_what_it_may_not_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.chmod(0o755)
    (folder / "B.txt").chmod(0)
    (folder / "a").chmod(0)
    monkeypatch.chdir(folder)
    with _without_rights():
        notes, errors = _read(".")
    (folder / "a").chmod(0o755)
    assert [note.id for note in notes] == ["a", "b"]
    assert errors == ["B.txt: cannot be read: Permission denied", "a: cannot be read: Permission denied"]


def test_read_notes_goes_on_behind_links_to_nowhere_and_pipes(folder: Path) -> None:
    (folder / "c.txt").symlink_to("c.txt")
    (folder / "d.txt").symlink_to("gone.txt")
    os.mkfifo(folder / "e.txt")
    (folder / "loop").symlink_to(folder)
    notes, errors = _read(folder)
    assert len(notes) == 5
    assert [error.removeprefix(f"{folder}/") for error in errors] == [
        "c.txt: cannot be read: Too many levels of symbolic links",
        "d.txt: cannot be read: No such file or directory",
        "e.txt: no regular file",
    ]


def test_read_notes_reports_a_second_note_with_an_id(folder: Path) -> None:
    (folder / "rows.jsonl").write_text('{"id": "b", "text": "1"}\n{"id": "r", "text": "2"}\n{"id": "r", "text": "3"}\n')
    notes, errors = _read(folder, folder / "b.txt")
    assert [note.id for note in notes] == ["B", "a/deep/c.d", "a/x", "a", "b", "r"]
    assert [error.split(";")[0].split(". ")[0] for error in errors] == [
        f"{folder}/rows.jsonl:1: a second note with the id 'b'",
        f"{folder}/rows.jsonl:3: a second note with the id 'r'",
        f"{folder}/b.txt: a second note with the id 'b'",
    ]


@pytest.mark.parametrize(
    ("format", "data", "expected"),
    [
        ("txt", b"fits\r\n", [("stdin", "fits\r\n")]),
        ("jsonl", b'{"id": 1, "text": "a"}\n{"id": "2", "text": "b"}', [("1", "a"), ("2", "b")]),
        ("csv", b"text,id\na,1\n", [("1", "a")]),
    ],
)
def test_read_notes_reads_standard_input(format: str, data: bytes, expected: list[tuple[str, str]]) -> None:
    assert _read("-", stdin=data, stdin_format=format) == ([Document(*pair) for pair in expected], [])


def test_read_notes_uses_the_process_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO("😀".encode())))
    assert list(read_notes(["-"], options=NoteOptions())) == [Document("stdin", "😀")]


def test_read_notes_of_an_empty_standard_input_is_an_error() -> None:
    assert _read("-") == ([], ["stdin: the note is empty"])


def test_read_notes_reports_a_file_name_that_is_not_utf8(tmp_path: Path) -> None:
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.txt")).write_text("x")
    notes, errors = _read(tmp_path)
    assert notes == []
    assert errors[0].startswith(f"{tmp_path}/caf\\udce9.txt: not UTF-8")


def test_read_notes_opens_files_only_when_their_turn_comes(folder: Path) -> None:
    notes = read_notes([str(folder)], options=NoteOptions())
    first = next(notes)
    (folder / "b.txt").write_text("changed")
    assert isinstance(first, Document)
    assert [note.text for note in notes if isinstance(note, Document)][-1] == "changed"


def test_read_notes_of_no_source_is_empty() -> None:
    assert _read() == ([], [])

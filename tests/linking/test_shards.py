"""Shards: the same files whatever was interrupted, and nothing that is whole is linked again."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medlink.errors import ArtifactError, SettingError
from medlink.formats.shard_formats import SHARD_FORMATS
from medlink.linking.shards import MANIFEST, Annotate, ShardFolder, ShardPlan
from medlink.records import Candidate, Document, Link, LinkedDocument, Mention

NOTES = tuple(Document(str(i), f"note {i} with\r\nfever \N{FACE WITH THERMOMETER}") for i in range(7))
RUN = {"medlink": "1", "recipe": "r"}


class Annotator:
    """Links the first word of each note, and remembers which notes it was given."""

    def __init__(self, release: str = "base", fail_at: int | None = None) -> None:
        self.seen: list[str] = []
        self._release, self._fail_at = release, fail_at

    def __call__(self, documents: Iterable[Document]) -> Iterator[LinkedDocument]:
        for document in documents:
            if len(self.seen) == self._fail_at:
                raise KeyboardInterrupt
            self.seen.append(document.id)
            mention = Mention(document.id, 0, 4, document.text[:4])
            candidate = Candidate("HP:1", "Note", "note", 1.0, 0.5, 0.75)
            yield LinkedDocument(document, (Link(mention, (candidate,), "HP:1", self._release, "v1"),))


def run_all(
    folder: Path,
    annotate: Annotate,
    *,
    notes: Iterable[Document] = NOTES,
    size: int = 3,
    format: str = "jsonl",
    run: dict[str, str] = RUN,
    resume: bool = False,
) -> None:
    shards = ShardFolder(folder, ShardPlan(format, size, run), ["-"])
    shards.start(resume=resume)
    for _ in shards.complete(notes, annotate):
        pass


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_shards_hold_the_notes_in_order(tmp_path: Path) -> None:
    run_all(tmp_path / "out", Annotator())
    assert list(contents(tmp_path / "out")) == [MANIFEST, "part-00000.jsonl", "part-00001.jsonl", "part-00002.jsonl"]
    ids = [
        [json.loads(line)["id"] for line in path.read_text(encoding="utf-8").splitlines()]
        for path in sorted((tmp_path / "out").glob("part-*"))
    ]
    assert ids == [["0", "1", "2"], ["3", "4", "5"], ["6"]]


def test_manifest_says_what_is_there(tmp_path: Path) -> None:
    run_all(tmp_path / "out", Annotator())
    manifest = json.loads((tmp_path / "out" / MANIFEST).read_text(encoding="utf-8"))
    assert manifest["complete"]
    assert (manifest["n_notes"], manifest["n_links"]) == (7, 7)
    assert (manifest["release"], manifest["ontology_version"]) == ("base", "v1")
    assert manifest["sources"] == [{"source": "-", "n_bytes": None}]
    assert [shard["n_notes"] for shard in manifest["shards"].values()] == [3, 3, 1]
    assert "fever" not in json.dumps(manifest)


@pytest.mark.parametrize("format", SHARD_FORMATS)
@pytest.mark.parametrize("fail_at", [0, 1, 3, 5, 6])
def test_resume_equals_an_uninterrupted_run(tmp_path: Path, format: str, fail_at: int) -> None:
    run_all(tmp_path / "whole", Annotator(), format=format)
    with pytest.raises(KeyboardInterrupt):
        run_all(tmp_path / "cut", Annotator(fail_at=fail_at), format=format)
    again = Annotator()
    run_all(tmp_path / "cut", again, format=format, resume=True)
    assert again.seen == [note.id for note in NOTES[fail_at // 3 * 3 :]]
    assert contents(tmp_path / "cut") == contents(tmp_path / "whole")


@pytest.mark.slow
@settings(max_examples=20, deadline=None)
@given(size=st.integers(1, 9), broken=st.sets(st.integers(0, 6)), n_notes=st.integers(0, 7))
def test_resume_links_only_what_is_missing_or_damaged(
    tmp_path_factory: pytest.TempPathFactory, size: int, broken: set[int], n_notes: int
) -> None:
    folder, notes = tmp_path_factory.mktemp("shards") / "out", NOTES[:n_notes]
    run_all(folder, Annotator(), notes=notes, size=size)
    before = contents(folder)
    for number in broken:
        path = folder / f"part-{number:05d}.jsonl"
        if path.exists() and number % 2:
            path.unlink()
        elif path.exists():
            path.write_bytes(path.read_bytes()[:-2] + b"!\n")
    again = Annotator()
    run_all(folder, again, notes=notes, size=size, resume=True)
    assert contents(folder) == before
    assert again.seen == [note.id for place, note in enumerate(notes) if place // size in broken]


def test_rows_are_numbered_through_all_shards(tmp_path: Path) -> None:
    run_all(tmp_path / "out", Annotator(), format="omop-parquet")
    (tmp_path / "out" / "part-00001.parquet").unlink()
    run_all(tmp_path / "out", Annotator(), format="omop-parquet", resume=True)
    tables = [pq.read_table(path) for path in sorted((tmp_path / "out").glob("part-*"))]
    assert [row for table in tables for row in table.column("note_nlp_id").to_pylist()] == list(range(1, 8))


def test_resume_sweeps_up_what_a_killed_run_left(tmp_path: Path) -> None:
    run_all(tmp_path / "out", Annotator())
    before = contents(tmp_path / "out")
    (tmp_path / "out" / ".part-00003.jsonl.99.partial").write_bytes(b"half")
    run_all(tmp_path / "out", Annotator(), resume=True)
    assert contents(tmp_path / "out") == before


@pytest.mark.parametrize(
    "notes",
    [
        (Document("0", "edited"), *NOTES[1:]),
        (NOTES[1], NOTES[0], *NOTES[2:]),
        (*NOTES, Document("7", "note 7")),
        NOTES[:2],
    ],
    ids=["edited", "order", "more", "fewer"],
)
def test_resume_refuses_changed_notes(tmp_path: Path, notes: tuple[Document, ...]) -> None:
    run_all(tmp_path / "out", Annotator())
    with pytest.raises(SettingError, match="notes have changed"):
        run_all(tmp_path / "out", Annotator(), notes=notes, resume=True)


def test_resume_refuses_notes_that_are_gone_behind_a_missing_shard(tmp_path: Path) -> None:
    run_all(tmp_path / "out", Annotator())
    (tmp_path / "out" / "part-00001.jsonl").unlink()
    with pytest.raises(SettingError, match=r"part-00002.*notes have changed"):
        run_all(tmp_path / "out", Annotator(), notes=NOTES[:3], resume=True)


def test_resume_takes_a_folder_whose_first_shard_was_cut(tmp_path: Path) -> None:
    ShardFolder(tmp_path / "out", ShardPlan("jsonl", 3, RUN), ["-"]).start(resume=False)
    (tmp_path / "out" / ".part-00000.jsonl.99.partial").write_bytes(b"half")
    run_all(tmp_path / "out", Annotator(), resume=True)
    assert len(contents(tmp_path / "out")) == 4


def test_resume_refuses_another_run(tmp_path: Path) -> None:
    run_all(tmp_path / "out", Annotator())
    with pytest.raises(SettingError, match="other values of recipe, shard size"):
        run_all(tmp_path / "out", Annotator(), size=4, run={**RUN, "recipe": "other"}, resume=True)


def test_resume_refuses_another_release(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        run_all(tmp_path / "out", Annotator(fail_at=4))
    with pytest.raises(SettingError, match="expected release base, ontology v1; got release other"):
        run_all(tmp_path / "out", Annotator(release="other"), resume=True)
    assert not (tmp_path / "out" / "part-00001.jsonl").exists()


def test_start_never_writes_over_a_folder(tmp_path: Path) -> None:
    run_all(tmp_path / "out", Annotator())
    with pytest.raises(SettingError, match="not empty"):
        run_all(tmp_path / "out", Annotator())
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "mine.txt").write_text("x", encoding="utf-8")
    with pytest.raises(SettingError, match="not empty"):
        run_all(tmp_path / "other", Annotator(), resume=True)


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"kind": "other"}'])
def test_resume_refuses_a_damaged_manifest(tmp_path: Path, text: str) -> None:
    run_all(tmp_path / "out", Annotator())
    (tmp_path / "out" / MANIFEST).write_text(text, encoding="utf-8")
    with pytest.raises(ArtifactError, match="manifest"):
        run_all(tmp_path / "out", Annotator(), resume=True)


def test_complete_finishes_each_shard_before_it_is_there(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []

    def finish(linked: Iterable[LinkedDocument]) -> Iterator[LinkedDocument]:
        documents = list(linked)
        yield from documents
        seen.append((len(documents), len(list((tmp_path / "out").glob("part-*")))))

    shards = ShardFolder(tmp_path / "out", ShardPlan("jsonl", 3, RUN))
    shards.start(resume=False)
    assert len(list(shards.complete(NOTES, Annotator(), finish))) == 3
    assert seen == [(3, 0), (3, 1), (1, 2)]


def test_complete_reads_no_further_than_it_must(tmp_path: Path) -> None:
    read: list[str] = []

    def notes() -> Iterator[Document]:
        for note in NOTES:
            read.append(note.id)
            yield note

    shards = ShardFolder(tmp_path / "out", ShardPlan("jsonl", 2, RUN))
    shards.start(resume=False)
    next(shards.complete(notes(), Annotator()))
    assert len(read) <= 3

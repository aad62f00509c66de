"""An interrupted run goes on where it stopped and gives the bytes of an uninterrupted one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medlink.errors import SettingError
from medlink.formats.links_json import dump_line
from medlink.linking.journal import Journal
from medlink.records import Candidate, Document, Link, LinkedDocument, Mention

NOTES = tuple(Document(f"n{i}", f"note {i} with\r\nfever \N{FACE WITH THERMOMETER}") for i in range(6))
RUN = {"medlink": "1", "recipe": "r"}


def annotate(documents: Iterable[Document]) -> Iterator[LinkedDocument]:
    for document in documents:
        mention = Mention(document.id, 0, 4, document.text[:4])
        candidate = Candidate("HP:1", "Note", "note", 1.0, 0.12345678, 0.98765432)
        yield LinkedDocument(document, (Link(mention, (candidate,), "HP:1", "base", "v1"),))


def run_all(out: Path) -> list[str]:
    journal = Journal(out, RUN)
    n_done = journal.start(resume=False)
    for _ in journal.complete(NOTES, annotate, n_done=n_done):
        pass
    return [dump_line(linked, with_text=True) for linked in journal.read()]


@pytest.mark.parametrize("n_before", range(len(NOTES) + 1))
@pytest.mark.parametrize("torn", ["", '{"id":"n', "\n"])
def test_resume_equals_an_uninterrupted_run(tmp_path: Path, n_before: int, torn: str) -> None:
    whole = run_all(tmp_path / "whole")
    journal = Journal(tmp_path / "resumed", RUN)
    stream = journal.complete(NOTES, annotate, n_done=journal.start(resume=True))
    for _ in range(n_before):
        next(stream)
    stream.close()  # type: ignore[attr-defined]
    with (journal.folder / "links.jsonl").open("a", encoding="utf-8") as lines:
        lines.write(torn.rstrip("\n"))
    again = Journal(tmp_path / "resumed", RUN)
    n_done = again.start(resume=True)
    assert n_done == n_before
    seen = [linked.document.id for linked in again.complete(NOTES, annotate, n_done=n_done)]
    assert seen == [note.id for note in NOTES]
    assert [dump_line(linked, with_text=True) for linked in again.read()] == whole


def test_resume_refuses_other_settings(tmp_path: Path) -> None:
    Journal(tmp_path / "out", RUN).start(resume=False)
    with pytest.raises(SettingError, match="other values of recipe"):
        Journal(tmp_path / "out", {**RUN, "recipe": "other"}).start(resume=True)


def test_resume_refuses_changed_notes(tmp_path: Path) -> None:
    run_all(tmp_path / "out")
    journal = Journal(tmp_path / "out", RUN)
    n_done = journal.start(resume=True)
    with pytest.raises(SettingError, match="notes have changed"):
        list(journal.complete([Document("n0", "edited"), *NOTES[1:]], annotate, n_done=n_done))


def test_start_without_resume_forgets_the_interrupted_run(tmp_path: Path) -> None:
    run_all(tmp_path / "out")
    assert Journal(tmp_path / "out", {"other": "run"}).start(resume=False) == 0


def test_remove_leaves_nothing(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "out", RUN)
    journal.start(resume=False)
    journal.remove()
    assert list(tmp_path.iterdir()) == []


@given(st.binary(max_size=200))
def test_start_survives_any_bytes_in_the_torn_line(tmp_path_factory: pytest.TempPathFactory, torn: bytes) -> None:
    out = tmp_path_factory.mktemp("journal") / "out"
    run_all(out)
    journal = Journal(out, RUN)
    with (journal.folder / "links.jsonl").open("ab") as lines:
        lines.write(torn.replace(b"\n", b" "))
    assert journal.start(resume=True) == len(NOTES)

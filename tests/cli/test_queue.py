"""``medlink queue``: what a data manager types, gets for the annotators, and ingests again."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from medlink.cli.queue import FORMATS
from medlink.formats.links_json import dump_line
from medlink.formats.writers import FOLDER_FORMATS, write_links
from tests.cli.conftest import Run
from tests.formats.annotating import NOTE, OTHER

N_WORDINGS = 5  # "fits" is in both notes


@pytest.fixture
def links(tmp_path: Path) -> Path:
    """A file of links to two notes."""
    path = tmp_path / "links.jsonl"
    write_links([NOTE, OTHER], path, format="jsonl")
    return path


def read_rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def ask(run: Run, links: Path, *options: str | Path) -> dict[str, Any]:
    """What the command says with ``--json``."""
    facts: dict[str, Any] = json.loads(run("queue", links, "--random-share", "0", "--json", *options).stdout)
    return facts


def test_queue_says_what_it_wrote(run: Run, links: Path, tmp_path: Path) -> None:
    out = tmp_path / "batch.json"
    output = run("queue", links, "--for", "label-studio", "--out", out, "--n", "5", "--random-share", "0.4").output
    listed = read_rows(tmp_path / "batch.json.list.csv")
    assert sorted(row["random"] for row in listed) == ["no", "no", "no", "yes", "yes"]
    assert {row["doc_id"] for row in listed} == {task["data"]["id"] for task in json.loads(out.read_text())}
    assert output.startswith("5 questions in ")
    assert output.endswith(f"Wrote {out}\nWrote {out}.list.csv\n")
    assert "2 of them drawn by chance" in output


def test_list_gives_the_reasons_in_order(run: Run, links: Path, tmp_path: Path) -> None:
    ask(run, links, "--for", "prodigy", "--out", tmp_path / "batch.jsonl")
    listed = read_rows(tmp_path / "batch.jsonl.list.csv")
    values = [float(row["value"]) for row in listed]
    assert values == sorted(values, reverse=True)
    assert [row["question"] for row in listed] == [str(number) for number in range(1, N_WORDINGS + 1)]
    assert {row["surface"]: row["n_alike"] for row in listed}["fits"] == "2"


def test_same_links_and_seed_give_the_same_bytes(run: Run, links: Path, tmp_path: Path) -> None:
    outs = [tmp_path / name for name in ("one.jsonl", "two.jsonl")]
    for out in outs:
        run("queue", links, "--for", "prodigy", "--out", out, "--n", "3", "--random-share", "0.5", "--seed", "7")
    assert outs[0].read_bytes() == outs[1].read_bytes()
    assert Path(f"{outs[0]}.list.csv").read_bytes() == Path(f"{outs[1]}.list.csv").read_bytes()


@pytest.mark.parametrize("format", FORMATS)
def test_every_format_is_written(run: Run, links: Path, tmp_path: Path, format: str) -> None:
    out = tmp_path / "batch"
    facts = ask(run, links, "--for", format, "--out", out)
    assert facts["n_questions"] == N_WORDINGS
    assert out.is_dir() == (format in FOLDER_FORMATS)
    assert all(Path(path).exists() for path in facts["written"])


def test_answers_in_prodigy_are_never_asked_again(run: Run, links: Path, tmp_path: Path) -> None:
    out = tmp_path / "batch.jsonl"
    for n_asked in (2, 2, 1):
        assert ask(run, links, "--for", "prodigy", "--out", out, "--n", "2")["n_questions"] == n_asked
        rows = [json.loads(line) | {"answer": "accept", "_session_id": "ann"} for line in out.read_text().splitlines()]
        out.write_text("".join(json.dumps(row) + "\n" for row in rows))
        report = json.loads(run("ingest", out, "--any-concept", "--time", "2026-01-05", "--json").stdout)
        assert (report["n_new"], report["n_refused"]) == (n_asked, 0)
    output = run("queue", links, "--for", "prodigy", "--out", out).output
    assert "0 questions" in output
    assert "There is nothing more to ask" in output


def test_table_that_is_filled_in_is_ingested(run: Run, links: Path, tmp_path: Path) -> None:
    out = tmp_path / "batch.csv"
    ask(run, links, "--for", "csv", "--out", out)
    rows = read_rows(out)
    answers = {"GERD": ("correct", "HP:0002315"), "zebra pain": ("not_a_mention", ""), "heart\n  attack": ("nil", "")}
    for row in rows:
        row["verdict"], row["concept_id"] = answers.get(row["surface"], ("", ""))
        assert row["candidates"].split(" ")[0] in {"NIL", row["proposed"].split(" ")[0]}
    with out.open("w", newline="", encoding="utf-8") as stream:
        table = csv.DictWriter(stream, list(rows[0]))
        table.writeheader()
        table.writerows(rows)
    report = json.loads(run("ingest", out, "--any-concept", "--annotator", "ann", "--json", code=3).stdout)
    # Those without a verdict are put aside.
    assert (report["n_new"], report["n_refused"]) == (3, N_WORDINGS - 3)
    shown = json.loads(run("ledger", "show", "--json").stdout)
    said = {row["surface"].replace("\n", " "): (row["verdict"], row["concept_id"]) for row in shown}
    assert said == {
        "GERD": ("correct", "HP:0002315"),
        "zebra pain": ("not_a_mention", None),
        "heart   attack": ("nil", None),
    }


def test_mentions_that_were_not_asked_about_are_not_judged(run: Run, links: Path, tmp_path: Path) -> None:
    out = tmp_path / "batch.txt"
    output = run("queue", links, "--for", "pubtator", "--out", out, "--n", "1", "--random-share", "0").output
    assert f"medlink ingest ANSWERS --links {out}.links.jsonl" in output
    report = json.loads(
        run("ingest", out, "--links", f"{out}.links.jsonl", "--any-concept", "--annotator", "ann", "--json").stdout
    )
    assert report["n_new"] == 1


def test_links_without_texts_need_the_notes(run: Run, tmp_path: Path) -> None:
    bare, out = tmp_path / "bare.jsonl", tmp_path / "batch.jsonl"
    bare.write_text(dump_line(OTHER, with_text=False) + "\n")
    assert "Give them with --notes" in run("queue", bare, "--for", "prodigy", "--out", out, code=1).output
    notes = tmp_path / "notes.jsonl"
    notes.write_text(json.dumps({"id": OTHER.document.id, "text": OTHER.document.text}) + "\n")
    run("queue", bare, "--for", "prodigy", "--out", out, "--notes", notes)
    assert json.loads(out.read_text())["text"] == OTHER.document.text


def test_note_that_comes_twice_is_refused(run: Run, links: Path, tmp_path: Path) -> None:
    output = run("queue", links, links, "--for", "prodigy", "--out", tmp_path / "batch.jsonl", code=1).output
    assert "comes twice" in output


def test_what_is_no_file_of_links_is_refused(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "links.csv"
    path.write_text("doc_id,start\n")
    output = run("queue", path, "--for", "prodigy", "--out", tmp_path / "batch.jsonl", code=1).output
    assert f"{path}:1: no line of links" in output
    assert not (tmp_path / "batch.jsonl").exists()

"""``medlink link`` from outside: what it writes, what it says, and that nothing is lost on the way."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from medlink.cli.link import EXIT_SOME_SKIPPED
from medlink.cli.main import main
from medlink.formats.writers import WRITERS
from medlink.linking.recipe import Recipe

NOTES = {
    "a": "He denies seizures. A renal cyst was seen.",
    "b": "Heart attack in 2010.\r\nNo kidney cysts.",
    "c": "Nothing of note \N{SMILING FACE WITH SUNGLASSES}.",
}


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    folder = tmp_path / "notes"
    folder.mkdir()
    for name, text in NOTES.items():
        (folder / f"{name}.txt").write_bytes(text.encode())
    return folder


@pytest.fixture
def options(recipe: Recipe) -> list[str]:
    return ["--ontology", recipe.ontology, "--encoder", recipe.encoder, "--workspace", str(recipe.workspace)]


def run(*arguments: str | Path, stdin: bytes | None = None) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments], input=stdin)


def read_lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def found(line: dict[str, object]) -> list[tuple[str, str]]:
    links = line["links"]
    assert isinstance(links, list)
    return [(link["surface"], link["concept_id"]) for link in links]


def test_link_writes_one_line_a_note(notes: Path, options: list[str], tmp_path: Path) -> None:
    result = run("link", notes, "--out", tmp_path / "links.jsonl", *options)
    assert result.exit_code == 0, result.output
    lines = read_lines(tmp_path / "links.jsonl")
    assert [line["id"] for line in lines] == ["a", "b", "c"]
    assert found(lines[0]) == [("seizures", "HP:0001250"), ("renal cyst", "HP:0000107")]
    assert found(lines[1]) == [("Heart attack", "HP:0001658"), ("kidney cysts", "HP:0000107")]
    assert found(lines[2]) == []
    assert "3 notes, 4 links (2 negated)" in result.output
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


@pytest.mark.parametrize("format_", [name for name in WRITERS if name != "jsonl"])
def test_link_writes_every_format(notes: Path, options: list[str], tmp_path: Path, format_: str) -> None:
    out = tmp_path / "out"
    for number, name in enumerate(NOTES):
        (notes / f"{name}.txt").rename(notes / f"{number}.txt")  # OMOP wants numbers
    result = run("link", notes, "--out", out, "--format", format_, *options, "--json")
    assert result.exit_code == 0, result.output
    summary = json.loads(result.stdout)
    assert (summary["n_notes"], summary["n_links"], summary["n_negated"]) == (3, 4, 2)
    assert all(Path(path).is_file() for path in summary["written"])


def test_link_refuses_names_where_omop_wants_numbers(notes: Path, options: list[str], tmp_path: Path) -> None:
    result = run("link", notes, "--out", tmp_path / "out.csv", "--format", "omop-csv", *options)
    assert result.exit_code == 1
    assert "note 'a': OMOP's NOTE_NLP needs notes whose ids are numbers" in result.output
    assert not (tmp_path / "out.csv").exists()


def test_link_says_what_a_format_has_no_place_for(options: list[str], tmp_path: Path) -> None:
    note = b"Mother has seizures. She denies renal cysts. Return if seizures."
    result = run("link", "-", "--out", tmp_path / "out", "--format", "phenopackets", *options, stdin=note)
    assert result.exit_code == 0, result.output
    assert "The format has no place for 2 of the mentions" in result.output


def test_link_reads_standard_input_and_writes_standard_output(options: list[str]) -> None:
    result = run("link", "-", *options, stdin=b"A renal cyst.")
    assert result.exit_code == 0, result.output
    assert found(json.loads(result.stdout)) == [("renal cyst", "HP:0000107")]


def test_link_joins_ontologies_and_writes_ids_of_other_systems(notes: Path, options: list[str], tmp_path: Path) -> None:
    (tmp_path / "drugs.csv").write_text("id,name\nDRUG:1,aspirin\n", encoding="utf-8")
    (tmp_path / "note.txt").write_text("Seizure. Took aspirin.", encoding="utf-8")
    out = tmp_path / "o.jsonl"
    result = run(
        "link", tmp_path / "note.txt", "--out", out, *options, "--ontology", tmp_path / "drugs.csv", "--map", "umls"
    )
    assert result.exit_code == 0, result.output
    (line,) = read_lines(out)
    assert found(line) == [("Seizure", "HP:0001250"), ("aspirin", "DRUG:1")]
    links = line["links"]
    assert isinstance(links, list)
    assert [link.get("equivalents") for link in links] == [["UMLS:C0036572"], None]
    assert [link["ontology_version"][:11] for link in links] == ["2025-01-16+"] * 2


def test_link_refuses_a_system_that_the_ontology_does_not_know(notes: Path, options: list[str]) -> None:
    result = run("link", notes, *options, "--map", "LOINC")
    assert isinstance(result.exception, SystemExit)
    assert "nothing refers to the system 'LOINC'" in result.output


def test_link_reads_the_fields_it_is_told(options: list[str], tmp_path: Path) -> None:
    (tmp_path / "n.jsonl").write_text('{"note": 7, "body": "renal cyst"}\n', encoding="utf-8")
    (tmp_path / "n.csv").write_text("note,body\n8,seizure\n", encoding="utf-8")
    out = tmp_path / "o.jsonl"
    files = (tmp_path / "n.jsonl", tmp_path / "n.csv")
    result = run("link", *files, "--text-field", "body", "--id-field", "note", "--out", out, *options)
    assert result.exit_code == 0, result.output
    assert [(line["id"], found(line)[0][1]) for line in read_lines(out)] == [("7", "HP:0000107"), ("8", "HP:0001250")]


def test_link_names_and_skips_what_cannot_be_read(notes: Path, options: list[str], tmp_path: Path) -> None:
    (notes / "bad.txt").write_bytes(b"caf\xe9")
    (notes / "empty.txt").write_bytes(b"")
    result = run("link", notes, tmp_path / "missing", "--out", tmp_path / "o.jsonl", *options)
    assert result.exit_code == EXIT_SOME_SKIPPED
    assert [line["id"] for line in read_lines(tmp_path / "o.jsonl")] == ["a", "b", "c"]
    for name in ("bad.txt", "empty.txt", "missing"):
        assert name in result.stderr
    assert "3 notes skipped" in result.stderr
    assert "caf" not in result.stderr


@pytest.mark.slow
def test_link_changes_nothing_with_workers_or_order(notes: Path, options: list[str], tmp_path: Path) -> None:
    run("link", notes, "--out", tmp_path / "one.jsonl", *options)
    shuffled = [notes / f"{name}.txt" for name in "cab"]
    result = run("link", *shuffled, "--workers", "2", "--out", tmp_path / "two.jsonl", *options)
    assert result.exit_code == 0, result.output
    one = (tmp_path / "one.jsonl").read_bytes().splitlines()
    two = (tmp_path / "two.jsonl").read_bytes().splitlines()
    assert sorted(one) == sorted(two)
    assert [json.loads(line)["id"] for line in two] == ["c", "a", "b"]


def test_link_drops_by_assertion(notes: Path, options: list[str], tmp_path: Path) -> None:
    result = run("link", notes, "--out", tmp_path / "o.jsonl", "--drop", "negated, family", *options)
    assert result.exit_code == 0, result.output
    assert [found(line) for line in read_lines(tmp_path / "o.jsonl")] == [
        [("renal cyst", "HP:0000107")],
        [("Heart attack", "HP:0001658")],
        [],
    ]
    assert "3 notes, 2 links (0 negated)" in result.output
    assert "2 mentions left out" in result.output


def test_link_keeps_a_branch_and_a_type(notes: Path, options: list[str], tmp_path: Path) -> None:
    chosen = ("--keep-branch", "HP:0012210", "--keep-type", "human_phenotype")
    result = run("link", notes, "--out", tmp_path / "o.jsonl", *chosen, *options, "--json")
    assert result.exit_code == 0, result.output
    assert [[concept for _, concept in found(line)] for line in read_lines(tmp_path / "o.jsonl")] == [
        ["HP:0000107"],
        ["HP:0000107"],
        [],
    ]
    assert json.loads(result.stdout)["n_dropped"] == 2


@pytest.mark.parametrize("wrong", [("--drop", "maybe"), ("--keep-branch", "HP:9"), ("--keep-type", "T047")])
def test_link_refuses_what_it_cannot_choose_by(
    notes: Path, options: list[str], tmp_path: Path, wrong: tuple[str, str]
) -> None:
    result = run("link", notes, "--out", tmp_path / "o.jsonl", *wrong, *options)
    assert result.exit_code != 0
    assert wrong[1] in result.output
    assert list(tmp_path.glob("*o.jsonl*")) == []


def test_link_writes_sections(options: list[str]) -> None:
    note = b"PAST MEDICAL HISTORY:\nSeizures.\nFAMILY HISTORY:\nRenal cyst.\n"
    result = run("link", "-", *options, stdin=note)
    assert result.exit_code == 0, result.output
    links = json.loads(result.stdout)["links"]
    assert [(link["surface"], link["section"], link["assertion"]) for link in links] == [
        ("Seizures", "past medical history", ["historical"]),
        ("Renal cyst", "family history", ["family"]),
    ]


@pytest.mark.parametrize("format_", ["brat", "html"])
def test_link_refuses_a_taken_folder_before_it_links_anything(
    notes: Path, options: list[str], tmp_path: Path, format_: str
) -> None:
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "a.ann").write_text("edited by hand", encoding="utf-8")
    result = run("link", notes, "--out", tmp_path / "taken", "--format", format_, *options)
    assert result.exit_code == 1
    assert "taken" in result.output
    assert (tmp_path / "taken" / "a.ann").read_text(encoding="utf-8") == "edited by hand"
    assert not (tmp_path / ".taken.unfinished").exists()


def test_link_show_prints_the_note_and_its_links(notes: Path, options: list[str], tmp_path: Path) -> None:
    result = run("link", notes / "a.txt", "--show", "--out", tmp_path / "o.jsonl", *options)
    for expected in ("He denies seizures.", "HP:0000107", "Renal cyst", "negated"):
        assert expected in result.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--format", "html"], "needs a file"),
        (["--resume"], "needs a file"),
        (["--top-k", "50", "--out", "x"], "top_k"),
        (["--threshold", "2", "--out", "x"], "--threshold"),
        (["--ontology", "nope", "--out", "x"], "no ontology is called 'nope'"),
        (["--encoder", "no such", "--out", "x"], "no encoder of that name"),
    ],
)
def test_link_refuses_what_makes_no_sense(
    notes: Path, options: list[str], tmp_path: Path, arguments: list[str], message: str
) -> None:
    there = [str(tmp_path / "x") if argument == "x" else argument for argument in arguments]
    result = run("link", notes, *options, *there)
    assert result.exit_code in (1, 2)
    assert message in result.output
    assert not (tmp_path / "x").exists()


def test_link_writes_shards_that_hold_what_one_file_holds(notes: Path, options: list[str], tmp_path: Path) -> None:
    run("link", notes, "--out", tmp_path / "one.jsonl", *options)
    result = run("link", notes, "--out", tmp_path / "shards", "--shard-notes", "2", *options, "--json")
    assert result.exit_code == 0, result.output
    parts = sorted((tmp_path / "shards").glob("part-*.jsonl"))
    assert b"".join(part.read_bytes() for part in parts) == (tmp_path / "one.jsonl").read_bytes()
    assert json.loads(result.stdout)["written"] == [*map(str, parts), str(tmp_path / "shards" / "manifest.json")]


def test_link_resumes_shards(notes: Path, options: list[str], tmp_path: Path) -> None:
    command = ["link", str(notes), "--out", str(tmp_path / "shards"), "--format", "parquet", "--shard-notes", "1"]
    command += options
    run(*command)
    before = {path.name: path.read_bytes() for path in (tmp_path / "shards").iterdir()}
    (tmp_path / "shards" / "part-00001.parquet").unlink()
    result = run(*command, "--resume", "--json")
    assert result.exit_code == 0, result.output
    summary = json.loads(result.stdout)
    assert (summary["n_notes"], summary["n_resumed"], summary["n_links"], summary["n_negated"]) == (3, 2, 4, 2)
    assert {path.name: path.read_bytes() for path in (tmp_path / "shards").iterdir()} == before


@pytest.mark.parametrize(
    "arguments", [["--shard-notes", "2"], ["--shard-notes", "2", "--format", "brat", "--out", "x"]]
)
def test_link_refuses_shards_without_a_folder_or_format_for_them(
    notes: Path, options: list[str], tmp_path: Path, arguments: list[str]
) -> None:
    result = run("link", notes, *options, *(str(tmp_path / "x") if a == "x" else a for a in arguments))
    assert result.exit_code == 1
    assert "shards need a folder" in result.output
    assert not (tmp_path / "x").exists()


# A shell that starts a job in the background makes it ignore Ctrl-C, and so all its children.
RUN = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
from medlink.cli.main import main
main()
"""


def start(arguments: list[str]) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", RUN, *arguments]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def wait_for_lines(journal: Path, n_lines: int) -> None:
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline:
        if journal.exists() and journal.read_bytes().count(b"\n") >= n_lines:
            return
        time.sleep(0.01)
    raise AssertionError("the run wrote nothing")


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT], ids=["killed", "ctrl-c"])
@pytest.mark.parametrize("workers", ["1", "2"])
def test_link_resumes_to_the_same_bytes(options: list[str], tmp_path: Path, how: signal.Signals, workers: str) -> None:
    notes = tmp_path / "many.jsonl"
    texts = [f"Note {i}: renal cysts, seizure {i} and kidney cyst. " * 5 for i in range(500)]
    notes.write_text("".join(json.dumps({"id": i, "text": t}) + "\n" for i, t in enumerate(texts)), encoding="utf-8")
    whole, cut = tmp_path / "whole.jsonl", tmp_path / "cut.jsonl"
    assert run("link", notes, "--out", whole, *options).exit_code == 0
    arguments = ["link", str(notes), "--out", str(cut), "--workers", workers, *options]
    process = start(arguments)
    wait_for_lines(tmp_path / ".cut.jsonl.unfinished" / "links.jsonl", 40)
    process.send_signal(how)
    status = process.wait(60)
    assert status == (130 if how == signal.SIGINT else -signal.SIGKILL)
    assert not cut.exists()
    result = run(*arguments, "--resume", "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["n_resumed"] >= 40
    assert cut.read_bytes() == whole.read_bytes()
    assert not os.path.lexists(tmp_path / ".cut.jsonl.unfinished")


@pytest.mark.slow
def test_link_killed_resumes_shards_to_the_same_bytes(options: list[str], tmp_path: Path) -> None:
    notes = tmp_path / "many.jsonl"
    texts = [f"Note {i}: renal cysts, seizure {i} and kidney cyst. " * 5 for i in range(400)]
    notes.write_text("".join(json.dumps({"id": i, "text": t}) + "\n" for i, t in enumerate(texts)), encoding="utf-8")
    common = ["link", str(notes), "--format", "parquet", "--shard-notes", "50", *options]
    assert run(*common, "--out", tmp_path / "whole").exit_code == 0
    process = start([*common, "--out", str(tmp_path / "cut"), "--workers", "2"])
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline and not list((tmp_path / "cut").glob("part-00001*")):
        time.sleep(0.01)
    process.kill()
    process.wait(60)
    result = run(*common, "--out", tmp_path / "cut", "--resume", "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["n_resumed"] >= 50  # the second file may be there before the manifest says so
    whole, cut = ({p.name: p.read_bytes() for p in (tmp_path / name).iterdir()} for name in ("whole", "cut"))
    assert cut == whole

"""``medlink ingest`` and ``medlink ledger``: what a data manager types, reads, and finds on the disk."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from medlink.cli.main import main
from medlink.formats.writers import write_links
from medlink.linking.linker import Linker
from medlink.linking.recipe import Recipe
from medlink.store.events import text_hash
from tests.cli.conftest import Run
from tests.conftest import TINY_OBO
from tests.formats.annotating import NOTE, OTHER, answer_pubtator

TEXT = "His fit was short. Renal cyst on the left. MI in 2019."


def row(surface: str, **fields: Any) -> dict[str, Any]:
    start = TEXT.index(surface)
    values = {"doc_id": "d1", "start": start, "end": start + len(surface), "surface": surface, "text": TEXT}
    return values | {"verdict": "correct", "annotator": "ann", "time": "2026-01-05T09:00:00Z"} | fields


FIT = row("fit", concept_id="HP:0001250", proposed=[{"concept_id": "HP:0000107", "score": 0.7}])
CYST = row("Renal cyst", verdict="accept", concept_id="HP:0004733")
MI = row("MI", verdict="nil")


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Writes annotation files."""

    def write_lines(*rows: dict[str, Any] | str, name: str = "batch.jsonl") -> Path:
        path = tmp_path / name
        lines = (one if isinstance(one, str) else json.dumps(one, ensure_ascii=False) for one in rows)
        path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        return path

    return write_lines


Write = Callable[..., Path]
OF_LEDGER = {"seq", "batch", "recorded_at"}
TINY = ("--ontology", str(TINY_OBO))


def test_ingest_says_what_a_project_lead_wants_to_know(run: Run, write: Write) -> None:
    shifted = row("MI", verdict="nil", start=44, end=46, annotator="bob")
    bob = FIT | {"annotator": "bob", "concept_id": "HP:0001658"}
    path = write(FIT, CYST, MI, MI, bob, shifted, "{broken", row("fit", concept_id="HP:7777777"))
    output = run("ingest", path, *TINY, code=3).output
    for line in (
        "8 records in 1 file: 5 new, 1 in the ledger already, 2 in quarantine",
        "Verdicts: accept 1, correct 2, nil 2",
        "Offsets repaired: shifted by +1 1",
        "Called otherwise today: HP:0004733 → HP:0000107 Renal cyst, 1 times",
        "Most corrected: HP:0000107 Renal cyst → HP:0001250 Seizure, 1 times",
        "1 open conflicts in these documents; see them with: medlink ledger conflicts",
        f"Refused: {path}:7: the line: json invalid",
        f"Refused: {path}:8: 'HP:7777777' is no concept of tiny 2025-01-16",
        ": mend the lines there and ingest that file.",
    ):
        assert line in output, f"{line!r} is not in\n{output}"


def test_ingest_again_adds_nothing(run: Run, write: Write) -> None:
    path = write(FIT, CYST)
    run("ingest", path, *TINY)
    report = json.loads(run("ingest", path, *TINY, "--json").stdout)
    assert (report["n_new"], report["n_duplicates"], report["recorded"]) == (0, 2, True)
    assert json.loads(run("ledger", "status", "--json").stdout)["batches"] == 1


def test_ingest_dry_run_changes_nothing_on_disk(run: Run, write: Write, tmp_path: Path) -> None:
    path = write(FIT, "{broken")
    output = run("ingest", path, "--any-concept", "--dry-run", code=3).output
    assert "1 new" in output
    assert "A dry run: nothing was recorded." in output
    assert not (tmp_path / "workspace").exists()


def test_ingest_strict_records_nothing(run: Run, write: Write) -> None:
    output = run("ingest", write(FIT, "{broken"), "--any-concept", "--strict", code=3).output
    assert "Nothing was recorded, as --strict asks." in output
    assert json.loads(run("ledger", "status", "--json").stdout)["events"] == 0


def test_ingest_goes_on_behind_a_file_that_is_not_there(run: Run, write: Write, tmp_path: Path) -> None:
    output = run("ingest", tmp_path / "gone.jsonl", write(FIT), "--any-concept", code=3).output
    assert "1 new" in output
    assert "gone.jsonl: no such file or folder" in output


def test_ingest_repairs_against_the_notes(run: Run, write: Write, tmp_path: Path) -> None:
    notes = tmp_path / "notes"
    notes.mkdir()
    (notes / "d1.txt").write_text("ID 7\r\n" + TEXT, encoding="utf-8", newline="")
    line = {key: value for key, value in row("fit", verdict="nil").items() if key != "text"}
    run("ingest", write(line | {"start": 9, "end": 12}), "--any-concept", "--notes", notes)
    (shown,) = json.loads(run("ledger", "show", "--json").stdout)
    assert (shown["start"], shown["end"]) == (10, 13)


def test_ingest_takes_defaults_from_options(run: Run, write: Write) -> None:
    line = {key: value for key, value in MI.items() if key not in ("annotator", "time")}
    run("ingest", write(line), "--any-concept", "--annotator", "eve", "--time", "2026-02-01", "--adjudicator")
    (shown,) = json.loads(run("ledger", "show", "--json").stdout)
    assert (shown["annotator"], shown["time"], shown["adjudicator"]) == ("eve", "2026-02-01T00:00:00+00:00", True)


def test_conflict_is_listed_until_an_adjudicator_decides(run: Run, write: Write) -> None:
    run("ingest", write(FIT, FIT | {"annotator": "bob", "concept_id": "HP:2"}), "--any-concept")
    output = run("ledger", "conflicts").output
    assert "d1 [4, 7) 'fit'\n    HP:0001250  ann, 2026-01-05 09:00\n    HP:2  bob, 2026-01-05 09:00\n" in output
    assert output.endswith("1 open conflicts\n")
    assert run("ledger", "conflicts", "--policy", "latest").output == "0 open conflicts\n"
    decided = write(FIT | {"annotator": "judge"}, name="decided.jsonl")
    run("ingest", decided, "--any-concept", "--adjudicator")
    assert run("ledger", "conflicts").output == "0 open conflicts\n"


def test_show_history_and_as_of(run: Run, write: Write) -> None:
    run("ingest", write(FIT), "--any-concept")
    moment = json.loads(run("ledger", "show", "--json").stdout)[0]["recorded_at"]
    later = FIT | {"verdict": "nil", "concept_id": None, "time": "2026-01-06T09:00:00Z"}
    run("ingest", write(later, name="later.jsonl"), "--any-concept")
    assert "nil  ann, 2026-01-06 09:00" in run("ledger", "show").output
    assert run("ledger", "show", "--history").output.endswith("2 events\n")
    assert "correct HP:0001250  ann, 2026-01-05 09:00" in run("ledger", "as-of", moment).output
    assert run("ledger", "as-of", "2020-01-01").output == "0 events\n"
    assert run("ledger", "show", "--doc", "d9").output == "0 events\n"
    assert "there are more" in run("ledger", "show", "--history", "--limit", "1").output
    assert "is no moment" in run("ledger", "as-of", "yesterday", code=2).output


def test_agreement(run: Run, write: Write) -> None:
    run("ingest", write(FIT, CYST, *(one | {"annotator": "bob"} for one in (FIT, CYST))), "--any-concept")
    output = run("ledger", "agreement").output
    assert "2 spans judged by two or more annotators; Fleiss' kappa 1.000" in output
    assert "ann and bob: Cohen's kappa 1.000, agree on 100.0% of 2 spans" in output
    assert json.loads(run("ledger", "agreement", "--json").stdout)["n_spans"] == 2


@pytest.mark.parametrize("format", ["jsonl", "csv"])
def test_export_is_a_ledger_again(run: Run, write: Write, tmp_path: Path, format: str) -> None:
    bob = FIT | {"annotator": "bob", "concept_id": "HP:2"}
    run("ingest", write(FIT, CYST, MI), "--any-concept")
    run("ingest", write(bob, name="decided.jsonl"), "--any-concept", "--adjudicator")
    out = tmp_path / f"export.{format}"
    assert "Wrote 4 events" in run("ledger", "export", "--out", out, "--format", format).stderr
    report = json.loads(run("ingest", out, "--any-concept", "--json").stdout)
    assert (report["n_new"], report["n_duplicates"]) == (0, 4)
    other = CliRunner().invoke(main, ["ingest", str(out), "--any-concept", "--workspace", str(tmp_path / "other")])
    assert "4 new" in other.output

    def shown(workspace: str) -> list[dict[str, Any]]:
        result = CliRunner().invoke(main, ["ledger", "show", "--json", "--workspace", str(tmp_path / workspace)])
        return [{k: v for k, v in one.items() if k not in OF_LEDGER} for one in json.loads(result.stdout)]

    assert shown("other") == shown("workspace")


def test_export_of_what_holds_leaves_conflicts_out(run: Run, write: Write, tmp_path: Path) -> None:
    bob = FIT | {"annotator": "bob", "concept_id": "HP:2"}
    run("ingest", write(FIT, CYST, CYST | {"annotator": "bob"}, bob), "--any-concept")
    decided = run("ledger", "export", "--what", "decided").stdout.splitlines()
    assert [json.loads(line)["surface"] for line in decided] == ["Renal cyst"]
    latest = run("ledger", "export", "--what", "decided", "--policy", "latest").stdout.splitlines()
    assert [json.loads(line)["concept_id"] for line in latest] == ["HP:2", "HP:0004733"]
    assert len(run("ledger", "export", "--what", "history").stdout.splitlines()) == 4


def test_csv_export_is_no_formula(run: Run, write: Write, tmp_path: Path) -> None:
    line = {"doc_id": "=d1", "start": 0, "end": 2, "surface": "+1", "verdict": "nil"}
    run("ingest", write(line), "--any-concept")
    cells = next(csv.DictReader(run("ledger", "export", "--format", "csv").stdout.splitlines()))
    assert (cells["doc_id"], cells["surface"]) == ("'=d1", "'+1")


def test_migrate_reports_what_moved_and_quarantines_what_is_gone(run: Run, write: Write) -> None:
    gone = row("fit", concept_id="HP:0009006")
    run("ingest", write(CYST, gone), "--any-concept")
    output = run("ledger", "migrate", *TINY).output
    assert "2 events name a concept; in tiny 2025-01-16 1 moved, 1 are gone" in output
    assert "HP:0004733 → HP:0000107, 1 events" in output
    assert "'HP:0009006' is obsolete in tiny 2025-01-16 without a replacement: 1 events" in output
    report = json.loads(run("ledger", "migrate", *TINY, "--json").stdout)
    path = Path(report["quarantine"])
    path.write_text(path.read_text(encoding="utf-8").replace("HP:0009006", "HP:0000175"), encoding="utf-8")
    run("ingest", path, *TINY)
    assert json.loads(run("ledger", "migrate", *TINY, "--json").stdout)["gone"] == []


def test_status_and_verify(run: Run, write: Write) -> None:
    run("ingest", write(FIT, CYST, FIT | {"annotator": "bob", "concept_id": "HP:2"}), "--any-concept")
    output = run("ledger", "status").output
    for expected in (
        "events           3",
        "spans            2",
        "open conflicts   1",
        "ann 2, bob 1",
        "correct 2, accept 1",
    ):
        assert expected in output
    assert "is sound: 3 events in 1 batches" in run("ledger", "verify").output


@pytest.mark.parametrize("command", ["status", "show", "conflicts", "agreement", "export", "verify"])
def test_commands_without_a_ledger_say_how_to_get_one(run: Run, command: str, tmp_path: Path) -> None:
    output = run("ledger", command, code=1).output
    assert "there is no ledger here" in output
    assert "medlink ingest" in output
    assert not (tmp_path / "workspace").exists()


def test_no_text_of_a_note_reaches_messages(run: Run, write: Write) -> None:
    secret = row("fit", text="SECRET", concept_id="HP:1")
    output = run("ingest", write(secret, '{"text": "SECRET"', {"text": "SECRET"}), "--any-concept", code=3).output
    assert "3 in quarantine" in output
    assert "SECRET" not in output


def test_correction_counts_in_the_next_link_and_explain(
    write: Write, tmp_path: Path, recipe: Recipe, linker: Linker
) -> None:
    workspace = tmp_path / "workspace"
    assert linker, "the index is built"
    workspace.mkdir()
    for name in ("indexes", "lexicons"):
        (workspace / name).symlink_to(recipe.workspace / name)
    options = ["--ontology", recipe.ontology, "--encoder", recipe.encoder, "--workspace", str(workspace)]
    note = tmp_path / "d1.txt"
    note.write_text(TEXT, encoding="utf-8")

    def concept(*more: str) -> str | None:
        out = tmp_path / "links.jsonl"
        result = CliRunner().invoke(main, ["link", str(note), "--out", str(out), *options, *more])
        assert result.exit_code == 0, result.output
        links = json.loads(out.read_text(encoding="utf-8"))["links"]
        return next((link["concept_id"] for link in links if link["surface"] == "Renal cyst"), "not found")

    assert concept() == "HP:0000107"
    line = row("Renal cyst", concept_id="HP:0001250", proposed=[{"concept_id": "HP:0000107"}])
    result = CliRunner().invoke(main, ["ingest", str(write(line)), *options[:2], *options[4:]])
    assert result.exit_code == 0, result.output
    assert concept() == "HP:0001250"
    assert concept("--corrections", "off") == "HP:0000107"
    explained = CliRunner().invoke(main, ["explain", "renal cyst", *options]).output
    assert "Annotators decided that “Renal cyst” means HP:0001250 Seizure: 1 mention in 1 document" in explained
    assert "They rejected HP:0000107 Renal cyst." in explained
    conflict = line | {"annotator": "bob", "concept_id": "HP:0000107", "verdict": "accept"}
    CliRunner().invoke(main, ["ingest", str(write(conflict)), *options[:2], *options[4:]])
    assert concept() == "HP:0000107"


def test_ingest_compares_with_the_links_that_were_exported(run: Run, tmp_path: Path) -> None:
    write_links([NOTE, OTHER], tmp_path / "links.jsonl", format="jsonl")
    write_links([NOTE, OTHER], tmp_path / "export", format="pubtator")
    answer_pubtator(tmp_path / "export")
    report = json.loads(
        run("ingest", tmp_path / "export", "--links", tmp_path / "links.jsonl", "--any-concept", "--json").stdout
    )
    assert report["verdicts"] == {"accept": 2, "correct": 2, "nil": 1, "not_a_mention": 1, "missed": 1}
    assert report["corrected"][0] == ["HP:0002020", "HP:0002315", 1]
    shown = json.loads(run("ledger", "show", "--json").stdout)
    texts = {linked.document.id: linked.document.text for linked in (NOTE, OTHER)}
    assert {one["surface"] for one in shown} == {texts[one["doc_id"]][one["start"] : one["end"]] for one in shown}
    assert {one["doc_hash"] for one in shown} == {text_hash(text) for text in texts.values()}


def test_diff_counts_the_corrections_that_a_release_touches(run: Run, write: Write, tmp_path: Path) -> None:
    old, new = tmp_path / "old.csv", tmp_path / "new.obo"
    old.write_text("id,name\nHP:0001250,Seizure\nHP:0000107,Renal cyst\nHP:0000001,All\n", encoding="utf-8")
    new.write_text(
        "[Term]\nid: HP:0000002\nname: Epileptic seizure\nalt_id: HP:0001250\n\n"
        "[Term]\nid: HP:0000001\nname: Everything\n",
        encoding="utf-8",
    )
    before = run("ontology", "diff", old, new).output
    assert "merged   1\n" in before
    assert "corrections" not in before
    run("ingest", write(FIT, FIT | {"annotator": "bob"}, MI, CYST), *TINY)
    output = run("ontology", "diff", old, new).output
    assert "retired:\n  HP:0000107  Renal cyst → no successor\n" in output
    assert "renamed:\n  HP:0000001  All → Everything\n" in output
    assert "added:\n  HP:0000002  Epileptic seizure\n" in output
    assert "\n2 of 3 corrections name a concept that changed\n  HP:0001250  merged → HP:0000002, 2\n" in output
    report = json.loads(run("ontology", "diff", old, new, "--json").stdout)
    assert report["merged"] == [{"id": "HP:0001250", "name": "Seizure", "successors": ["HP:0000002"]}]
    assert (report["corrections"]["n_touched"], report["corrections"]["n_uses"]) == (2, 3)

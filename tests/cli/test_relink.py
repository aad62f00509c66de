"""``medlink relink``: what a data manager types after a batch of corrections."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from medlink.cli.main import main
from medlink.linking.recipe import Recipe
from medlink.store.workspace import Workspace

NOTES = {"a": "A renal cyst, then a heart attack.", "b": "Renal cyst again. Renal cyst."}
Run = Callable[..., Result]


@pytest.fixture
def workspace(own_recipe: Recipe) -> Workspace:
    return Workspace(own_recipe.workspace)


@pytest.fixture
def run(recipe: Recipe, workspace: Workspace) -> Run:
    def invoke(*arguments: str | Path, code: int = 0) -> Result:
        options = ["--ontology", recipe.ontology, "--workspace", str(workspace.root)]
        options += [] if arguments[0] == "ingest" else ["--encoder", recipe.encoder]
        result = CliRunner().invoke(main, [*map(str, arguments), *options])
        assert result.exit_code == code, result.output
        return result

    return invoke


@pytest.fixture
def linked(run: Run, tmp_path: Path) -> Path:
    """The links of the notes, which are in the log."""
    (tmp_path / "notes").mkdir()
    for name, text in NOTES.items():
        (tmp_path / "notes" / f"{name}.txt").write_text(text, encoding="utf-8")
    run("link", tmp_path / "notes", "--out", tmp_path / "links.jsonl")
    return tmp_path / "links.jsonl"


def correct(run: Run, tmp_path: Path) -> None:
    """An annotator says that the renal cyst of note a is an enlarged kidney, and that its heart attack is none."""
    labels = [(2, 12, "HP:0000105", "correct"), (21, 33, None, "not_a_mention")]
    lines = [
        {
            "doc_id": "a",
            "text": NOTES["a"],
            "start": start,
            "end": end,
            "surface": NOTES["a"][start:end],
            "verdict": verdict,
            "concept_id": concept,
            "annotator": "ann",
        }
        for start, end, concept, verdict in labels
    ]
    path = tmp_path / "batch.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    run("ingest", path)


def test_relink_without_corrections_changes_nothing(run: Run, linked: Path, tmp_path: Path) -> None:
    facts = json.loads(run("relink", "--out", tmp_path / "changes.jsonl", "--json").stdout)
    assert (facts["n_links"], facts["n_changed"], facts["n_rescored"], facts["applied"]) == (4, 0, 0, False)
    assert (tmp_path / "changes.jsonl").read_bytes() == b""


def test_relink_tells_what_corrections_change_and_records_it_when_told(
    run: Run, linked: Path, workspace: Workspace, tmp_path: Path
) -> None:
    correct(run, tmp_path)
    before = workspace.link_log.read_bytes()
    output = run("relink", "--out", tmp_path / "changes.csv", "--format", "csv").output
    assert "4 links in 2 notes" in output
    assert "0 unchanged, 4 changed" in output
    assert "Changed: 4 by ruling; 1 lost their concept, 0 got their first" in output
    assert "Nothing is recorded" in output
    assert workspace.link_log.read_bytes() == before
    with (tmp_path / "changes.csv").open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert [(row["doc_id"], row["start"], row["new_concept"]) for row in rows] == [
        ("a", "2", "HP:0000105"),
        ("a", "21", ""),
        ("b", "0", "HP:0000105"),
        ("b", "18", "HP:0000105"),
    ]
    assert f"Recorded in {workspace.link_log}" in run("relink", "--apply").output
    assert json.loads(run("relink", "--json").stdout)["n_changed"] == 0
    run("link", tmp_path / "notes", "--out", linked)
    assert json.loads(run("relink", "--json").stdout)["n_rescored"] == 0


def test_explain_shows_the_corrections_that_pull_a_text(run: Run, linked: Path, tmp_path: Path) -> None:
    assert "corrections" not in run("explain", "kidney cyst").output
    correct(run, tmp_path)
    near = json.loads(run("explain", "renal cyst", "--json").stdout)["corrections"]
    assert [(one["id"], one["concept_id"], one["pull"]) for one in near] == [
        ("a:2-12", "HP:0000105", "towards"),
        ("a:21-33", None, ""),
    ]
    assert near[0]["cosine"] == pytest.approx(1, abs=1e-3)
    output = run("explain", "renal cyst").output
    assert "a:2-12" in output
    assert "towards" in output


def test_relink_says_how_to_begin(run: Run) -> None:
    assert "there is no link log here" in run("relink", code=1).output


def test_relink_names_what_the_notes_were_linked_to(run: Run, linked: Path) -> None:
    assert "2 notes linked to all of tiny" in run("relink", "--branch", "HP:0000107", code=1).output

"""``medlink evaluate notes`` from outside: what it prints and writes, and how it refuses."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from medlink.cli.main import main
from medlink.linking.recipe import Recipe
from tests.evaluation.tiny_corpus import TEXTS, WRITERS, span


@pytest.fixture
def options(recipe: Recipe) -> list[str]:
    return ["--ontology", recipe.ontology, "--encoder", recipe.encoder, "--workspace", str(recipe.workspace)]


def arguments(tmp_path: Path, form: str, *more: str) -> list[str]:
    return ["evaluate", "notes", "--corpus", str(WRITERS[form](tmp_path)), "--format", form, *more]


def read_json(given: list[str]) -> dict[str, Any]:
    result = CliRunner().invoke(main, [*given, "--json"])
    assert result.exit_code == 0, result.output
    report: dict[str, Any] = json.loads(result.stdout)
    return report


def figures(report: dict[str, Any], level: str) -> tuple[float, float, int, int]:
    found = report["levels"][level]
    return found["precision"]["value"], found["recall"]["value"], found["n_predicted"], found["n_gold"]


@pytest.mark.parametrize("form", WRITERS)
def test_evaluate_notes_is_the_same_for_every_form(form: str, tmp_path: Path, options: list[str]) -> None:
    report = read_json(arguments(tmp_path, form, *options, "--nested"))
    precision, recall, n_predicted, n_gold = figures(report, "mention")
    assert n_gold == 7
    # The names in the notes are found as they stand; "MI" and "kidneys" in a coordination are not gold.
    assert recall >= 4 / 7
    assert precision * n_predicted == pytest.approx(recall * n_gold)
    assert figures(report, "overlap")[1] == 1.0
    assert report["setting"]["linker"]["nested"] is True


def test_evaluate_notes_nested_finds_more(tmp_path: Path, options: list[str]) -> None:
    longest = read_json(arguments(tmp_path, "pubtator", *options))
    (tmp_path / "again").mkdir()
    nested = read_json(arguments(tmp_path / "again", "pubtator", *options, "--nested"))
    assert figures(nested, "span")[2] > figures(longest, "span")[2]


def test_evaluate_notes_counts_a_branch_only(tmp_path: Path, options: list[str]) -> None:
    report = read_json(arguments(tmp_path, "gsc", *options, "--nested", "--branch", "HP:0000707"))
    # The two seizures of the first note; nothing else is below the nervous system.
    assert figures(report, "document") == (1.0, 1.0, 2, 2)


def test_evaluate_notes_with_a_threshold_of_one_leaves_less(tmp_path: Path, options: list[str]) -> None:
    report = read_json(arguments(tmp_path, "pubtator", *options, "--threshold", "1"))
    (tmp_path / "again").mkdir()
    usual = read_json(arguments(tmp_path / "again", "pubtator", *options, "--threshold", "0"))
    assert figures(report, "span")[2] < figures(usual, "span")[2]


def test_evaluate_notes_counts_the_documents_that_are_asked_for(tmp_path: Path, options: list[str]) -> None:
    listed = tmp_path / "dev.txt"
    listed.write_text("d2\n", encoding="utf-8")
    report = read_json(arguments(tmp_path, "gsc", *options, "--documents", str(listed)))
    assert (report["n_documents"], figures(report, "document")[3]) == (1, 3)


PREDICTIONS = (
    f"d1|t|{TEXTS['d1'][:13]}\nd1|a|{TEXTS['d1'][14:]}\n"
    "d1\t0\t12\tKidney cysts\tPhenotype\tHP:0004733\n"
    "d1\t14\t30\tFebrile seizures\tOther\tHP:0002373\n"
    "d1\t35\t47\theart attack\tPhenotype\t\n"
)


def test_evaluate_notes_scores_predictions_of_another_tool(tmp_path: Path, options: list[str]) -> None:
    assert span("d1", "heart attack") == (35, 47)
    path = tmp_path / "predictions.txt"
    path.write_text(PREDICTIONS, encoding="utf-8")
    report = read_json(arguments(tmp_path, "pubtator", *options, "--predictions", str(path)))
    assert figures(report, "mention") == (1.0, 2 / 7, 2, 7)
    assert report["setting"]["linker"] is None
    assert [problem["what"] for problem in report["problems"]] == ["no predictions for document d2"]


def test_evaluate_notes_leaves_out_predictions_of_another_type_of_the_corpus(
    tmp_path: Path, options: list[str]
) -> None:
    path = tmp_path / "predictions.txt"
    path.write_text(PREDICTIONS.replace("\tOther\t", "\tGene\t"), encoding="utf-8")
    given = arguments(tmp_path, "pubtator", *options, "--predictions", str(path), "--type", "Phenotype")
    assert figures(read_json(given), "mention")[2] == 2  # the corpus knows no genes, so their type says nothing
    corpus = tmp_path / "corpus.pubtator"
    corpus.write_text(
        corpus.read_text(encoding="utf-8").replace("heart attack\tPhenotype", "heart attack\tGene"), encoding="utf-8"
    )
    assert figures(read_json(given), "mention") == (1.0, 1 / 6, 1, 6)


def test_evaluate_notes_shows_tables_and_names_what_it_left_out(tmp_path: Path, options: list[str]) -> None:
    given = arguments(tmp_path, "gsc", *options, "--branch", "HP:0000118")
    with (tmp_path / "gsc" / "Annotations" / "d1").open("a", encoding="utf-8") as stream:
        stream.write("w1:2\tHP:0000107\tKidney cysts\n")
    result = CliRunner().invoke(main, given)
    assert result.exit_code == 0, result.output
    assert "Annotations/d1:5: a line of another form" in result.stderr
    for expected in ("document", "overlap", "parent or child", "2 documents; tiny 2025-01-16; branch HP:0000118"):
        assert expected in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= 80


def test_evaluate_notes_writes_a_report_and_the_errors(tmp_path: Path, options: list[str]) -> None:
    out, errors = tmp_path / "report", tmp_path / "errors.tsv"
    report = read_json(arguments(tmp_path, "pubtator", *options, "--out", str(out), "--errors", str(errors)))
    assert report["written"] == [*(str(out / f"report.{suffix}") for suffix in ("md", "json", "png")), str(errors)]
    assert json.loads((out / "report.json").read_text(encoding="utf-8")) == {
        key: value for key, value in report.items() if key != "written"
    }
    with errors.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream, delimiter="\t"))
    for side in ("gold", "predicted"):
        counted = sum(found[side] for found in report["misses"].values())
        assert counted == sum(bool(row[f"{side}_concept"]) for row in rows)
    assert any(row["kind"] == "coordination" for row in rows)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--type", "Disease"], "no annotation has this type"),
        (["--documents", "{folder}/ids.txt"], "not every document that is asked for is in the corpus"),
        (["--predictions", "{folder}/other.txt"], "predictions for no document of the corpus"),
        (["--branch", "HP:7777777"], "no current concept has this id"),
        (["--out", "{folder}"], "the output folder is not empty"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_evaluate_notes_refuses(more: list[str], message: str, tmp_path: Path, options: list[str]) -> None:
    (tmp_path / "ids.txt").write_text("d1\nd7\n", encoding="utf-8")
    (tmp_path / "other.txt").write_text("d7|t|Deafness.\n", encoding="utf-8")
    given = [part.replace("{folder}", str(tmp_path)) for part in more]
    result = CliRunner().invoke(main, arguments(tmp_path, "pubtator", *options, *given))
    assert result.exit_code == 1
    assert message in result.output


def test_evaluate_notes_names_a_corpus_of_another_form(tmp_path: Path, options: list[str]) -> None:
    path = WRITERS["brat"](tmp_path)
    result = CliRunner().invoke(main, ["evaluate", "notes", "--corpus", str(path), "--format", "gsc", *options])
    assert result.exit_code == 1
    assert "there is no text; expected one file a document" in result.output

"""``medlink evaluate link`` from outside: what it prints and writes, and how it refuses."""

from __future__ import annotations

import hashlib
import json
import re
import sys
from pathlib import Path
from typing import Any, Literal

import pytest
from click.testing import CliRunner
from pydantic import BaseModel, ConfigDict

from medlink import __version__
from medlink.cli.main import main
from medlink.linking.recipe import Recipe

NAMES = "D1||heart attack\nD2|7||renal cyst\nD3||seizure\nD4||seizure disorder\n"
QUERIES = (
    "d1||0|1||X||renal cysts||D2\n"
    "d1||2|3||X||seizure||D3\n"
    "d2||0|1||X||Seizure||D3\n"
    "d2||2|3||X||infarction||D1+D9\n"
    "d3||0|1||X||seizure||D8\n"
)
TRAIN = "t||0|1||X||infarction||D3\n"
SYSTEMS = ["exact", "tf-idf", "medlink", "medlink + document"]


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    paths = {name: tmp_path / f"{name}.txt" for name in ("names", "queries", "train", "extra")}
    for name, content in (("names", NAMES), ("queries", QUERIES), ("train", TRAIN), ("extra", "D1|D9||infarction\n")):
        paths[name].write_text(content, encoding="utf-8")
    return paths


@pytest.fixture
def arguments(files: dict[str, Path], recipe: Recipe) -> list[str]:
    given = ["evaluate", "link", "--queries", str(files["queries"]), "--names", str(files["names"])]
    return [*given, "--encoder", recipe.encoder, "--workspace", str(recipe.workspace)]


class Strict(BaseModel):
    """A part of the report as this test, and not medlink, knows it."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Figure(Strict):
    value: float
    low: float
    high: float


class Scores(Strict):
    n: int
    acc1: Figure
    acc5: Figure
    mrr: Figure


class Difference(Strict):
    system: str
    minus: str
    acc1: Figure


class Subset(Strict):
    name: str
    meaning: str
    n: int
    n_documents: int
    systems: dict[str, Scores]
    differences: list[Difference]


class File(Strict):
    path: str
    sha256: str


class Encoder(Strict):
    name: str
    pooling: str
    fingerprint: str


class Ontology(Strict):
    name: str
    version: str
    content_hash: str
    n_concepts: int
    n_names: int


class Setting(Strict):
    medlink: str
    release: str
    queries: File
    n_mentions: int
    n_documents: int
    names: list[File]
    extra_names: list[File]
    names_used: Literal["ontology only", "with extra names"]
    seen: list[File]
    ontology: Ontology
    encoder: Encoder
    baselines: dict[str, Encoder]
    seed: int
    n_resamples: int
    depth: int


class Report(Strict):
    format: Literal["linking-report.v1"]
    setting: Setting
    systems: list[str]
    subsets: list[Subset]


def read_json(arguments: list[str]) -> dict[str, Any]:
    result = CliRunner().invoke(main, [*arguments, "--json"])
    assert result.exit_code == 0, result.output
    report: dict[str, Any] = json.loads(result.stdout)
    return report


def accuracy(report: dict[str, Any], subset: int) -> dict[str, float]:
    return {system: scores["acc1"]["value"] for system, scores in report["subsets"][subset]["systems"].items()}


def test_evaluate_link_compares_the_systems(arguments: list[str]) -> None:
    report = read_json(arguments)
    assert report["systems"] == SYSTEMS
    assert [(subset["name"], subset["n"]) for subset in report["subsets"]] == [("all mentions", 5), ("unique pairs", 4)]
    assert accuracy(report, 0)["exact"] == 2 / 5
    # "infarction" shares "ar" with "heart attack" and nothing with the other names.
    assert accuracy(report, 0)["tf-idf"] == 4 / 5
    assert accuracy(report, 1)["exact"] == 1 / 4
    assert report["written"] == []


def test_evaluate_link_shows_tables(arguments: list[str], files: dict[str, Path]) -> None:
    result = CliRunner().invoke(main, [*arguments, "--seen", str(files["train"])])
    assert result.exit_code == 0, result.output
    assert "all mentions  n = 5, 3 documents" in result.stdout
    assert "unseen surfaces  n = 4, 3 documents" in result.stdout
    assert "unseen concepts  n = 3, 3 documents" in result.stdout
    assert "medlink + document minus the others" in result.stdout
    assert "names: ontology only, 4 of 4 concepts" in result.stdout
    assert re.search(r"^ exact +\.400 \[\.\d{3}, 1?\.\d{3}\]", result.stdout, re.MULTILINE)
    assert max(map(len, result.stdout.splitlines())) <= 80


def test_evaluate_link_shows_an_empty_subset(arguments: list[str], files: dict[str, Path]) -> None:
    result = CliRunner().invoke(main, [*arguments, "--seen", str(files["train"]), "--seen", str(files["queries"])])
    assert result.exit_code == 0, result.output
    assert "unseen surfaces  n = 0, empty" in result.stdout


def test_evaluate_link_judges_any_encoder_as_baseline(arguments: list[str], encoder_folder: Path) -> None:
    given = ["--baseline", str(encoder_folder), "--baseline", f"first={encoder_folder}", "--baseline-pooling", "first"]
    report = read_json([*arguments, *given])
    assert report["systems"] == ["exact", "tf-idf", str(encoder_folder), "first", "medlink", "medlink + document"]
    assert [d["minus"] for d in report["subsets"][0]["differences"]] == [
        "tf-idf",
        str(encoder_folder),
        "first",
        "medlink",
    ]
    assert report["setting"]["baselines"]["first"]["pooling"] == "first"
    assert report["setting"]["encoder"]["pooling"] == "mean"


def test_evaluate_link_with_extra_names_says_so(arguments: list[str], files: dict[str, Path]) -> None:
    report = read_json([*arguments, "--extra-names", str(files["extra"])])
    assert accuracy(report, 0)["exact"] == 3 / 5
    assert report["setting"]["names_used"] == "with extra names"
    assert report["setting"]["ontology"]["n_concepts"] == 5


def test_evaluate_link_writes_a_report_that_can_be_checked(
    arguments: list[str], files: dict[str, Path], tmp_path: Path
) -> None:
    out = tmp_path / "report"
    result = CliRunner().invoke(main, [*arguments, "--seen", str(files["train"]), "--seed", "3", "--out", str(out)])
    assert result.exit_code == 0, result.output
    for name in ("report.md", "report.json", "report.png"):
        assert f"wrote {out / name}" in result.stdout
    report = Report.model_validate_json((out / "report.json").read_text(encoding="utf-8"))
    assert report.systems == SYSTEMS
    assert [subset.n for subset in report.subsets] == [5, 4, 4, 3]
    for subset in report.subsets:
        for scores in subset.systems.values():
            assert scores.n == subset.n
            assert 0 <= scores.acc1.low <= scores.acc1.value <= scores.mrr.value <= scores.acc5.high <= 1
        for difference in subset.differences:
            one, other = subset.systems[difference.system], subset.systems[difference.minus]
            assert difference.acc1.value == pytest.approx(one.acc1.value - other.acc1.value)
    setting = report.setting
    assert (setting.medlink, setting.seed, setting.names_used) == (__version__, 3, "ontology only")
    assert (setting.n_mentions, setting.n_documents) == (5, 3)
    for file in (setting.queries, *setting.names, *setting.seen):
        assert hashlib.sha256(Path(file.path).read_bytes()).hexdigest() == file.sha256
    assert (out / "report.png").read_bytes().startswith(b"\x89PNG")
    assert "| medlink + document |" in (out / "report.md").read_text(encoding="utf-8")


def test_evaluate_link_writes_the_errors_only_when_asked(arguments: list[str], tmp_path: Path) -> None:
    before = set(tmp_path.iterdir())
    path = tmp_path / "errors.tsv"
    report = read_json([*arguments, "--errors", str(path)])
    assert report["written"] == [str(path)]
    assert set(tmp_path.iterdir()) - before == {path}
    header, *rows = path.read_text(encoding="utf-8").splitlines()
    assert header.split("\t") == [
        "system",
        "doc_id",
        "mention",
        "gold_ids",
        "gold_rank",
        "answer",
        "answer_ids",
        "score",
    ]
    assert any(row.startswith("medlink + document\td3\tseizure\tD8\t0\tseizure\tD3\t") for row in rows)
    wrong = {system: round(5 * (1 - share)) for system, share in accuracy(report, 0).items()}
    assert len(rows) == wrong["medlink"] + wrong["medlink + document"]


def test_evaluate_link_names_the_broken_line(arguments: list[str], files: dict[str, Path]) -> None:
    files["train"].write_text("one||two\n", encoding="utf-8")
    result = CliRunner().invoke(main, [*arguments, "--seen", str(files["train"])])
    assert result.exit_code == 1
    assert "train.txt:1: a line of another form" in result.output


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["--baseline", "minilm", "--baseline", "minilm"], "--baseline: a baseline needs a label of its own"),
        (["--baseline", "=minilm"], "expected LABEL=NAME or NAME; got =minilm"),
        (["--baseline", "medlink=minilm"], "a baseline with the name of another system; got medlink"),
        (["--errors", "/dev/null"], "the output path is no regular file"),
    ],
    ids=["twice", "no label", "taken", "no file"],
)
def test_evaluate_link_refuses_before_it_encodes(
    arguments: list[str], given: list[str], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("medlink.linking.assemble.load_index", None)
    result = CliRunner().invoke(main, [*arguments, *given])
    assert result.exit_code == 1
    assert message in result.output


def test_evaluate_link_refuses_a_folder_that_holds_something(arguments: list[str], tmp_path: Path) -> None:
    result = CliRunner().invoke(main, [*arguments, "--out", str(tmp_path)])
    assert result.exit_code == 1
    assert "the output folder is not empty" in result.output


def test_evaluate_link_refuses_extra_names_alone(files: dict[str, Path]) -> None:
    given = ["evaluate", "link", "--queries", str(files["queries"]), "--extra-names", str(files["extra"])]
    result = CliRunner().invoke(main, given)
    assert result.exit_code == 1
    assert "--extra-names: extra names extend a file of names; expected --names too" in result.output


def test_evaluate_link_needs_matplotlib_for_a_report_only(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    assert CliRunner().invoke(main, arguments).exit_code == 0
    result = CliRunner().invoke(main, [*arguments, "--out", str(tmp_path / "report")])
    assert result.exit_code == 1
    assert "pip install 'medlink[train]'" in result.output


def test_evaluate_link_without_queries_is_a_usage_error() -> None:
    assert CliRunner().invoke(main, ["evaluate", "link"]).exit_code == 2

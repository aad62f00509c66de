"""The bench on sets of a few lines: what it prints and appends, and what counts as seen and as a name."""

from __future__ import annotations

import gzip
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from medlink.evaluation.biosyn import read_names
from medlink.ontology.lexicon import Lexicon
from pipelines.bench import biosyn, results
from pipelines.bench.mentions import write_mentions
from tests.evaluation.tiny_set import make_query

NAMES = "D1||heart attack\nD2|7||renal cyst\nD3||seizure\n"
SPLITS = {
    "train": "t||0|1||X||infarction||D1\nt||2|3||X||seizure||D3\nt||4|5||X||Seizure||D9\n",
    "dev": "v||0|1||X||infarction||D1\nv||2|3||X||fit||D3\n",
    "test": "x||0|1||X||fit||D3\nx||2|3||X||renal cyst||D2\n",
}


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "biosyn" / "ncbi-disease"
    folder.mkdir(parents=True)
    for split, content in SPLITS.items():
        (folder / f"queries.{split}.txt").write_text(content, encoding="utf-8")
    with gzip.open(folder / "dictionary.ontology-only.txt.gz", "wt", encoding="utf-8") as stream:
        stream.write(NAMES)
    (folder / "dictionary.extra-train-dev-mentions.txt").write_text("D3||fit\nD1||infarction\n", encoding="utf-8")
    monkeypatch.setenv("MEDLINK_BENCH_DATA", str(tmp_path))
    monkeypatch.setenv("MEDLINK_WORKSPACE", str(tmp_path / "workspace"))
    monkeypatch.setattr(results, "RESULTS", tmp_path / "results.jsonl")
    return tmp_path


def run(monkeypatch: pytest.MonkeyPatch, encoder: Path, *arguments: str) -> None:
    monkeypatch.setattr(sys, "argv", ["biosyn", "--sets", "ncbi-disease", "--encoder", str(encoder), *arguments])
    biosyn.main()


def lines_of(folder: Path, **wanted: str) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in (folder / "results.jsonl").read_text(encoding="utf-8").splitlines()]
    return [line for line in lines if wanted.items() <= line.items()]


@pytest.mark.parametrize(
    ("arguments", "names", "exact"),
    [
        (["--split", "dev"], "ontology only", 0.0),
        (["--split", "dev", "--with-mentions"], "plus train mentions", 0.5),
        (["--split", "test"], "ontology only", 0.5),
        (["--split", "test", "--with-mentions"], "plus train and dev mentions", 1.0),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_biosyn_adds_only_what_stands_before_the_split(
    data: Path, encoder_folder: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], names: str, exact: float
) -> None:
    run(monkeypatch, encoder_folder, *arguments)
    (line,) = lines_of(data, system="exact", subset="all mentions")
    assert (line["names"], line["acc1"], line["n"], line["encoder"]) == (names, exact, 2, None)
    assert line["seen"] == ("train" if "dev" in arguments else "train and dev")


def test_biosyn_appends_a_line_for_each_subset_system_and_difference(
    data: Path, encoder_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run(monkeypatch, encoder_folder, "--split", "dev", "--baseline", f"plain={encoder_folder}")
    printed = capsys.readouterr().out
    systems = ["exact", "tf-idf", "plain", "medlink", "medlink + document"]
    for system in systems:
        assert f"ncbi-disease     {system} " in printed
    assert "medlink + document minus plain: " in printed
    # Three subsets: D1 and D3 stand in train, so there is no line of unseen concepts.
    assert len(lines_of(data)) == 3 * (5 + 3)
    assert "unique pairs 2, unseen surfaces 1, unseen concepts 0" in printed
    differences = [line for line in lines_of(data, subset="all mentions") if "minus" in line]
    assert [line["minus"] for line in differences] == ["tf-idf", "plain", "medlink"]
    (unseen,) = lines_of(data, system="medlink", subset="unseen surfaces")
    assert unseen["n"] == 1


def test_biosyn_refuses_hpo_where_it_has_no_such_split(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["biosyn", "--sets", "hpo-gsc2024", "--split", "dev"])
    with pytest.raises(SystemExit, match="2"):
        biosyn.main()


def test_write_mentions_by_hand(tmp_path: Path) -> None:
    """One line a mention, without those whose name and ids the ontology has, with the ids of those it has otherwise."""
    (tmp_path / "names.txt").write_text(NAMES, encoding="utf-8")
    lexicon = Lexicon(read_names([tmp_path / "names.txt"], name="names"))
    queries = [
        make_query("a", "Renal cyst", "7"),
        make_query("a", "seizure", "D9"),
        make_query("b", "fit", "D4"),
        make_query("b", "fit", "D3|D4"),
        make_query("c", "cyst|fit", "D2+D3"),
    ]
    write_mentions(queries, lexicon, tmp_path / "extra.txt")
    assert (tmp_path / "extra.txt").read_text(encoding="utf-8") == ("D2|D3||cyst fit\nD3|D4||fit\nD3|D9||seizure\n")

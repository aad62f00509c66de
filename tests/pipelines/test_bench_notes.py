"""The bench of whole notes on sets of two notes: what it prints and appends, and which documents are whose."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest

from pipelines.bench import notes, results
from tests.evaluation.tiny_corpus import TEXTS, WRITERS

NAMES = "HP:0000107||Kidney cyst|Renal cyst\nHP:0001250|HP:0002182||Seizure\nHP:0000365||Deafness\n"


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for folder in ("ncbi-disease", "bc5cdr", "medic-2012"):
        (tmp_path / folder).mkdir()
    corpus = WRITERS["pubtator"](tmp_path).read_text(encoding="utf-8")
    (tmp_path / notes.NCBI["dev"]).write_text(corpus, encoding="utf-8")
    halves = corpus.replace("d1\t0\t12\tKidney cysts\tPhenotype", "d1\t0\t12\tKidney cysts\tDisease")
    halves = halves.replace("Deafness\tPhenotype", "Deafness\tChemical")
    (tmp_path / notes.BC5CDR["test"]).write_text(halves, encoding="utf-8")
    for _, file in (notes.DNORM, notes.TMCHEM):
        (tmp_path / file).write_text("d1|t|Kidney cysts.\nd1\t0\t12\tKidney cysts\tX\tHP:0000107\n", encoding="utf-8")
    (tmp_path / notes.MEDIC).write_text(NAMES, encoding="utf-8")
    monkeypatch.setenv("MEDLINK_BENCH_DATA", str(tmp_path))
    monkeypatch.setenv("MEDLINK_WORKSPACE", str(tmp_path / "workspace"))
    monkeypatch.setattr(results, "RESULTS", tmp_path / "results.jsonl")
    return tmp_path


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> None:
    monkeypatch.setattr(sys, "argv", ["notes", *arguments])
    notes.main()


def test_notes_prints_and_appends_every_system_and_level(
    data: Path, encoder_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--split", "dev", "--tasks", "ncbi-disease", "--encoder", str(encoder_folder)]
    run(monkeypatch, *arguments, "--systems", "medlink", "longest-match")
    printed = capsys.readouterr().out
    lines = [json.loads(line) for line in (data / "results.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [(line["system"], line.get("stage"), line.get("level")) for line in lines] == [
        *(("longest-match", "whole", level) for level in notes.LEVELS),
        ("medlink", "detection", None),
        *(("medlink", "whole", level) for level in notes.LEVELS),
        *(("medlink", None, level) for level in notes.LEVELS),
    ]
    f = {line["system"]: line["f"] for line in lines if line.get("stage") and line.get("level") == "document"}
    gain = next(line for line in lines if line.get("minus") == "longest-match" and line["level"] == "document")
    assert gain["f_difference"] == pytest.approx(f["medlink"] - f["longest-match"], abs=2e-4)
    plain = next(line for line in lines if line.get("level") == "mention")
    # Of the seven gold mentions only "Deafness" is a name as it stands: the others are plurals or not in there.
    assert (plain["n_predicted"], plain["n_gold"], plain["precision"], plain["recall"]) == (1, 7, 1.0, round(1 / 7, 4))
    assert all(line["documents_per_second"] > 0 for line in lines if "stage" in line)
    assert "F of medlink minus longest-match: document +" in printed
    for system in ("longest-match", "medlink"):
        assert f"ncbi-disease     {system:13} document" in printed
    assert "misses, gold/predicted: abbreviation " in printed


@pytest.mark.slow
def test_earlier_annotations_count(
    data: Path, encoder_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    corpus = (data / notes.NCBI["dev"]).read_text(encoding="utf-8")
    (data / notes.NCBI["train"]).write_text(corpus.replace("d1", "e1").replace("d2", "e2"), encoding="utf-8")
    arguments = ["--split", "dev", "--tasks", "ncbi-disease", "--encoder", str(encoder_folder)]
    run(monkeypatch, *arguments, "--systems", "medlink", "medlink+annotations")
    lines = [json.loads(line) for line in (data / "results.jsonl").read_text(encoding="utf-8").splitlines()]
    recall = {line["system"]: line["recall"] for line in lines if line.get("stage") and line.get("level") == "document"}
    assert recall["medlink+annotations"] >= recall["medlink"]
    n_rulings = re.search(r"(\d+) rulings of earlier annotations", capsys.readouterr().out)
    assert n_rulings is not None
    assert int(n_rulings[1]) > 0


def test_notes_scores_the_published_tools_on_test_without_medlink(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(monkeypatch, "--split", "test", "--tasks", "bc5cdr-disease", "--systems", "published")
    lines = [json.loads(line) for line in (data / "results.jsonl").read_text(encoding="utf-8").splitlines()]
    assert {(line["system"], line["n_gold"], line["f"]) for line in lines} == {("DNorm", 1, 1.0)}


def test_proof_fails_where_a_figure_differs(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SystemExit, match=r"DNorm: expected .*; tmChem: expected"):
        run(monkeypatch, "--proof")


def test_notes_names_the_splits_of_a_task(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SystemExit, match="ncbi-disease has no split 'all'; expected one of train, dev, test"):
        run(monkeypatch, "--split", "all", "--tasks", "ncbi-disease", "--systems", "longest-match")


def test_cut_to_split_parts_gsc_by_the_rule(data: Path) -> None:
    root = WRITERS["gsc"](data).rename(data / "hpo-gsc2024")
    task = notes.TASKS[0]

    def documents_of(split: str) -> list[str]:
        return [document.id for document in notes.cut_to_split(notes.load_corpus(task, split), task, split).documents]

    assert (documents_of("all"), documents_of("dev"), documents_of("test")) == (list(TEXTS), ["d1"], ["d2"])
    assert (root / "Text").is_dir()

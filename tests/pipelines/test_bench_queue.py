"""The bench of the queue on two notes: every strategy ends where all is annotated, and the figures are written."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from pipelines.bench import queue, results

NAMES = "D1||Kidney cyst|Renal cyst\nD2||Seizure|Fit\nD3||Deafness\n"
# "spell" is a seizure everywhere, which no name says.
CORPUS = """1|t|Spell and renal cyst.
1|a|The spell ended.
1\t0\t5\tSpell\tDisease\tD2
1\t10\t20\trenal cyst\tDisease\tD1
1\t26\t31\tspell\tDisease\tD2

2|t|Another spell.
2|a|No deafness.
2\t8\t13\tspell\tDisease\tD2
2\t18\t26\tdeafness\tDisease\tD3
"""


@pytest.mark.slow
def test_bench_prints_appends_and_draws(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for file, text in ((queue.CORPUS, CORPUS), (queue.ONTOLOGY, NAMES)):
        (tmp_path / file).parent.mkdir()
        (tmp_path / file).write_text(text, encoding="utf-8")
    monkeypatch.setenv("MEDLINK_BENCH_DATA", str(tmp_path))
    monkeypatch.setenv("MEDLINK_WORKSPACE", str(tmp_path / "workspace"))
    monkeypatch.setattr(results, "RESULTS", tmp_path / "results.jsonl")
    monkeypatch.setattr(queue, "MILESTONES", (0, 1, 2))
    chart = tmp_path / "queue.png"
    arguments = ["--round", "1", "--annotated", "2", "--seeds", "1", "--chart", str(chart)]
    monkeypatch.setattr(sys, "argv", ["queue", *arguments])
    queue.main()
    lines = [json.loads(line) for line in (tmp_path / "results.jsonl").read_text().splitlines()]
    assert {line["n_mentions"] for line in lines} == {5}
    accuracy = {(line["strategy"], line["n_annotated"]): line["accuracy"] for line in lines}
    assert {name for name, _ in accuracy} == set(queue.STRATEGIES)
    # Two links are right from the start; the one question about "spell" brings its three mentions.
    assert accuracy[queue.FREQUENCY, 0] == 0.4
    assert accuracy[queue.FREQUENCY, 1] == 1.0
    assert accuracy[queue.FRESH, 2] >= accuracy[queue.FRESH, 0]
    assert chart.read_bytes().startswith(b"\x89PNG")
    assert "5 mentions; accuracy of all links" in capsys.readouterr().out

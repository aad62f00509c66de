"""The main job on real input: the example notes against the Human Phenotype Ontology."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from medlink.cli.main import main

EXAMPLES = Path(__file__).parents[1] / "pipelines" / "examples"
Span = tuple[str, int, int, str, bool]


def gold() -> set[Span]:
    rows = map(json.loads, (EXAMPLES / "gold.jsonl").read_text(encoding="utf-8").splitlines())
    return {(row["doc_id"], row["start"], row["end"], row["concept_id"], row["negated"]) for row in rows}


def found(path: Path) -> set[Span]:
    lines = map(json.loads, path.read_text(encoding="utf-8").splitlines())
    return {
        (line["id"], link["start"], link["end"], link["concept_id"], "negated" in link["assertion"])
        for line in lines
        for link in line["links"]
        if link["concept_id"]
    }


@pytest.mark.slow
def test_example_notes_link_to_their_gold_concepts(hpo_workspace: Path, tmp_path: Path) -> None:
    out = tmp_path / "links.jsonl"
    arguments = ["link", str(EXAMPLES / "notes"), "--out", str(out), "--workspace", str(hpo_workspace)]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    right = gold() & found(out)
    assert len(right) / len(found(out)) >= 0.95
    assert len(right) / len(gold()) >= 0.95

"""The bench of rivals: what a tool is asked and how its answers are scored, with a tool that is a dictionary."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from medlink.evaluation.concept_map import ConceptMap
from medlink.evaluation.corpora import read_corpus
from medlink.ontology.lexicon import Lexicon
from medlink.ontology.name_lines import read_name_lines
from pipelines.bench.medcat_corrections import accuracy, documents_of, names_of
from pipelines.bench.rivals.figures import concept_at
from pipelines.bench.rivals.tool import BUILD, FIND, LINK, Found, Row, Tool, run_tool
from pipelines.bench.side_by_side import FIRST_NOTE, Subject, print_row, rows_of, score

NAMES = "D1||Kidney cyst|Renal cyst\nD2||Seizure|Fit\n"
CORPUS = """1|t|Seizure and renal cyst.
1|a|A fit.
1\t0\t7\tSeizure\tDisease\tD2
1\t12\t22\trenal cyst\tDisease\tD1
1\t26\t29\tfit\tDisease\tD2
"""


@pytest.fixture
def lexicon(tmp_path: Path) -> Lexicon:
    (tmp_path / "names.txt").write_text(NAMES, encoding="utf-8")
    return Lexicon(read_name_lines(tmp_path / "names.txt", name="names"))


@pytest.fixture
def corpus_file(tmp_path: Path) -> Path:
    (tmp_path / "corpus.txt").write_text(CORPUS, encoding="utf-8")
    return tmp_path / "corpus.txt"


def build_dictionary(task: Row, folder: Path) -> None:
    """Keeps the preferred names alone."""
    names = {row["names"][0].lower(): row["id"] for row in task["names"]}
    (folder / "names.json").write_text(json.dumps(names), encoding="utf-8")


def load_dictionary(task: Row, folder: Path) -> Tool:
    names: dict[str, str] = json.loads((folder / "names.json").read_text(encoding="utf-8"))

    def link(documents: Sequence[Row]) -> list[list[str | None]]:
        return [[names.get(d["text"][m["start"] : m["end"]].lower()) for m in d["mentions"]] for d in documents]

    def find(documents: Sequence[Row]) -> list[list[Found]]:
        lowered = [document["text"].lower() for document in documents]
        return [
            [
                (text.index(name), text.index(name) + len(name), concept)
                for name, concept in names.items()
                if name in text
            ]
            for text in lowered
        ]

    return Tool("1.0", link, find)


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str | Path) -> None:
    monkeypatch.setattr(sys, "argv", ["tool", *map(str, arguments)])
    run_tool(build_dictionary, load_dictionary)


def test_a_tool_is_built_asked_and_scored(
    tmp_path: Path,
    lexicon: Lexicon,
    corpus_file: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    concepts, corpus = ConceptMap(lexicon), read_corpus([corpus_file], "pubtator")
    rows = {"warm": [FIRST_NOTE], "documents": rows_of(corpus, concepts), "names": names_of(lexicon)}
    asked = tmp_path / "task.json"
    asked.write_text(json.dumps(rows), encoding="utf-8")
    run(monkeypatch, BUILD, asked, tmp_path)
    answers: dict[str, Any] = {"build_s": 1.0}
    for verb in (LINK, FIND):
        run(monkeypatch, verb, asked, tmp_path, tmp_path / "answers.json")
        answers[verb] = json.loads((tmp_path / "answers.json").read_text(encoding="utf-8"))
        answers[verb]["seconds"] = 0.5
    figures = score(Subject("tiny", rows, lexicon, concepts, corpus), answers)
    assert (figures["n_mentions"], figures["acc1"], figures["mentions_per_second"]) == (3, 0.3333, 6.0)
    assert figures["mention_f"] == 0.5  # one of one found is right, of three that are there
    assert figures["notes_per_second"] == 2.0
    print_row("tiny", "dictionary", figures)
    assert capsys.readouterr().out.startswith("tiny          dictionary")


def test_what_overlaps_best_is_the_concept_of_a_span() -> None:
    found = [(0, 8, "A"), (4, 15, "B"), (20, 25, "C")]
    assert concept_at(5, 15, found) == ("B", False)
    assert concept_at(20, 25, found) == ("C", True)
    assert concept_at(15, 20, found) == (None, False)


def test_accuracy_of_answers_counts_any_gold_concept(lexicon: Lexicon, corpus_file: Path) -> None:
    documents = documents_of(corpus_file, ConceptMap(lexicon))
    assert [mention["concepts"] for mention in documents[0]["mentions"]] == [["D2"], ["D1"], ["D2"]]
    answers: list[dict[str, str | None]] = [
        {"found": "D2", "given": "D2"},
        {"found": None, "given": "D1"},
        {"found": "D1", "given": "D1"},
    ]
    assert accuracy(answers, documents, "found") == pytest.approx(1 / 3)
    assert accuracy(answers, documents, "given") == pytest.approx(2 / 3)

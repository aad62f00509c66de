"""The BioSyn form, read as it is written."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from medlink.errors import CorpusFormatError
from medlink.evaluation.biosyn import Query, read_names, read_queries
from tests.evaluation.tiny_set import NAMES, QUERIES


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    queries, names = tmp_path / "queries.txt", tmp_path / "names.txt.gz"
    queries.write_text(QUERIES, encoding="utf-8")
    with gzip.open(names, "wt", encoding="utf-8") as stream:
        stream.write(NAMES)
    return queries, names


def test_read_queries_splits_the_alternatives(files: tuple[Path, Path]) -> None:
    queries = read_queries(files[0])
    assert queries[0] == Query("doc1", "heart attacks", frozenset({"7"}))
    assert queries[3] == Query("doc2", "cyst|kidney cyst", frozenset({"D2", "D3"}))
    assert queries[4].gold == {"D1", "D9"}


def test_read_names_keeps_the_field_of_ids(files: tuple[Path, Path]) -> None:
    ontology = read_names([files[1]], name="names")
    assert [concept.id for concept in ontology.concepts] == ["D1|7", "D2", "D3", "D4", "D5"]
    assert [name.text for name in ontology.concepts[0].names] == ["heart attack", "myocardial infarction"]


@pytest.mark.parametrize(
    ("content", "message"),
    [("a||b\n", "names.txt:1: a line of another form"), ("", "no gold mention"), ("d||0|1||X|| ||D1\n", "names.txt:1")],
)
def test_read_queries_names_the_broken_line(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "names.txt"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(CorpusFormatError, match=message):
        read_queries(path)


def test_read_names_refuses_an_empty_file(tmp_path: Path) -> None:
    (tmp_path / "n.txt").write_text("", encoding="utf-8")
    with pytest.raises(CorpusFormatError, match="no name"):
        read_names([tmp_path / "n.txt"], name="names")

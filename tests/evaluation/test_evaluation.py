"""Figures against hand counts; the BioSyn form read as it is written."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medlink.errors import CorpusFormatError
from medlink.evaluation.biosyn import Query, read_names, read_queries
from medlink.evaluation.metrics import score_ranks
from medlink.evaluation.ranking import gold_ranks, rank_by_linker, rank_by_ngrams, rank_exactly
from medlink.index.ngrams import NgramIndex
from medlink.linking.linker import Linker
from medlink.ontology.lexicon import Lexicon

NAMES = "D1|7||heart attack\nD1|7||myocardial infarction\nD2||cyst\nD3||kidney cyst\nD4||cold\nD5||cold\n"
QUERIES = (
    "doc1||0|12||Disease||heart attacks||7\n"
    "doc1||20|24||Disease||cyst||D3\n"
    "doc2||0|4||Disease||cold||D5\n"
    "doc2||9|22||CompositeMention||cyst|kidney cyst||D2|D3\n"
    "doc3||1|2||Disease||zzz||D1+D9\n"
)


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


def test_gold_ranks_counted_by_hand(files: tuple[Path, Path]) -> None:
    lexicon = Lexicon(read_names([files[1]], name="names"))
    queries = read_queries(files[0])
    # "cyst" is exactly D2, which is wrong for the second query; "cold" is borne by D5 too, so it is right.
    assert gold_ranks(queries, lexicon, rank_exactly(lexicon)) == [0, 0, 1, 0, 0]
    ngrams = rank_by_ngrams(lexicon, NgramIndex.build(lexicon.names))
    assert gold_ranks(queries, lexicon, ngrams) == [1, 2, 1, 1, 0]


def test_gold_ranks_of_the_linker(linker: Linker) -> None:
    queries = [Query("d", "kidney cysts", frozenset({"HP:0000107"})), Query("d", "seizure", frozenset({"HP:0"}))]
    assert gold_ranks(queries, linker.lexicon, rank_by_linker(linker)) == [1, 0]


def test_score_ranks_counted_by_hand() -> None:
    scores = score_ranks([1, 2, 0, 5, 6], ["a", "a", "b", "b", "c"])
    assert (scores.n, scores.acc1.value, scores.acc5.value) == (5, 0.2, 0.6)
    assert scores.mrr.value == pytest.approx((1 + 1 / 2 + 1 / 5 + 1 / 6) / 5)


@given(st.lists(st.tuples(st.integers(0, 9), st.sampled_from("abcd")), min_size=1, max_size=40))
def test_score_ranks_keeps_each_figure_in_its_interval(rows: list[tuple[int, str]]) -> None:
    scores = score_ranks([rank for rank, _ in rows], [cluster for _, cluster in rows])
    for figure in (scores.acc1, scores.acc5, scores.mrr):
        assert 0.0 <= figure.low <= figure.high <= 1.0
    assert scores.acc1.value <= scores.mrr.value + 1e-12
    assert scores.acc1.value <= scores.acc5.value


def test_bootstrap_interval_has_the_width_of_the_normal_one() -> None:
    ranks = np.random.default_rng(0).integers(0, 2, size=2000).tolist()
    scores = score_ranks(ranks, [str(i) for i in range(2000)])
    p = scores.acc1.value
    assert scores.acc1.high - scores.acc1.low == pytest.approx(2 * 1.96 * np.sqrt(p * (1 - p) / 2000), rel=0.15)


def test_score_ranks_is_the_same_each_time() -> None:
    assert score_ranks([1, 0, 2], ["a", "b", "c"]) == score_ranks([1, 0, 2], ["a", "b", "c"])

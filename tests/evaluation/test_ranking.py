"""Systems judged against hand counts; rankings by document."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from medlink.encoder.protocol import TowerSpan
from medlink.errors import SettingError
from medlink.evaluation.biosyn import Query
from medlink.evaluation.ranking import Judgement, judge
from medlink.evaluation.systems import (
    Answer,
    System,
    make_systems,
    rank_by_document,
    rank_by_encoder,
    rank_by_linker,
    rank_by_ngrams,
    rank_exactly,
)
from medlink.index.dense import DenseIndex
from medlink.index.ngrams import NgramIndex
from medlink.linking.linker import Linker
from medlink.ontology.lexicon import Lexicon
from medlink.ontology.source import Ontology
from medlink.records import Concept, Name
from tests.evaluation.tiny_set import make_query

CONCEPTS = (
    Concept("D1|7", "heart attack", (Name("myocardial infarction"),)),
    Concept("D2", "cyst"),
    Concept("D3", "kidney cyst"),
    Concept("D4", "cold"),
    Concept("D5", "cold"),
)
QUERIES = (
    make_query("doc1", "heart attacks", "7"),
    make_query("doc1", "cyst", "D3"),
    make_query("doc2", "cold", "D5"),
    make_query("doc2", "cyst|kidney cyst", "D2|D3"),
    make_query("doc3", "zzz", "D1+D9"),
)


@pytest.fixture(scope="module")
def lexicon() -> Lexicon:
    return Lexicon(Ontology(name="tiny", title="tiny", version="", licence="", sha256="", concepts=CONCEPTS))


def ranks(judged: Sequence[Judgement]) -> list[int]:
    return [judgement.rank for judgement in judged]


def test_judge_counted_by_hand(lexicon: Lexicon) -> None:
    # "cyst" is exactly D2, which is wrong for the second query; "cold" is borne by D5 too, so it is right.
    exact = judge(QUERIES, System("exact", rank_exactly(lexicon)), lexicon)
    assert ranks(exact) == [0, 0, 1, 0, 0]
    assert [judgement.best for judgement in exact] == [None, Answer("cyst", 1.0), Answer("cold", 1.0), None, None]
    ngrams = System("tf-idf", rank_by_ngrams(lexicon, NgramIndex.build(lexicon.names)))
    assert ranks(judge(QUERIES, ngrams, lexicon)) == [1, 2, 1, 1, 0]


class Letters:
    """An encoder of how often each letter stands in a text; near names are anagrams."""

    fingerprint, width, towers = "letters", 27, (TowerSpan(0, 27, 1.0),)

    def encode(self, texts: Sequence[str], *, show_progress: bool = False) -> NDArray[np.float32]:
        counts = np.array([[text.count(letter) for letter in "abcdefghijklmnopqrstuvwxyz "] for text in texts])
        return np.asarray(counts / np.linalg.norm(counts, axis=1, keepdims=True), np.float32)


def test_rank_by_encoder_is_the_order_of_the_cosines_behind_the_exact_name(lexicon: Lexicon) -> None:
    encoder = Letters()
    rank = rank_by_encoder(lexicon, DenseIndex(encoder.encode(lexicon.names)), encoder)
    near, exact = rank(["tsyc", "cyst"])
    cosines = dict(zip(lexicon.names, (encoder.encode(["tsyc"]) @ encoder.encode(lexicon.names).T)[0], strict=True))
    assert [answer.name for answer in near] == sorted(cosines, key=lambda name: -cosines[name])
    assert [answer.score for answer in near] == pytest.approx(sorted(cosines.values(), reverse=True), abs=1e-3)
    assert exact[0] == Answer("cyst", 1.0)
    assert [answer.name for answer in exact].count("cyst") == 1


def test_judge_ranks_each_normalised_mention_once(lexicon: Lexicon) -> None:
    asked: list[str] = []

    def rank(mentions: Sequence[str]) -> list[list[Answer]]:
        asked.extend(mentions)
        return [[] for _ in mentions]

    judge([make_query("a", "Cyst", "D2"), make_query("b", "cyst ", "D3")], System("s", rank), lexicon)
    assert asked == ["cyst"]


def test_judge_gives_a_documents_mentions_together_and_as_they_are_written(lexicon: Lexicon) -> None:
    asked: list[list[str]] = []

    def rank(mentions: Sequence[str]) -> list[list[Answer]]:
        """Answers "kidney cyst" to "cyst" where the document speaks of a kidney."""
        asked.append(list(mentions))
        meant = "kidney cyst" if any("kidney" in mention for mention in mentions) else "cyst"
        return [[Answer(meant, 0.5)] if mention == "Cyst" else [] for mention in mentions]

    queries = [
        make_query("a", "Cyst", "D3"),
        make_query("b", "Cyst", "D3"),
        make_query("a", "left kidney", "D0"),
        make_query("b", "Cyst", "D2"),
    ]
    judged = judge(queries, System("s", rank, by_document=True), lexicon)
    assert asked == [["Cyst", "left kidney"], ["Cyst", "Cyst"]]
    assert ranks(judged) == [1, 0, 0, 1]
    assert judged[0].best == Answer("kidney cyst", 0.5)


def test_judge_of_the_linker_alone_and_by_document(linker: Linker) -> None:
    queries = [Query("d", "kidney cysts", frozenset({"HP:0000107"})), Query("d", "seizure", frozenset({"HP:0"}))]
    alone = judge(queries, System("alone", rank_by_linker(linker)), linker.lexicon)
    together = judge(queries, System("together", rank_by_document(linker), by_document=True), linker.lexicon)
    assert ranks(alone) == ranks(together) == [1, 0]


def test_judge_of_nothing(lexicon: Lexicon) -> None:
    assert judge([], System("exact", rank_exactly(lexicon)), lexicon) == []


def test_make_systems_refuses_a_baseline_with_the_name_of_another_system(linker: Linker) -> None:
    assert [system.name for system in make_systems(linker, {"mine": linker})] == [
        "exact",
        "tf-idf",
        "mine",
        "medlink",
        "medlink + document",
    ]
    with pytest.raises(SettingError, match="tf-idf"):
        make_systems(linker, {"tf-idf": linker})

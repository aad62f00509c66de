"""The linker on a tiny ontology: exact names, homonyms, NIL, and the same answer in any company."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from medlink.encoder.protocol import Encoder
from medlink.errors import ArtifactError, SettingError
from medlink.linking.cache import RecentCache
from medlink.linking.candidates import find_names
from medlink.linking.explain import explain_query
from medlink.linking.features import FEATURES, Features, describe_matches
from medlink.linking.linker import Linker
from medlink.linking.ranker import Ranker, Weights, best_names, raise_own_names, rank_all, rank_concepts, trust
from medlink.linking.settings import LinkerSettings
from medlink.records import Link, Mention
from medlink.text import normalise

QUERIES = ("heart attack", "Seizures", "kidney cyst", "cleft", "renal cysts", "nonsense", "MI", "palate cleft")


def mention(surface: str, *, start: int = 0, expanded: str = "") -> Mention:
    return Mention("note", start, start + len(surface), surface, expanded=expanded)


def link_one(linker: Linker, surface: str, **kwargs: str) -> Link:
    (link,) = linker.link([mention(surface, expanded=kwargs.get("expanded", ""))])
    return link


@pytest.mark.parametrize(
    ("surface", "concept_id"),
    [("heart attack", "HP:0001658"), ("Renal cyst", "HP:0000107"), ("KIDNEY CYST", "HP:0000107")],
)
def test_link_finds_exact_names(linker: Linker, surface: str, concept_id: str) -> None:
    link = link_one(linker, surface)
    assert link.concept_id == concept_id
    assert link.candidates[0].lexical == 1.0
    assert link.candidates[0].score > 0.9
    assert link.ontology_version == linker.lexicon.version


def test_link_looks_up_the_long_form(linker: Linker) -> None:
    assert link_one(linker, "RC", expanded="renal cyst").concept_id == "HP:0000107"


def test_link_keeps_homonyms_apart_and_orders_them_by_trust_then_id(linker: Linker) -> None:
    rows = [row for row in range(len(linker.lexicon.names)) if len(linker.lexicon.postings(row)) > 1]
    assert rows, "the tiny ontology has homonyms"
    for row in rows:
        postings = linker.lexicon.postings(row)
        link = link_one(linker, linker.lexicon.names[row])
        exact = [c.concept_id for c in link.candidates if c.matched == linker.lexicon.names[row]]
        assert set(exact) == {posting.concept_id for posting in postings}
        assert link.candidates[0].dense is not None, "a homonym is encoded"


def test_link_is_nil_below_the_threshold(linker: Linker) -> None:
    strict = replace(linker, settings=LinkerSettings(threshold=1.0))
    link = link_one(strict, "kidney cysts and more")
    assert link.concept_id is None
    assert link.candidates, "NIL still shows what was considered"


@pytest.mark.parametrize("surface", ["...", "-", "°"])
def test_link_of_no_word_is_nil_without_candidates(linker: Linker, surface: str) -> None:
    link = link_one(linker, surface)
    assert (link.concept_id, link.candidates, link.score) == (None, (), 0.0)


def test_link_of_nothing_is_nothing(linker: Linker) -> None:
    assert linker.link([]) == []


def test_candidates_are_distinct_and_sorted(linker: Linker) -> None:
    for ranked in linker.rank(QUERIES, k=20):
        scores = [candidate.score for candidate in ranked]
        assert scores == sorted(scores, reverse=True)
        assert len({candidate.concept_id for candidate in ranked}) == len(ranked)
        assert all(0.0 <= score <= 1.0 for score in scores)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.sampled_from(QUERIES), min_size=1, max_size=12))
def test_rank_gives_the_same_answer_in_any_company(linker: Linker, queries: list[str]) -> None:
    alone = {query: linker.rank([query])[0] for query in set(queries)}
    assert linker.rank(queries) == [alone[query] for query in queries]


def test_rank_returns_at_most_k(linker: Linker) -> None:
    assert [len(ranked) for ranked in linker.rank(["cleft lip", "seizure"], k=2)] == [2, 2]


def test_find_names_does_not_encode_exact_unambiguous_names(linker: Linker) -> None:
    exact, inflected = find_names(
        ["renal cyst", "renal cystss"], linker.lexicon, index=linker.index, encoder=linker.encoder, n_neighbours=5
    )
    own = exact.rows.tolist().index(linker.lexicon.row_of("renal cyst"))
    assert (exact.lexical[own], exact.dense[own]) == (1.0, 1.0)
    assert np.isnan(np.delete(exact.dense, own)).all()
    assert not np.isnan(inflected.dense).any()


def test_every_name_of_the_ontology_links_to_a_concept_that_bears_it(linker: Linker) -> None:
    ranked = linker.rank(linker.lexicon.names)
    for row, candidates in enumerate(ranked):
        bearers = {posting.concept_id for posting in linker.lexicon.postings(row)}
        assert candidates[0].concept_id in bearers


def small_ranker() -> Ranker:
    """Two hidden units, numbers from a seed."""
    numbers = np.random.default_rng(0).normal(size=(5, len(FEATURES)))
    rows = [tuple(row) for row in numbers.tolist()]
    scale = tuple(abs(number) + 0.5 for number in rows[1])
    return Ranker(Weights(FEATURES, rows[0], scale, rows[2], (rows[3], rows[4]), (0.1, -0.2), (0.7, -1.3), 0.4))


def test_ranker_logit_is_that_of_the_formula() -> None:
    ranker, w = small_ranker(), small_ranker().weights
    features = np.random.default_rng(1).normal(size=(3, len(FEATURES)))
    for row, logit in zip(features, ranker.logits(features), strict=True):
        z = [max(-5.0, min(5.0, (x - m) / s)) for x, m, s in zip(row, w.mean, w.scale, strict=True)]
        expected = sum(a * b for a, b in zip(w.linear, z, strict=True))
        for unit, bias, out in zip(w.hidden, w.hidden_bias, w.output, strict=True):
            expected += out * math.tanh(bias + sum(a * b for a, b in zip(unit, z, strict=True)))
        assert logit == pytest.approx(expected)


def test_ranker_slopes_are_the_derivative_of_the_logit() -> None:
    ranker, row, step = small_ranker(), np.random.default_rng(2).normal(size=len(FEATURES)), 1e-5
    for column, slope in enumerate(ranker.slopes(row[None])[0]):
        moved = np.stack([row, row])
        moved[:, column] += (step, -step)
        above, below = ranker.logits(moved)
        assert slope == pytest.approx((above - below) / (2 * step), abs=1e-6)


def test_ranker_probabilities_leave_the_rest_to_nil() -> None:
    ranker = small_ranker()
    found = ranker.probabilities([1.0, 2.0])
    total = math.exp(0.4) + math.exp(1.0) + math.exp(2.0)
    assert found == pytest.approx([math.exp(1.0) / total, math.exp(2.0) / total], abs=1e-6)
    assert ranker.probabilities([]).tolist() == []


def test_ranker_for_other_features_is_refused() -> None:
    weights = replace(small_ranker().weights, features=FEATURES[1:])
    with pytest.raises(ArtifactError, match="other features"):
        Ranker(weights)


def test_features_of_a_reordered_name(linker: Linker) -> None:
    (matches,) = find_names(
        [normalise("cysts of the kidney")], linker.lexicon, index=linker.index, encoder=linker.encoder, n_neighbours=8
    )
    features = describe_matches(matches, linker.lexicon, linker.rarity)
    names = [linker.lexicon.names[int(matches.rows[row])] for row in features.rows]
    values = features.values[names.index("kidney cyst")]
    assert values[FEATURES.index("same_words")] == 1.0
    assert values[FEATURES.index("exact")] == 0.0


def test_explain_adds_up(linker: Linker) -> None:
    explanation = explain_query("renal cysts", linker)
    (matches,) = linker.find(["renal cysts"])
    best = best_names("renal cysts", describe_matches(matches, linker.lexicon, linker.rarity), linker.ranker)
    first, second = (best[candidate.concept_id] for candidate in explanation.candidates[:2])
    lead = (first.logit + first.raised) - (second.logit + second.raised)
    assert sum(c.logit for c in explanation.contributions) == pytest.approx(lead, abs=0.2)
    assert explanation.concept_id == explanation.candidates[0].concept_id == "HP:0000107"
    assert any("Nearest rival" in reason for reason in explanation.reasons)


@pytest.mark.parametrize(("query", "expected"), [("renal cyst", [5.0, 14.0, 11.0]), ("rc", [5.0, 9.0, 8.5])])
def test_own_names_lead_by_less_where_they_may_be_acronyms(query: str, expected: list[float]) -> None:
    values = np.zeros((3, len(FEATURES)))
    values[1, FEATURES.index("exact")] = values[1, FEATURES.index("same_words")] = 1.0
    values[2, FEATURES.index("same_words")] = 1.0
    features, logits = Features(np.arange(3), ("A", "B", "C"), values), np.array([5.0, -1.0, 2.0])
    lifted = logits + raise_own_names(query, features, logits, nil=0.0)
    assert lifted.tolist() == expected


def test_rank_document_gives_an_acronym_to_the_concept_that_the_document_names(linker: Linker) -> None:
    alone, together = linker.rank(["rc"]), linker.rank_document(["rc", "renal cyst"])
    gained = {c.concept_id: c.score for c in together[0]}["HP:0000107"]
    assert gained > {c.concept_id: c.score for c in alone[0]}.get("HP:0000107", 0.0)
    assert linker.rank_document(["rc"]) == alone
    assert linker.rank_document(["renal cyst", "rc", ""]) == [together[1], together[0], ()]


def test_explain_says_when_there_is_nothing_to_look_up(linker: Linker) -> None:
    assert explain_query("--", linker).reasons == ("There is no letter or digit to look up.",)


@pytest.mark.parametrize(("top_k", "threshold"), [(0, 0.5), (21, 0.5), (5, 1.5), (5, -0.1)])
def test_settings_refuse_what_is_out_of_range(top_k: int, threshold: float) -> None:
    with pytest.raises(SettingError):
        LinkerSettings(top_k=top_k, threshold=threshold)


class CountingEncoder:
    """The linker's own encoder, with a list of what it was asked."""

    def __init__(self, inner: Encoder) -> None:
        self._inner = inner
        self.asked: list[str] = []
        self.fingerprint, self.width, self.towers = inner.fingerprint, inner.width, inner.towers

    def encode(self, texts: Sequence[str], *, show_progress: bool = False) -> NDArray[np.float32]:
        self.asked.extend(texts)
        return self._inner.encode(texts, show_progress=show_progress)


def test_rank_encodes_each_distinct_query_once(linker: Linker) -> None:
    counting = CountingEncoder(linker.encoder)
    fresh = replace(linker, encoder=counting)
    first = fresh.rank(["renal cystss", "Renal  cystss", "renal cyst"])
    second = fresh.rank(["renal cystss", "seizuress"])
    assert counting.asked == ["renal cystss", "seizuress"]
    assert first[0] == first[1] == second[0]


def test_queries_are_ranked_together_as_each_alone(linker: Linker) -> None:
    found = linker.find(sorted(normalise(query) for query in QUERIES))
    together = list(rank_all(found, linker.lexicon, linker.ranker, linker.rarity))
    alone = [rank_concepts(matches, linker.lexicon, linker.ranker, linker.rarity) for matches in found]
    assert together == alone
    for ranked in together:
        assert list(ranked) == sorted(ranked, key=lambda one: (-one.score, *trust(one, linker.lexicon)))
    assert list(rank_all([], linker.lexicon, linker.ranker, linker.rarity)) == []


def test_recent_cache_forgets_the_least_recently_used() -> None:
    cache: RecentCache[str, int] = RecentCache(2)
    cache.update({"a": 1, "b": 2})
    assert cache["a"] == 1
    cache.update({"c": 3})
    assert ("a" in cache, "b" in cache, "c" in cache, len(cache)) == (True, False, True, 2)
    cache.update({str(i): i for i in range(9)})
    assert len(cache) == 2
    assert cache["8"] == 8

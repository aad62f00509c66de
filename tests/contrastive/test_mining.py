"""Which negatives the miners pick, and what they note down."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from medlink.contrastive.mining import (
    Negative,
    Negatives,
    Origin,
    hard_pairs,
    hardest,
    hardest_in_batch,
    hardest_in_index,
    keep_negatives,
    semi_hard_in_batch,
)
from medlink.contrastive.similarity import Pairs
from medlink.errors import SettingError
from tests.contrastive import oracles
from tests.contrastive.cases import Case, cases, few

TRUE, FALSE = True, False


def slow_hardest(score: Tensor, allowed: Tensor, k: int) -> list[Negative]:
    """Sort each row's allowed keys by falling score, then by key."""
    found = []
    for i in range(score.shape[0]):
        keys = sorted((j for j in range(score.shape[1]) if allowed[i, j]), key=lambda j: (-float(score[i, j]), j))
        found += [Negative(i, j, float(score[i, j]), rank, Origin.BATCH) for rank, j in enumerate(keys[:k])]
    return found


@few
@given(case=cases(), k=st.integers(1, 7), n_levels=st.sampled_from([2, 1000]))
def test_hardest_agrees_with_a_sort_also_when_scores_tie(case: Case, k: int, n_levels: int) -> None:
    score = (case.similarity * n_levels).round() / n_levels
    assert list(hardest(score, case.pairs.negative, k=k)) == slow_hardest(score, case.pairs.negative, k)


def test_hardest_in_batch_takes_negatives_only() -> None:
    similarity = torch.tensor([[0.9, 0.8, 0.7], [0.1, 0.2, 0.3]])
    pairs = Pairs.from_concepts(torch.tensor([5, 6]), torch.tensor([5, 6, 7]))
    found = hardest_in_batch(similarity, pairs, k=1)
    assert [(n.query, n.key, n.rank, n.origin) for n in found] == [(0, 1, 0, Origin.BATCH), (1, 2, 0, Origin.BATCH)]
    assert found.score.tolist() == pytest.approx([0.8, 0.3])


def test_semi_hard_in_batch_takes_what_is_just_below_a_positive() -> None:
    similarity = torch.tensor([[0.8, 0.9, 0.75, 0.61, 0.5]])
    pairs = Pairs(torch.tensor([[TRUE, FALSE, FALSE, FALSE, FALSE]]), torch.tensor([[FALSE, TRUE, TRUE, TRUE, TRUE]]))
    assert semi_hard_in_batch(similarity, pairs, k=9, margin=0.2).key.tolist() == [2, 3]


@few
@given(case=cases(), k=st.integers(1, 3))
def test_semi_hard_in_batch_agrees_with_a_triple_loop(case: Case, k: int) -> None:
    s, positive, negative = case.similarity, case.pairs.positive, case.pairs.negative
    allowed = torch.zeros_like(negative)
    for i in range(s.shape[0]):
        for n in oracles.row(negative, i):
            allowed[i, n] = any(s[i, p] - 0.3 < s[i, n] < s[i, p] for p in oracles.row(positive, i))
    found = semi_hard_in_batch(s, case.pairs, k=k, margin=0.3)
    assert list(found) == slow_hardest(s, allowed, k)


def test_hardest_in_index_leaves_out_likely_positives_and_keeps_the_index_s_rank() -> None:
    score = torch.tensor([[0.95, 0.9, 0.8, 0.7, 0.6]])
    key = torch.tensor([[40, 41, 42, 43, -1]])
    allowed = torch.tensor([[TRUE, TRUE, FALSE, TRUE, TRUE]])
    found = hardest_in_index(score, key, allowed, k=3, positive_score=torch.tensor([0.92]))
    assert [(n.key, n.rank, n.origin) for n in found] == [(41, 1, Origin.INDEX), (43, 3, Origin.INDEX)]
    stricter = hardest_in_index(score, key, allowed, k=3, positive_score=torch.tensor([0.92]), margin=0.1)
    assert stricter.key.tolist() == [43]


@few
@given(case=cases(), margin=st.sampled_from([0.0, 0.1, 0.5]))
def test_hard_pairs_agrees_with_a_double_loop(case: Case, margin: float) -> None:
    hard = hard_pairs(case.similarity, case.pairs, margin=margin)
    positive, negative = oracles.hard_pairs(case.similarity, case.pairs.positive, case.pairs.negative, margin)
    assert torch.equal(hard.positive, positive)
    assert torch.equal(hard.negative, negative)


@few
@given(case=cases())
def test_keep_negatives_leaves_each_query_the_mined_ones(case: Case) -> None:
    found = hardest_in_batch(case.similarity, case.pairs, k=2)
    kept = keep_negatives(case.pairs, found)
    assert torch.equal(kept.positive, case.pairs.positive)
    assert kept.negative.nonzero().tolist() == sorted([n.query, n.key] for n in found)


def test_negatives_joined_are_ordered_by_query_and_keep_their_origins() -> None:
    score = torch.tensor([[0.1, 0.2], [0.4, 0.3]])
    everything = torch.ones(2, 2, dtype=torch.bool)
    batch = hardest(score, everything, k=1)
    memory = hardest(score, everything, k=1, origin=Origin.MEMORY)
    joined = Negatives.joined([batch, memory])
    assert joined.query.tolist() == [0, 0, 1, 1]
    assert [negative.origin for negative in joined] == [Origin.BATCH, Origin.MEMORY] * 2


def test_negatives_joined_of_nothing_are_empty() -> None:
    assert len(Negatives.joined([])) == len(Negatives.joined([Negatives.empty()])) == 0
    assert list(Negatives.empty()) == []


def test_negatives_refuse_arrays_of_different_length() -> None:
    with pytest.raises(SettingError, match="not equally long"):
        Negatives(torch.zeros(2), torch.zeros(2), torch.zeros(3), torch.zeros(2), torch.zeros(2))

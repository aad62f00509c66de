"""The retroactive loss against its formula, and what it must equal."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F

from medlink.contrastive.exclusion import RelatedConcepts
from medlink.contrastive.losses.softmax import info_nce
from medlink.contrastive.memory_bank import MemoryBank, Weighting
from medlink.contrastive.retroactive import Retrieval, retroactive_contrastive_loss, retroactive_terms
from medlink.contrastive.similarity import Pairs, cosine_similarity
from tests.contrastive import oracles
from tests.contrastive.cases import few, random_vectors

WIDTH = 4
CONCEPTS = torch.tensor([0, 1, 1, 2])
UNWEIGHTED = Retrieval(Weighting(hardness_temperature=math.inf))


def bank_of(concepts: list[int]) -> MemoryBank:
    """A bank of random entries of different weight and age."""
    bank = MemoryBank(16, WIDTH)
    for step, concept in enumerate(concepts):
        weight = torch.tensor([0.5 + step])
        bank.enqueue(random_vectors(1, WIDTH, 50 + step), torch.tensor([concept]), weights=weight)
        bank.advance(2)
    return bank


def batch(seed: int, dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor]:
    """Queries and keys for :data:`CONCEPTS`."""
    return random_vectors(4, WIDTH, seed, dtype=dtype), random_vectors(4, WIDTH, seed + 1, dtype=dtype)


def gradient(loss: Tensor, leaf: Tensor) -> Tensor:
    """The gradient of the loss with respect to a leaf."""
    return torch.autograd.grad(loss, leaf)[0]


def slow_loss(query: Tensor, keys: Tensor, bank: MemoryBank, *, alpha: float, temperature: float, k: int) -> Tensor:
    """The formula of the docstring, entry by entry, with T = 0.2 and a half-life of 5."""
    similarity = cosine_similarity(query, keys).double()
    pairs = Pairs.from_concepts(CONCEPTS, CONCEPTS)
    ones = torch.ones(4, 4)
    total = oracles.info_nce(similarity, pairs.positive, pairs.negative, ones, temperature)
    entries, memory, n_positives = bank.entries(), torch.zeros((), dtype=torch.float64), 0
    for i in range(4):
        scores = {
            h: F.normalize(query[i], dim=0).double() @ entries.vectors[h].double()
            for h in range(len(bank))
            if entries.concepts[h] != CONCEPTS[i]
        }
        hard = sorted(scores, key=lambda h: -scores[h].item())[:k]
        mean_power = sum(math.exp(scores[h].item() / 0.2) for h in hard) / max(len(hard), 1)
        down = torch.zeros((), dtype=torch.float64)
        for h in hard:
            hardness = math.exp(scores[h].item() / 0.2) / mean_power
            omega = float(entries.weights[h]) * hardness * 2 ** (-int(entries.ages[h]) / 5)
            down = down + omega * torch.exp(scores[h] / temperature)
        for p in oracles.row(pairs.positive, i):
            up = torch.exp(similarity[i, p] / temperature)
            memory = memory - torch.log(up / (up + down))
            n_positives += 1
    return total + alpha * memory / n_positives


@few
@given(
    held=st.lists(st.integers(0, 5), max_size=10),
    seed=st.integers(0, 99),
    k=st.integers(1, 4),
    alpha=st.sampled_from([0.0, 0.3, 2.0]),
)
def test_loss_agrees_with_the_formula(held: list[int], seed: int, k: int, alpha: float) -> None:
    bank, (query, keys) = bank_of(held), batch(seed)
    query.requires_grad_()
    keys.requires_grad_()
    loss = retroactive_contrastive_loss(
        query,
        keys,
        bank,
        query_concepts=CONCEPTS,
        alpha=alpha,
        temperature=0.3,
        k=k,
        retrieval=Retrieval(Weighting(hardness_temperature=0.2, half_life=5)),
    )
    expected = slow_loss(query, keys, bank, alpha=alpha, temperature=0.3, k=k)
    torch.testing.assert_close(loss.double(), expected, rtol=1e-4, atol=1e-6)
    for leaf in (query, keys):
        loss_gradient = torch.autograd.grad(loss, leaf, retain_graph=True)[0]
        expected_gradient = torch.autograd.grad(expected, leaf, retain_graph=True)[0]
        torch.testing.assert_close(loss_gradient, expected_gradient, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize(
    ("alpha", "held"),
    [(0.0, [0, 1, 2, 3, 4]), (2.0, []), (0.0, [])],
    ids=["alpha is 0", "the bank is empty", "both"],
)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16], ids=str)
def test_loss_equals_info_nce_when(alpha: float, held: list[int], dtype: torch.dtype) -> None:
    query, keys = batch(1, dtype)
    query.requires_grad_()
    loss = retroactive_contrastive_loss(query, keys, bank_of(held), query_concepts=CONCEPTS, alpha=alpha)
    expected = info_nce(cosine_similarity(query, keys), Pairs.from_concepts(CONCEPTS, CONCEPTS))
    assert loss.item() == expected.item()
    assert torch.equal(gradient(loss, query), gradient(expected, query))


def test_loss_equals_info_nce_when_the_bank_holds_the_query_s_concepts_alone() -> None:
    bank, concepts = bank_of([1, 1]), torch.ones(4, dtype=torch.int64)
    query, keys = batch(1)
    terms = retroactive_terms(query, keys, bank, query_concepts=concepts)
    assert len(terms.negatives) == 0
    assert terms.memory == 0


def test_memory_term_of_weight_one_is_info_nce_against_what_memory_gave() -> None:
    bank = MemoryBank(8, WIDTH)
    bank.enqueue(random_vectors(5, WIDTH, 3), torch.arange(5) + 10)
    query, keys = batch(2)
    terms = retroactive_terms(query, keys, bank, query_concepts=CONCEPTS, k=5, temperature=0.2, retrieval=UNWEIGHTED)
    pairs = Pairs.from_concepts(CONCEPTS, CONCEPTS).only_positives()
    pairs = pairs.beside(Pairs.from_concepts(CONCEPTS, bank.entries().concepts))
    everything = torch.cat((keys, bank.vectors))
    torch.testing.assert_close(terms.memory, info_nce(cosine_similarity(query, everything), pairs, temperature=0.2))
    assert torch.equal(terms.weights, torch.ones(20))


def test_loss_leaves_the_bank_as_it_was() -> None:
    bank = bank_of([0, 3, 4])
    before = bank.state()
    query, keys = batch(3)
    query.requires_grad_()
    torch.autograd.backward(retroactive_contrastive_loss(query, keys, bank, query_concepts=CONCEPTS))
    assert all(torch.equal(tensor, before[name]) for name, tensor in bank.state().items())


def test_loss_grows_with_evidence_and_falls_with_age() -> None:
    def loss(evidence: float, age: int) -> Tensor:
        bank = MemoryBank(4, WIDTH)
        bank.enqueue(random_vectors(2, WIDTH, 3), torch.tensor([8, 9]), weights=torch.tensor([evidence, evidence]))
        bank.advance(age)
        query, keys = batch(4)
        retrieval = Retrieval(Weighting(half_life=10))
        return retroactive_contrastive_loss(query, keys, bank, query_concepts=CONCEPTS, retrieval=retrieval)

    assert loss(2.0, 0) > loss(1.0, 0) > loss(1.0, 10) > loss(0.0, 0)
    torch.testing.assert_close(loss(2.0, 10), loss(1.0, 0))


def test_loss_passes_over_excluded_concepts() -> None:
    bank, (query, keys) = bank_of([7, 8]), batch(5)
    retrieval = Retrieval(excluded=RelatedConcepts(torch.tensor([[0, 7], [1, 7], [2, 7]])))
    negatives = retroactive_terms(query, keys, bank, query_concepts=CONCEPTS, retrieval=retrieval).negatives
    assert negatives.key.tolist() == [1, 1, 1, 1]


def test_loss_takes_what_is_nearer_than_the_positive_for_a_false_negative() -> None:
    bank = MemoryBank(4, 2)
    bank.enqueue(torch.tensor([[1.0, 0.1], [1.0, 1.0], [0.0, 1.0]]), torch.tensor([5, 6, 7]))
    query, keys = torch.tensor([[1.0, 0.0]]), torch.tensor([[1.0, 0.5]])  # cosine 0.894

    def keys_found(margin: float | None) -> list[int]:
        retrieval = Retrieval(false_negative_margin=margin)
        terms = retroactive_terms(query, keys, bank, query_concepts=torch.tensor([0]), retrieval=retrieval)
        return terms.negatives.key.tolist()

    assert keys_found(None) == [0, 1, 2]
    assert keys_found(0.0) == [1, 2]
    assert keys_found(0.3) == [2]


def test_loss_takes_pairs_of_more_keys_than_queries() -> None:
    bank, query, keys = bank_of([5, 6]), random_vectors(2, WIDTH, 0), random_vectors(3, WIDTH, 1)
    concepts = torch.tensor([0, 1])
    pairs = Pairs.from_concepts(concepts, torch.tensor([0, 1, 1])).weighted(torch.tensor(0.5))
    loss = retroactive_contrastive_loss(query, keys, bank, query_concepts=concepts, pairs=pairs, alpha=0.5)
    terms = retroactive_terms(query, keys, bank, query_concepts=concepts, pairs=pairs)
    torch.testing.assert_close(loss, info_nce(cosine_similarity(query, keys), pairs) + 0.5 * terms.memory)
    assert terms.memory > 0


def test_loss_of_an_empty_batch_is_a_zero_that_backpropagates() -> None:
    query = torch.zeros(0, WIDTH, requires_grad=True)
    nothing = torch.zeros(0, dtype=torch.int64)
    loss = retroactive_contrastive_loss(query, torch.zeros(0, WIDTH), bank_of([1]), query_concepts=nothing)
    torch.autograd.backward(loss)
    assert loss == 0
    assert query.grad is not None


def test_loss_without_a_positive_is_a_zero_that_backpropagates() -> None:
    query, keys = batch(6)
    query.requires_grad_()
    pairs = Pairs.from_concepts(CONCEPTS, CONCEPTS).only_negatives()
    loss = retroactive_contrastive_loss(query, keys, bank_of([5]), query_concepts=CONCEPTS, pairs=pairs)
    assert loss == 0
    assert torch.equal(gradient(loss, query), torch.zeros(4, WIDTH))

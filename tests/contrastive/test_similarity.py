"""Cosines, distances and pairs."""

from __future__ import annotations

import pytest
import torch

from medlink.contrastive.similarity import Pairs, cosine_similarity, euclidean_distance, inner_products
from medlink.errors import SettingError
from tests.contrastive.cases import random_vectors


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16], ids=str)
def test_cosine_similarity_is_the_cosine(dtype: torch.dtype) -> None:
    queries, keys = random_vectors(3, 4, 0, dtype=dtype), random_vectors(5, 4, 1, dtype=dtype)
    cosine = cosine_similarity(queries, keys)
    assert cosine.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
    for i in range(3):
        for j in range(5):
            q, k = queries[i].double(), keys[j].double()
            assert float(cosine[i, j]) == pytest.approx(float(q @ k / (q.norm() * k.norm())), abs=1e-6)


def test_cosine_similarity_with_a_zero_vector_is_zero_and_backpropagates() -> None:
    queries = torch.zeros(1, 3, requires_grad=True)
    cosine = cosine_similarity(queries, torch.eye(3))
    torch.autograd.backward(cosine.sum())
    assert torch.equal(cosine.detach(), torch.zeros(1, 3))
    assert queries.grad is not None
    assert queries.grad.isfinite().all()


def test_inner_products_keep_full_precision_under_autocast() -> None:
    vectors = random_vectors(4, 8, 0)
    expected = inner_products(vectors, vectors)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(inner_products(vectors, vectors), expected)
        assert not torch.equal((vectors @ vectors.T).float(), expected)


def test_euclidean_distance_is_that_of_unit_vectors() -> None:
    vectors = torch.nn.functional.normalize(random_vectors(4, 3, 0, dtype=torch.float64), dim=1)
    others = torch.nn.functional.normalize(random_vectors(4, 3, 1, dtype=torch.float64), dim=1)
    torch.testing.assert_close(euclidean_distance(vectors @ others.T), torch.cdist(vectors, others))


def test_euclidean_distance_has_a_finite_gradient_at_zero() -> None:
    cosine = torch.ones(2, 2, requires_grad=True)
    torch.autograd.backward(euclidean_distance(cosine).sum())
    assert cosine.grad is not None
    assert cosine.grad.isfinite().all()


def test_pairs_from_concepts_of_two_sets_pairs_equal_concepts() -> None:
    pairs = Pairs.from_concepts(torch.tensor([1, 2]), torch.tensor([2, 1, 1]))
    assert pairs.positive.tolist() == [[False, True, True], [True, False, False]]
    assert torch.equal(pairs.negative, ~pairs.positive)


def test_pairs_from_concepts_of_one_set_leave_out_the_diagonal() -> None:
    pairs = Pairs.from_concepts(torch.tensor([1, 1, 2]))
    assert not pairs.positive.diagonal().any()
    assert not pairs.negative.diagonal().any()


def test_pairs_ignoring_drops_negatives_and_keeps_positives() -> None:
    concepts = torch.tensor([1, 1, 2])
    everything = torch.ones(3, 3, dtype=torch.bool)
    pairs = Pairs.from_concepts(concepts, ignored=everything)
    assert torch.equal(pairs.positive, Pairs.from_concepts(concepts).positive)
    assert not pairs.negative.any()


def test_pairs_weighted_twice_multiply() -> None:
    pairs = Pairs.from_concepts(torch.tensor([1, 2])).weighted(torch.tensor([[2.0], [3.0]])).weighted(torch.tensor(2.0))
    assert pairs.full_weight().tolist() == [[4.0, 4.0], [6.0, 6.0]]


def test_pairs_beside_join_their_keys() -> None:
    left = Pairs.from_concepts(torch.tensor([1]), torch.tensor([1, 2]))
    right = Pairs.from_concepts(torch.tensor([1]), torch.tensor([3])).weighted(torch.tensor(0.5))
    both = left.beside(right)
    assert both.positive.tolist() == [[True, False, False]]
    assert both.negative.tolist() == [[False, True, True]]
    assert both.full_weight().tolist() == [[1.0, 1.0, 0.5]]


def test_pairs_transposed_turn_queries_into_keys() -> None:
    pairs = Pairs.from_concepts(torch.tensor([1, 2]), torch.tensor([2, 1, 1])).weighted(torch.rand(2, 3))
    turned = pairs.transposed()
    assert torch.equal(turned.positive, pairs.positive.T)
    assert torch.equal(turned.negative, pairs.negative.T)
    assert torch.equal(turned.full_weight(), pairs.full_weight().T)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"negative": torch.zeros(2, 2, dtype=torch.bool)}, "`negative` has the wrong shape"),
        ({"weight": torch.zeros(2)}, "`weight` has the wrong shape"),
        ({"negative": torch.zeros(2, 3)}, "`negative` is not a mask; expected torch.bool; got torch.float32"),
    ],
)
def test_pairs_refuse_what_does_not_fit(fields: dict[str, torch.Tensor], message: str) -> None:
    mask = torch.zeros(2, 3, dtype=torch.bool)
    with pytest.raises(SettingError, match=message):
        Pairs(**({"positive": mask, "negative": mask} | fields))

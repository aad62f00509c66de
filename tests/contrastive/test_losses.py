"""The pair losses against double-loop oracles, and what must hold for all of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from medlink.contrastive.losses.margin import contrastive, triplet
from medlink.contrastive.losses.registry import PAIR_LOSSES
from medlink.contrastive.losses.sigmoid import logistic, multi_similarity
from medlink.contrastive.losses.softmax import (
    info_nce,
    n_pair,
    nt_xent,
    supervised_contrastive,
    symmetric_info_nce,
    synonym_marginalisation,
)
from medlink.contrastive.similarity import Pairs, cosine_similarity
from medlink.errors import SettingError
from tests.contrastive import oracles
from tests.contrastive.cases import Case, cases, few, random_case, random_vectors


@dataclass(frozen=True, slots=True)
class Checked:
    """A loss and its oracle, with the same options."""

    loss: Callable[[Tensor, Pairs], Tensor]
    oracle: Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]


CHECKED = {
    "contrastive": Checked(partial(contrastive, margin=0.9), partial(oracles.contrastive, margin=0.9)),
    "info_nce": Checked(partial(info_nce, temperature=0.1), partial(oracles.info_nce, temperature=0.1)),
    "logistic": Checked(partial(logistic, scale=5.0, bias=-3.0), partial(oracles.logistic, scale=5.0, bias=-3.0)),
    "multi_similarity": Checked(multi_similarity, partial(oracles.multi_similarity, alpha=2.0, beta=50.0, base=0.5)),
    "n_pair": Checked(n_pair, partial(oracles.info_nce, temperature=1.0)),
    "supervised_contrastive": Checked(
        partial(supervised_contrastive, temperature=0.2), partial(oracles.supervised_contrastive, temperature=0.2)
    ),
    "symmetric_info_nce": Checked(
        partial(symmetric_info_nce, temperature=0.2), partial(oracles.symmetric_info_nce, temperature=0.2)
    ),
    "synonym_marginalisation": Checked(
        partial(synonym_marginalisation, temperature=0.5), partial(oracles.synonym_marginalisation, temperature=0.5)
    ),
    "triplet": Checked(partial(triplet, margin=0.3), partial(oracles.triplet, margin=0.3)),
}
every_loss = pytest.mark.parametrize("name", CHECKED)
softmax_loss = pytest.mark.parametrize(
    "name", ["info_nce", "n_pair", "supervised_contrastive", "synonym_marginalisation"]
)


def value_and_gradient(loss: Callable[[Tensor], Tensor], similarity: Tensor) -> tuple[Tensor, Tensor]:
    """The loss at these similarities, and its gradient there."""
    leaf = similarity.clone().requires_grad_()
    value = loss(leaf)
    torch.autograd.backward(value)
    assert leaf.grad is not None
    return value.detach(), leaf.grad


def by_oracle(name: str, case: Case) -> tuple[Tensor, Tensor]:
    """The oracle's value and gradient."""
    oracle, pairs = CHECKED[name].oracle, case.pairs
    return value_and_gradient(lambda s: oracle(s, pairs.positive, pairs.negative, case.weight), case.similarity)


def by_loss(name: str, similarity: Tensor, pairs: Pairs) -> tuple[Tensor, Tensor]:
    """The loss's value and gradient."""
    return value_and_gradient(lambda s: CHECKED[name].loss(s, pairs), similarity)


def test_registry_names_every_pair_loss() -> None:
    assert sorted(PAIR_LOSSES) == sorted(CHECKED)


@every_loss
@few
@given(case=cases())
def test_loss_agrees_with_its_oracle(name: str, case: Case) -> None:
    value, gradient = by_loss(name, case.similarity, case.pairs)
    expected_value, expected_gradient = by_oracle(name, case)
    torch.testing.assert_close(value, expected_value, rtol=1e-7, atol=1e-8)
    torch.testing.assert_close(gradient, expected_gradient, rtol=1e-7, atol=1e-8)


@every_loss
@pytest.mark.parametrize(
    ("dtype", "tolerance"), [(torch.float32, 2e-5), (torch.bfloat16, 1e-2), (torch.float16, 2e-3)], ids=str
)
@pytest.mark.parametrize("seed", range(3))
def test_loss_agrees_with_its_oracle_in_low_precision(
    name: str, dtype: torch.dtype, tolerance: float, seed: int
) -> None:
    case = random_case(6, 8, seed)
    rounded = case.similarity.to(dtype)
    value, gradient = by_loss(name, rounded, case.pairs)
    expected_value, expected_gradient = by_oracle(name, Case(rounded.double(), case.pairs))
    assert value.dtype == torch.float32
    assert gradient.dtype == dtype
    torch.testing.assert_close(value.double(), expected_value, rtol=2e-5, atol=1e-6)
    torch.testing.assert_close(gradient.double(), expected_gradient, rtol=tolerance, atol=1e-4)


@every_loss
@pytest.mark.parametrize("shape", [(3, 4), (1, 1), (0, 4), (3, 0), (0, 0)], ids=str)
def test_loss_without_pairs_is_a_zero_that_backpropagates(name: str, shape: tuple[int, int]) -> None:
    nothing = torch.zeros(shape, dtype=torch.bool)
    value, gradient = by_loss(name, torch.rand(shape), Pairs(nothing, nothing))
    assert value == 0
    assert torch.equal(gradient, torch.zeros(shape))


@every_loss
def test_loss_with_zero_weights_is_a_zero_that_backpropagates(name: str) -> None:
    case = random_case(5, 5, 1)
    value, gradient = by_loss(name, case.similarity, case.pairs.weighted(torch.zeros(5, 5)))
    assert value == 0
    assert torch.equal(gradient, torch.zeros(5, 5, dtype=torch.float64))


@every_loss
@pytest.mark.parametrize("similarity", [1.0, -1.0], ids=["all alike", "all opposite"])
def test_loss_stays_finite_at_the_ends(name: str, similarity: float) -> None:
    case = random_case(6, 6, 3)
    value, gradient = by_loss(name, torch.full((6, 6), similarity), case.pairs)
    assert value.isfinite()
    assert gradient.isfinite().all()


def test_info_nce_stays_finite_when_cold() -> None:
    case = random_case(6, 6, 3)
    value, gradient = value_and_gradient(lambda s: info_nce(s, case.pairs, temperature=1e-4), case.similarity.float())
    assert value.isfinite()
    assert gradient.isfinite().all()


@every_loss
@few
@given(case=cases(), seed=st.integers(0, 99))
def test_loss_ignores_the_order_of_the_batch(name: str, case: Case, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    n_queries, n_keys = case.similarity.shape
    rows, columns = torch.randperm(n_queries, generator=generator), torch.randperm(n_keys, generator=generator)

    def shuffled(matrix: Tensor) -> Tensor:
        return matrix[rows][:, columns]

    value, gradient = by_loss(name, case.similarity, case.pairs)
    pairs = Pairs(shuffled(case.pairs.positive), shuffled(case.pairs.negative), shuffled(case.weight))
    shuffled_value, shuffled_gradient = by_loss(name, shuffled(case.similarity), pairs)
    torch.testing.assert_close(shuffled_value, value)
    torch.testing.assert_close(shuffled_gradient, shuffled(gradient))


@every_loss
@few
@given(case=cases(weighted=False))
def test_loss_is_unchanged_by_weights_of_one(name: str, case: Case) -> None:
    value, gradient = by_loss(name, case.similarity, case.pairs)
    weighted = by_loss(name, case.similarity, case.pairs.weighted(torch.ones(())))
    assert torch.equal(value, weighted[0])
    assert torch.equal(gradient, weighted[1])


@every_loss
@few
@given(case=cases())
def test_loss_is_never_negative(name: str, case: Case) -> None:
    assert by_loss(name, case.similarity, case.pairs)[0] >= -1e-12


@every_loss
@few
@given(seed=st.integers(0, 999), lengths=st.tuples(st.floats(0.01, 100), st.floats(0.01, 100)))
def test_loss_on_cosines_ignores_the_vectors_lengths(name: str, seed: int, lengths: tuple[float, float]) -> None:
    queries = random_vectors(4, 3, seed, dtype=torch.float64)
    keys = random_vectors(5, 3, seed + 1, dtype=torch.float64)
    pairs = random_case(4, 5, seed).pairs
    scaled = cosine_similarity(queries * lengths[0], keys * lengths[1])
    loss = CHECKED[name].loss
    torch.testing.assert_close(loss(scaled, pairs), loss(cosine_similarity(queries, keys), pairs))


@softmax_loss
@few
@given(case=cases(), seed=st.integers(0, 99))
def test_loss_is_never_lowered_by_more_negatives(name: str, case: Case, seed: int) -> None:
    more = random_case(case.similarity.shape[0], 3, seed)
    pairs = case.pairs.beside(more.pairs.only_negatives())
    loss = CHECKED[name].loss
    with_more = loss(torch.cat((case.similarity, more.similarity), dim=1), pairs)
    assert with_more >= loss(case.similarity, case.pairs) - 1e-9


@softmax_loss
@few
@given(case=cases(weighted=False))
def test_loss_counts_a_query_of_double_weight_twice(name: str, case: Case) -> None:
    if len(case.similarity) == 0:
        return
    first = torch.zeros_like(case.pairs.positive)
    first[0] = True
    weighted = case.pairs.weighted(torch.where(first & case.pairs.positive, 2.0, 1.0))
    twice = Pairs(
        torch.cat((case.pairs.positive, case.pairs.positive[:1])),
        torch.cat((case.pairs.negative, case.pairs.negative[:1])),
    )
    loss = CHECKED[name].loss
    torch.testing.assert_close(
        loss(case.similarity, weighted), loss(torch.cat((case.similarity, case.similarity[:1])), twice)
    )


@pytest.mark.parametrize("loss", [supervised_contrastive, synonym_marginalisation, symmetric_info_nce])
def test_loss_equals_info_nce_where_each_query_has_one_positive(
    loss: Callable[..., Tensor],
) -> None:
    similarity = cosine_similarity(random_vectors(5, 4, 0), random_vectors(5, 4, 0))
    pairs = Pairs.from_concepts(torch.arange(5), torch.arange(5))
    torch.testing.assert_close(loss(similarity, pairs, temperature=0.3), info_nce(similarity, pairs, temperature=0.3))


def test_synonym_marginalisation_lets_one_synonym_carry_the_concept() -> None:
    pairs = Pairs(torch.tensor([[True, True, False]]), torch.tensor([[False, False, True]]))
    similarity = torch.tensor([[0.9, -0.9, 0.0]])
    marginal = synonym_marginalisation(similarity, pairs, temperature=0.1)
    assert marginal < 0.001 < info_nce(similarity, pairs, temperature=0.1)


def test_nt_xent_is_info_nce_over_both_views() -> None:
    first, second = random_vectors(4, 3, 1), random_vectors(4, 3, 2)
    views = torch.cat((first, second))
    similarity = cosine_similarity(views, views).double()
    positive = torch.eye(4, dtype=torch.bool).repeat(2, 2) & ~torch.eye(8, dtype=torch.bool)
    negative = ~torch.eye(4, dtype=torch.bool).repeat(2, 2)
    expected = oracles.info_nce(similarity, positive, negative, torch.ones(8, 8), 0.2)
    torch.testing.assert_close(nt_xent(first, second, temperature=0.2).double(), expected)


def test_nt_xent_ignores_what_may_mean_the_same() -> None:
    first, second = random_vectors(3, 4, 1), random_vectors(3, 4, 2)
    same = torch.tensor([[True, True, False], [True, True, False], [False, False, True]])
    lone = nt_xent(first[[0, 2]], second[[0, 2]])
    other = nt_xent(first[[1, 2]], second[[1, 2]])
    assert nt_xent(first, second, ignored=same) < nt_xent(first, second)
    # Items 0 and 1 see only item 2; item 2 sees both, so its share is what is left.
    assert nt_xent(first, second, ignored=~torch.eye(3, dtype=torch.bool)) == 0
    assert nt_xent(first, second, ignored=same) * 6 > (lone + other)


@pytest.mark.parametrize("n_items", [0, 1])
def test_nt_xent_of_fewer_than_two_items_is_a_zero_that_backpropagates(n_items: int) -> None:
    view = torch.ones(n_items, 3, requires_grad=True)
    loss = nt_xent(view, view * 2)
    torch.autograd.backward(loss)
    assert loss == 0
    assert view.grad is not None
    assert torch.equal(view.grad, torch.zeros(n_items, 3))


def test_logistic_learns_scale_and_bias() -> None:
    case = random_case(4, 4, 0)
    scale, bias = torch.tensor(10.0, requires_grad=True), torch.tensor(-10.0, requires_grad=True)
    torch.autograd.backward(logistic(case.similarity, case.pairs, scale=scale, bias=bias))
    assert scale.grad is not None
    assert bias.grad is not None
    assert scale.grad != 0
    assert bias.grad != 0


@pytest.mark.parametrize(
    ("loss", "options"),
    [
        (info_nce, {"temperature": 0.0}),
        (supervised_contrastive, {"temperature": -1.0}),
        (contrastive, {"margin": 0.0}),
        (triplet, {"margin": float("nan")}),
        (multi_similarity, {"beta": 0.0}),
        (logistic, {"scale": -1.0}),
    ],
)
def test_loss_refuses_settings_out_of_range(loss: Callable[..., Tensor], options: dict[str, float]) -> None:
    case = random_case(2, 2, 0)
    with pytest.raises(SettingError, match=f"{next(iter(options))}: .* expected a number > 0"):
        loss(case.similarity, case.pairs, **options)


@every_loss
def test_loss_refuses_similarities_of_another_shape(name: str) -> None:
    with pytest.raises(SettingError, match=r"not about these pairs; expected shape \(2, 3\); got \(3, 2\)"):
        CHECKED[name].loss(torch.zeros(3, 2), random_case(2, 3, 0).pairs)

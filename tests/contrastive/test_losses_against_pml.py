"""The losses that pytorch-metric-learning has too: same values, same gradients."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from pytorch_metric_learning.distances import DotProductSimilarity, LpDistance
from pytorch_metric_learning.losses import (
    ContrastiveLoss,
    MultiSimilarityLoss,
    NPairsLoss,
    NTXentLoss,
    SelfSupervisedLoss,
    SupConLoss,
    TripletMarginLoss,
    VICRegLoss,
)
from pytorch_metric_learning.miners import MultiSimilarityMiner, TripletMarginMiner
from torch import Tensor

from medlink.contrastive.losses.margin import contrastive, triplet
from medlink.contrastive.losses.regression import covariance_penalty, variance_penalty
from medlink.contrastive.losses.sigmoid import multi_similarity
from medlink.contrastive.losses.softmax import info_nce, n_pair, nt_xent, supervised_contrastive
from medlink.contrastive.mining import hard_pairs
from medlink.contrastive.similarity import Pairs, cosine_similarity, euclidean_distance, inner_products
from tests.contrastive.cases import random_vectors

# Several positives for 0 and 1, one pair for 2, no positive for 3.
CONCEPTS = torch.tensor([0, 1, 0, 2, 1, 0, 2, 3, 1])
PAIRS = Pairs.from_concepts(CONCEPTS)
Loss = Callable[[Tensor], Tensor]


def of_pairs(loss: Callable[[Tensor, Pairs], Tensor]) -> Loss:
    """Our loss on the cosines within one set of embeddings."""
    return lambda x: loss(cosine_similarity(x, x), PAIRS)


def of_labels(loss: Callable[..., Tensor], miner: Callable[..., object] | None = None) -> Loss:
    """Their loss, on mined pairs where there is a miner."""
    return lambda x: loss(x, CONCEPTS, None if miner is None else miner(x, CONCEPTS))


def mined(margin: float, score: Callable[[Tensor], Tensor]) -> Callable[[Tensor, Pairs], Tensor]:
    """Our multi-similarity loss on hard pairs."""
    return lambda s, pairs: multi_similarity(s, hard_pairs(score(s), pairs, margin=margin))


SAME_LOSS: dict[str, tuple[Loss, Loss]] = {
    "info_nce": (of_pairs(lambda s, p: info_nce(s, p, temperature=0.3)), of_labels(NTXentLoss(temperature=0.3))),
    "supervised_contrastive": (
        of_pairs(lambda s, p: supervised_contrastive(s, p, temperature=0.3)),
        of_labels(SupConLoss(temperature=0.3)),
    ),
    "multi_similarity": (of_pairs(multi_similarity), of_labels(MultiSimilarityLoss())),
    "multi_similarity, its own miner": (
        of_pairs(mined(0.1, lambda s: s)),
        of_labels(MultiSimilarityLoss(), MultiSimilarityMiner(epsilon=0.1)),
    ),
    "nt_xent": (
        lambda x: nt_xent(x[:4], x[4:8], temperature=0.3),
        lambda x: SelfSupervisedLoss(NTXentLoss(temperature=0.3))(x[:4], x[4:8]),
    ),
    "vicreg": (
        lambda x: sum((12.5 * variance_penalty(v) + covariance_penalty(v) for v in (x[:4], x[4:8])), torch.zeros(())),
        lambda x: VICRegLoss(invariance_lambda=0, variance_mu=25)(x[:4], ref_emb=x[4:8]),
    ),
}
SAME_LOSS_BY_DISTANCE: dict[str, tuple[Loss, Loss]] = {
    "triplet": (
        of_pairs(lambda s, p: triplet(s, p, margin=0.4)),
        of_labels(TripletMarginLoss(margin=0.4, distance=LpDistance(power=2))),
    ),
    "multi_similarity, SapBERT's miner": (
        of_pairs(mined(0.2, lambda s: -euclidean_distance(s))),
        of_labels(MultiSimilarityLoss(), TripletMarginMiner(margin=0.2, type_of_triplets="all")),
    ),
    "n_pair": (
        lambda x: n_pair(inner_products(x[:4], x[4:8]), Pairs.from_concepts(torch.arange(4), torch.arange(4))),
        lambda x: NPairsLoss(distance=DotProductSimilarity(normalize_embeddings=False))(
            x[:8], torch.arange(4).repeat(2)
        ),
    ),
    # Its negatives are another loss, max(0, m - D) instead of the paper's ½ max(0, m - D)²: positives alone agree.
    "contrastive, positives": (
        lambda x: contrastive(cosine_similarity(x, x), PAIRS.only_positives()),
        lambda x: (
            ContrastiveLoss(distance=LpDistance(power=2))(x, None, indices_tuple=(*positives(), nothing(), nothing()))
            / 2
        ),
    ),
}


def positives() -> tuple[Tensor, Tensor]:
    """Rows and columns of the positive pairs."""
    query, key = PAIRS.positive.nonzero(as_tuple=True)
    return query, key


def nothing() -> Tensor:
    """No pairs."""
    return torch.empty(0, dtype=torch.int64)


def value_and_gradient(loss: Loss, embeddings: Tensor) -> tuple[Tensor, Tensor]:
    """The loss of these embeddings, and its gradient there, both in float32."""
    leaf = embeddings.clone().requires_grad_()
    value = loss(leaf)
    torch.autograd.backward(value)
    assert leaf.grad is not None
    return value.detach().float(), leaf.grad.float()


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("name", [*SAME_LOSS, *SAME_LOSS_BY_DISTANCE])
def test_loss_agrees_with_pytorch_metric_learning(name: str, seed: int) -> None:
    ours, theirs = (SAME_LOSS | SAME_LOSS_BY_DISTANCE)[name]
    embeddings = random_vectors(9, 6, seed)
    value, gradient = value_and_gradient(ours, embeddings)
    their_value, their_gradient = value_and_gradient(theirs, embeddings)
    assert gradient.abs().max() > 0
    torch.testing.assert_close(value, their_value, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(gradient, their_gradient, rtol=1e-3, atol=1e-5)


# Theirs computes in bfloat16, with three digits, and has no distances there; ours in float32 from the same inputs. Its
# miner sorts scores that are rounded, so that it may keep other pairs.
@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("name", [name for name in SAME_LOSS if "miner" not in name])
def test_loss_agrees_with_pytorch_metric_learning_in_bfloat16(name: str, seed: int) -> None:
    ours, theirs = SAME_LOSS[name]
    embeddings = random_vectors(9, 6, seed).bfloat16()
    value, gradient = value_and_gradient(ours, embeddings)
    their_value, their_gradient = value_and_gradient(theirs, embeddings)
    torch.testing.assert_close(value, their_value, rtol=3e-2, atol=1e-2)
    torch.testing.assert_close(gradient, their_gradient, rtol=0.1, atol=0.05 * float(gradient.abs().max()))

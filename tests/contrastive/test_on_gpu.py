"""The same on a GPU as on a CPU."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from medlink.contrastive.exclusion import RelatedConcepts
from medlink.contrastive.grad_cache import GradCache
from medlink.contrastive.memory_bank import MemoryBank
from medlink.contrastive.retroactive import Retrieval, retroactive_contrastive_loss
from tests.contrastive.cases import random_vectors

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device"),
]


@pytest.mark.parametrize("n_entries", [0, 5, 30])
def test_retroactive_loss_is_the_same_as_on_a_cpu(n_entries: int) -> None:
    found = []
    for device in ("cpu", "cuda"):
        bank = MemoryBank(20, 6, device=device)
        concepts = (torch.arange(30) % 7)[:n_entries].to(device)
        bank.enqueue(random_vectors(30, 6, 0)[:n_entries].to(device), concepts)
        query = random_vectors(4, 6, 1).to(device).requires_grad_()
        loss = retroactive_contrastive_loss(
            query,
            random_vectors(4, 6, 2).to(device),
            MemoryBank.from_state(bank.state(), device=device),
            query_concepts=torch.arange(4, device=device),
            retrieval=Retrieval(excluded=RelatedConcepts(torch.tensor([[0, 5]])), false_negative_margin=0.0),
        )
        torch.autograd.backward(loss)
        assert query.grad is not None
        found.append((loss.detach().cpu(), query.grad.cpu()))
    torch.testing.assert_close(found[0], found[1], rtol=1e-4, atol=1e-5)


def test_cached_gradients_with_dropout_equal_plain_ones() -> None:
    torch.manual_seed(0)
    encoder = nn.Sequential(nn.Linear(6, 64), nn.Dropout(0.5), nn.Linear(64, 3)).cuda()
    inputs = random_vectors(9, 6, 0).cuda()
    found: list[list[Tensor]] = []
    for is_cached in (False, True):
        encoder.zero_grad()
        torch.manual_seed(1)
        cache = GradCache[Tensor](encoder, chunk_size=3)
        embeddings = cache(inputs) if is_cached else torch.cat([encoder(inputs[i : i + 3]) for i in (0, 3, 6)])
        torch.autograd.backward(embeddings.square().sum())
        cache.backward()
        found.append([p.grad.clone() for p in encoder.parameters() if p.grad is not None])
    torch.testing.assert_close(found[0], found[1], rtol=0, atol=1e-5)

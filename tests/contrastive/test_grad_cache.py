"""Cached gradients against plain ones."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor, nn

from medlink.contrastive.grad_cache import GradCache
from medlink.contrastive.losses.softmax import info_nce
from medlink.contrastive.similarity import Pairs, cosine_similarity
from medlink.errors import SettingError
from tests.contrastive.cases import random_vectors


class Encoder(nn.Module):
    """Two layers with dropout between; counts the rows of its largest call with a graph."""

    def __init__(self, dropout: float) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layers = nn.Sequential(nn.Linear(6, 16), nn.Tanh(), nn.Dropout(dropout), nn.Linear(16, 4))
        self.most_rows = 0

    def forward(self, inputs: Tensor) -> Tensor:
        """Embeddings, (n_inputs, 4)."""
        if torch.is_grad_enabled():
            self.most_rows = max(self.most_rows, len(inputs))
        embeddings: Tensor = self.layers(inputs)
        return embeddings


FIRST, SECOND = random_vectors(10, 6, 1), random_vectors(10, 6, 2)
PAIRS = Pairs.from_concepts(torch.arange(10) // 2, torch.arange(10) // 2)


def loss_of(first: Tensor, second: Tensor, temperature: Tensor) -> Tensor:
    """InfoNCE of two columns, with a temperature that learns too."""
    return info_nce(cosine_similarity(first, second), PAIRS, temperature=temperature)


def gradients(encoder: Encoder, temperature: Tensor) -> list[Tensor]:
    """The gradients of all that learns."""
    found = [leaf.grad for leaf in (*encoder.parameters(), temperature)]
    return [gradient for gradient in found if gradient is not None]


def plain(dropout: float, chunk_size: int) -> tuple[Tensor, list[Tensor], Tensor]:
    """Loss, gradients and two random numbers drawn afterwards, with the whole graph in memory."""
    encoder, temperature = Encoder(dropout), torch.tensor(0.1, requires_grad=True)
    torch.manual_seed(7)
    first, second = (torch.cat([encoder(c) for c in column.split(chunk_size)]) for column in (FIRST, SECOND))  # type: ignore[no-untyped-call]
    loss = loss_of(first, second, temperature)
    torch.autograd.backward(loss)
    return loss.detach(), gradients(encoder, temperature), torch.rand(2)


def cached(dropout: float, chunk_size: int) -> tuple[Tensor, list[Tensor], Tensor]:
    """The same by cached gradients."""
    encoder, temperature = Encoder(dropout), torch.tensor(0.1, requires_grad=True)
    cache = GradCache[Tensor](encoder, chunk_size=chunk_size)
    torch.manual_seed(7)
    loss = loss_of(cache(FIRST), cache(SECOND), temperature)
    torch.autograd.backward(loss)
    first = torch.rand(1)
    cache.backward()
    assert encoder.most_rows == min(chunk_size, 10)
    return loss.detach(), gradients(encoder, temperature), torch.cat((first, torch.rand(1)))


@pytest.mark.parametrize("chunk_size", [1, 3, 5, 10, 99])
@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_cached_gradients_equal_plain_ones(dropout: float, chunk_size: int) -> None:
    loss, expected, random_numbers = plain(dropout, chunk_size)
    cached_loss, found, cached_random_numbers = cached(dropout, chunk_size)
    torch.testing.assert_close(cached_loss, loss, rtol=0, atol=1e-6)
    assert len(found) == len(expected) == 5
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-5)
    assert torch.equal(cached_random_numbers, random_numbers)


def test_cached_gradients_without_dropout_do_not_depend_on_the_chunks() -> None:
    for one, other in zip(cached(0.0, 3)[1], plain(0.0, 10)[1], strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-5)


def test_cached_gradients_equal_plain_ones_under_autocast() -> None:
    found = []
    for is_cached in (False, True):
        encoder = Encoder(0.0)
        cache = GradCache[Tensor](encoder, chunk_size=3)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            first, second = (cache(column) if is_cached else encoder(column) for column in (FIRST, SECOND))
            torch.autograd.backward(loss_of(first, second, torch.tensor(0.5)))
            cache.backward()
        found.append(gradients(encoder, torch.tensor(0.5)))
    assert len(found[0]) == len(found[1]) == 4
    for plain_gradient, cached_gradient in zip(*found, strict=True):
        torch.testing.assert_close(cached_gradient, plain_gradient, rtol=0.02, atol=2e-3)


def test_grad_cache_takes_strings() -> None:
    table = nn.Embedding(200, 3)

    def encode(names: Sequence[str]) -> Tensor:
        return torch.stack([table(torch.tensor([ord(c) for c in name])).mean(dim=0) for name in names])

    names = ("ache", "rash", "gout", "ache")
    encode(names).square().sum().backward()  # type: ignore[no-untyped-call]
    expected = table.weight.grad
    table.zero_grad()
    cache = GradCache[Sequence[str]](encode, chunk_size=3)
    torch.autograd.backward(cache(names).square().sum())
    cache.backward()
    assert expected is not None
    assert table.weight.grad is not None
    torch.testing.assert_close(table.weight.grad, expected)


def test_grad_cache_notes_nothing_without_gradients() -> None:
    cache = GradCache[Tensor](Encoder(0.0), chunk_size=4)
    with torch.no_grad():
        assert not cache(FIRST).requires_grad
    cache.backward()


def test_grad_cache_takes_an_empty_batch() -> None:
    encoder = Encoder(0.0)
    cache = GradCache[Tensor](encoder, chunk_size=4)
    torch.autograd.backward(cache(FIRST[:0]).sum())
    cache.backward()
    assert all(torch.equal(p.grad, torch.zeros_like(p)) for p in encoder.parameters() if p.grad is not None)


def test_grad_cache_passes_over_calls_that_the_loss_does_not_use() -> None:
    cache = GradCache[Tensor](Encoder(0.0), chunk_size=4)
    used = cache(FIRST)
    cache(SECOND)
    torch.autograd.backward(used.sum())
    cache.backward()
    with pytest.raises(SettingError, match=r"no embedding has a gradient. Call `loss.backward\(\)` before"):
        cache(FIRST)
        cache.backward()


def test_grad_cache_refuses_empty_chunks() -> None:
    with pytest.raises(SettingError, match="chunk_size"):
        GradCache[Tensor](Encoder(0.0), chunk_size=0)

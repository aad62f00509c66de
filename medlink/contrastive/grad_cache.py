"""Batches far larger than memory by cached gradients, equal to the plain gradient (Gao et al. 2021, "GradCache")."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Generic, TypeVar, cast

import torch
from torch import Tensor

from medlink.contrastive.losses.reduction import check_positive
from medlink.errors import SettingError

Inputs = TypeVar("Inputs", bound=Sequence[object] | Tensor)


@dataclass(frozen=True, slots=True, eq=False)
class RandomState:
    """The state of torch's random generators: the CPU's, every CUDA device's, and Metal's where there is one."""

    cpu: Tensor
    cuda: tuple[Tensor, ...]
    metal: Tensor | None

    @classmethod
    def now(cls) -> RandomState:
        """The state at this moment."""
        return cls(
            torch.get_rng_state(),
            tuple(torch.cuda.get_rng_state_all()) if torch.cuda.is_available() else (),
            torch.mps.get_rng_state() if torch.backends.mps.is_available() else None,
        )

    @contextmanager
    def replayed(self) -> Iterator[None]:
        """Within the block random numbers are drawn as after this state; afterwards as if nothing had happened."""
        before = RandomState.now()
        self._restore()
        try:
            yield
        finally:
            before._restore()

    def _restore(self) -> None:
        torch.set_rng_state(self.cpu)
        if self.cuda:
            torch.cuda.set_rng_state_all(list(self.cuda))
        if self.metal is not None:
            torch.mps.set_rng_state(self.metal)


@dataclass(frozen=True, slots=True, eq=False)
class _Call(Generic[Inputs]):
    """One call of the encoder: its inputs in chunks, the random state before each, and what it gave."""

    chunks: tuple[Inputs, ...]
    states: tuple[RandomState, ...]
    embeddings: Tensor


class GradCache(Generic[Inputs]):
    """An encoder that keeps no graph: one chunk's activations are the most that memory has to hold.

    Section 3.2 of the paper, in four steps:

    1. Each call encodes its inputs chunk by chunk without a graph and notes the random state before each chunk.
    2. The embeddings it returns are leaves. Compute any loss on all of them, and call ``loss.backward()``: that gives
       the gradient of the loss with respect to the embeddings, and to whatever else the loss depends on.
    3. :meth:`backward` encodes each chunk again, now with a graph and with the same random numbers, so that dropout
       falls as before,
    4. and sends that chunk's cached gradient through it. The gradients add up in the parameters.

    By the chain rule the sum is the gradient of the loss. The price is a second forward pass. Under autocast, call and
    :meth:`backward` need the same one.

    >>> layer = torch.nn.Linear(3, 2)
    >>> cached = GradCache(layer, chunk_size=2)
    >>> cached(torch.ones(5, 3)).square().sum().backward()
    >>> cached.backward()
    >>> layer.weight.grad.shape
    torch.Size([2, 3])

    :param encode: from inputs (a sequence or a tensor) to embeddings, *Shape:* (n_inputs, width); row i may depend on
        its own chunk only (no batch norm across the batch).
    :param chunk_size: > 0, the most inputs that are encoded with a graph at a time.
    """

    def __init__(self, encode: Callable[[Inputs], Tensor], *, chunk_size: int) -> None:
        check_positive(chunk_size=chunk_size)
        self._encode = encode
        self._chunk_size = chunk_size
        self._calls: list[_Call[Inputs]] = []

    def __call__(self, inputs: Inputs) -> Tensor:
        """The embeddings of the inputs, a leaf. *Shape:* (n_inputs, width). Without gradients nothing is noted."""
        starts = range(0, max(len(inputs), 1), self._chunk_size)
        chunks = tuple(cast(Inputs, inputs[start : start + self._chunk_size]) for start in starts)
        states, parts = [], []
        with torch.no_grad():
            for chunk in chunks:
                states.append(RandomState.now())
                parts.append(self._encode(chunk))
        embeddings = torch.cat(parts)
        if torch.is_grad_enabled():
            embeddings.requires_grad_()
            self._calls.append(_Call(chunks, tuple(states), embeddings))
        return embeddings

    def backward(self) -> None:
        """Send the cached gradients of all calls since the last time through the encoder, and forget them.

        :raises SettingError: when the loss has not been sent backward before.
        """
        calls, self._calls = self._calls, []
        if calls and all(call.embeddings.grad is None for call in calls):
            raise SettingError("no embedding has a gradient", hint="Call `loss.backward()` before `cache.backward()`.")
        for call in calls:
            if call.embeddings.grad is None:  # the loss did not use it
                continue
            gradients = torch.split(call.embeddings.grad, self._chunk_size)
            for chunk, state, gradient in zip(call.chunks, call.states, gradients, strict=True):
                with state.replayed():
                    embeddings = self._encode(chunk)
                torch.autograd.backward(embeddings, gradient)

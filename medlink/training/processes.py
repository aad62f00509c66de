"""Several processes that train one encoder: each encodes its share of a batch, and all see the whole of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, distributed, nn

from medlink.contrastive.grad_cache import GradCache, RandomState
from medlink.errors import SettingError


@dataclass(frozen=True, slots=True)
class Processes:
    """The processes of a training; all must call the same methods in the same order. One alone does nothing in them.

    :param rank: the place of this one, from 0; the first is the one that writes.
    :param n: how many there are.
    :param device: where this one's tensors are.
    """

    rank: int = 0
    n: int = 1
    device: torch.device | str = "cpu"

    @property
    def is_first(self) -> bool:
        """Whether this is the one that writes."""
        return self.rank == 0

    def shares(self, n_items: int) -> list[range]:
        """Which items are whose: ranges of like length, in the processes' order.

        >>> Processes(n=2).shares(5)
        [range(0, 2), range(2, 5)]
        """
        bounds = [n_items * rank // self.n for rank in range(self.n + 1)]
        return [range(start, stop) for start, stop in pairwise(bounds)]

    def wait(self) -> None:
        """Return when all are here."""
        if self.n > 1:
            distributed.barrier()

    def leave(self) -> None:
        """Part from the others, as a process that ends with their connections open may be aborted."""
        if self.n > 1 and distributed.is_initialized():
            distributed.destroy_process_group()

    def agree(self, value: float) -> float:
        """The first process's value."""
        held = torch.tensor(value, dtype=torch.float64, device=self.device)
        if self.n > 1:
            distributed.broadcast(held, src=0)
        return float(held)

    def gather(self, rows: Tensor, counts: Sequence[int]) -> Tensor:
        """The rows of all processes, in their order, without graph.

        :param rows: of this one. *Shape:* (counts[rank], …).
        :param counts: how many rows each has.
        :returns: *Shape:* (sum(counts), …).
        """
        filled = rows.new_zeros((max(counts), *rows.shape[1:]))  # collectives want equal shapes
        filled[: len(rows)] = rows.detach()
        parts = [torch.empty_like(filled) for _ in counts]
        distributed.all_gather(parts, filled)
        return torch.cat([part[:count] for part, count in zip(parts, counts, strict=True)])

    def sum_gradients(self, parameters: Iterable[nn.Parameter], *, share: float = 1.0) -> None:
        """Replace each gradient by the sum over the processes, times ``share``."""
        if self.n == 1:
            return
        for parameter in parameters:
            if parameter.grad is None:
                continue
            if parameter.grad.is_sparse:
                parameter.grad = self._sum_rows(parameter.grad.coalesce()) * share
            else:
                distributed.all_reduce(parameter.grad)
                parameter.grad *= share

    def _sum_rows(self, gradient: Tensor) -> Tensor:
        """The sum of sparse gradients, whose rows differ from process to process."""
        rows, values = gradient.indices()[0], gradient.values()
        counts = self.gather(torch.tensor([len(rows)], device=rows.device), [1] * self.n).tolist()
        indices = self.gather(rows, counts)[None, :]
        return torch.sparse_coo_tensor(indices, self.gather(values, counts), gradient.shape, check_invariants=False)


#: The processes of a training that runs in this one alone.
ALONE = Processes()


@dataclass(frozen=True, slots=True, eq=False)
class _Call:
    """One call: what this process encoded, what all did, and where the former stands in the latter."""

    own: Tensor
    whole: Tensor
    share: range


class SharedCache:
    """A :class:`GradCache` of which each process fills a share.

    1. Each process encodes its share of the inputs by the cache, without a graph,
    2. and gathers the others' embeddings. What a call returns is the same leaf everywhere, so any loss on it is the
       same everywhere, and so are its gradients with respect to the embeddings and to the objective's parameters.
    3. :meth:`backward` sends the gradient of the own share through the encoder.
    4. Summed over the processes (:meth:`Processes.sum_gradients`), the encoder's gradients are those of the whole
       batch, as one process would have them.

    Dropout falls otherwise than in one process.
    """

    def __init__(self, cache: GradCache[list[str]], processes: Processes) -> None:
        self._cache, self._processes = cache, processes
        self._calls: list[_Call] = []

    def __call__(self, inputs: list[str]) -> Tensor:
        """The embeddings of all inputs, a leaf. *Shape:* (n_inputs, width).

        :raises SettingError: when there are fewer inputs than processes.
        """
        shares = self._processes.shares(len(inputs))
        if not all(shares):
            raise SettingError(
                "a batch is too small to be shared", expected=f"{self._processes.n} pairs or more", got=str(len(inputs))
            )
        share = shares[self._processes.rank]
        # Processes draw unlike numbers while they encode, and the same ones before and after.
        seed = int(torch.randint(2**62, ()))
        with RandomState.now().replayed():
            torch.manual_seed(seed + self._processes.rank)
            own = self._cache(inputs[share.start : share.stop])
        whole = self._processes.gather(own, [len(other) for other in shares])
        if torch.is_grad_enabled():
            whole.requires_grad_()
            self._calls.append(_Call(own, whole, share))
        return whole

    def backward(self) -> None:
        """Send the gradients of the own shares of all calls since the last time through the encoder."""
        calls, self._calls = self._calls, []
        for call in calls:
            if call.whole.grad is not None:
                call.own.grad = call.whole.grad[call.share.start : call.share.stop]
        self._cache.backward()

"""What an objective is: from a batch of pairs to a loss; and what the trainer owes it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import torch
from torch import Tensor, nn

from medlink.contrastive.memory_bank import MemoryBank
from medlink.contrastive.similarity import Pairs
from medlink.errors import ArtifactError, SettingError

Inputs = TypeVar("Inputs")


# Generic records have no slots: with them, `Batch[str](...)` fails in Python 3.11.
@dataclass(frozen=True, eq=False)
class Batch(Generic[Inputs]):
    """Pairs that mean the same: two names of a concept, two views of a name, or a mention and its concept.

    :param first: n_pairs inputs, whatever the encoder takes.
    :param second: n_pairs inputs; the second of pair i means what the first does.
    :param concepts: *Shape:* (n_pairs,), int64 codes.
    :param weight: *Shape:* (n_pairs,), >= 0, what each pair counts; ``None`` is 1.
    :param ignored: *Shape:* (n_pairs, n_pairs), bool, symmetric: pairs that must not repel each other, though their
        concepts differ.
    :param items: *Shape:* (n_pairs,), int64 codes by which a memory can ask for ``second`` again; ``None``: it cannot.
    """

    first: Inputs
    second: Inputs
    concepts: Tensor
    weight: Tensor | None = None
    ignored: Tensor | None = None
    items: Tensor | None = None

    def across(self) -> Pairs:
        """Firsts as queries, seconds as keys. *Shape:* (n_pairs, n_pairs)."""
        pairs = Pairs.from_concepts(self.concepts, self.concepts, ignored=self.ignored)
        return self._weighted(pairs, self.weight)

    def within(self) -> Pairs:
        """Firsts and seconds together as queries and as keys. *Shape:* (2 n_pairs, 2 n_pairs)."""
        ignored = None if self.ignored is None else self.ignored.repeat(2, 2)
        pairs = Pairs.from_concepts(self.concepts.repeat(2), ignored=ignored)
        return self._weighted(pairs, None if self.weight is None else self.weight.repeat(2))

    @staticmethod
    def _weighted(pairs: Pairs, weight: Tensor | None) -> Pairs:
        """The pairs with each query's weight on its positives."""
        return pairs if weight is None else pairs.weighted(torch.where(pairs.positive, weight[:, None], 1.0))


@dataclass(frozen=True, slots=True, eq=False)
class ObjectiveStep:
    """What an objective makes of a batch.

    :param loss: scalar, with its graph.
    :param parts: scalars to write down, without graph; at least "loss".
    :param first: *Shape:* (n_pairs, width), the encoder's embeddings of the batch's firsts, with their graph.
    :param second: *Shape:* (n_pairs, width), of the seconds; without graph where no gradient flows there.
    """

    loss: Tensor
    parts: Mapping[str, Tensor]
    first: Tensor
    second: Tensor


class Objective(Protocol[Inputs]):
    """How views, towers and queues are arranged around a loss."""

    def loss(self, batch: Batch[Inputs]) -> ObjectiveStep:
        """The loss of a batch."""
        ...

    def after_step(self) -> None:
        """What is due once the optimiser has stepped: momentum copies, queues, bounds."""
        ...

    def parameters(self) -> Iterator[nn.Parameter]:
        """What the objective itself learns (a head, a predictor, a temperature), and frozen copies that it keeps."""
        ...

    def state(self) -> dict[str, Tensor]:
        """All that the objective needs, after a step, to go on exactly: tensors only, ready for safetensors."""
        ...

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Go on where :meth:`state` was taken."""
        ...


class ObjectiveModule(nn.Module):
    """What the objectives share: nothing to do after a step, and a state that includes their memory bank."""

    bank: MemoryBank | None = None

    def after_step(self) -> None:
        """Nothing is due."""

    def state(self) -> dict[str, Tensor]:
        """Parameters and buffers by name, and the bank's state under "bank."."""
        bank = {} if self.bank is None else self.bank.state()
        own = {name: tensor.detach().clone() for name, tensor in self.state_dict().items()}
        return own | {f"bank.{name}": tensor for name, tensor in bank.items()}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Go on where :meth:`state` was taken.

        :raises ArtifactError: when it was taken of another objective, or of one with other settings.
        """
        expected, got = ({name: tuple(t.shape) for name, t in s.items()} for s in (self.state(), state))
        if expected != got:
            different = sorted(name for name in expected | got if expected.get(name) != got.get(name))
            raise ArtifactError("this is the state of another objective", got=f"differences in {', '.join(different)}")
        bank = {name.removeprefix("bank."): tensor for name, tensor in state.items() if name.startswith("bank.")}
        self.load_state_dict({name: tensor for name, tensor in state.items() if not name.startswith("bank.")})
        if self.bank is not None:
            self.bank = MemoryBank.from_state(bank, device=self.bank.vectors.device)


@dataclass(frozen=True, eq=False)
class Towers(Generic[Inputs]):
    """The encoders that an objective arranges.

    :param query: encodes firsts: from n inputs to (n, width).
    :param key: encodes seconds; the same object where there is one tower.
    :param width: of their embeddings.
    :param module: the encoder as a module that is called like it; needed where a momentum copy is made.
    :param encode_items: from item codes to the embeddings of what ``Batch.items`` names; needed to refresh a memory.
    :param device: where embeddings are; heads and memory banks go there too.
    """

    query: Callable[[Inputs], Tensor]
    key: Callable[[Inputs], Tensor]
    width: int
    module: nn.Module | None = None
    encode_items: Callable[[Tensor], Tensor] | None = None
    device: torch.device | str = "cpu"

    def momentum_source(self) -> nn.Module:
        """The module of which a momentum copy can be made.

        :raises SettingError: when there is none.
        """
        if self.module is None:
            raise SettingError("this objective keeps a momentum copy of the encoder", expected="`Towers.module`")
        return self.module

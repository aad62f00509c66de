"""The memory bank: past embeddings, first in first out, from which the hardest negatives are fetched."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from medlink.contrastive.exclusion import Exclusion
from medlink.contrastive.losses.reduction import check_positive
from medlink.contrastive.mining import Negatives, Origin, hardest
from medlink.contrastive.similarity import cosine_similarity, full_precision
from medlink.errors import ArtifactError, EncoderError, SettingError

Encode = Callable[[Tensor], Tensor]
"""From item codes (n_items,) to their fresh embeddings (n_items, width)."""


@dataclass(frozen=True, slots=True, eq=False)
class Entries:
    """What a bank holds, a row an entry. *Shape:* (n_entries,) but for ``vectors``.

    :param vectors: *Shape:* (n_entries, width), of unit length.
    :param concepts: int64 code of each entry's concept.
    :param items: int64 code by which a caller can encode the entry again; -1 for none.
    :param weights: >= 0, what the evidence for an entry is worth.
    :param ages: int64, steps since it was stored.
    :param versions: int64, version of the encoder that made the vector.
    """

    vectors: Tensor
    concepts: Tensor
    items: Tensor
    weights: Tensor
    ages: Tensor
    versions: Tensor


@dataclass(frozen=True, slots=True)
class Weighting:
    """How much a fetched negative counts, beside its own weight.

    :param hardness_temperature: a query's negatives count in proportion to exp(score / temperature), with mean 1
        (Robinson et al. 2021, "Contrastive Learning with Hard Negative Samples"); ``inf`` turns it off.
    :param half_life: steps after which an entry counts half; ``inf`` turns it off.
    """

    hardness_temperature: float = 0.1
    half_life: float = math.inf

    def __post_init__(self) -> None:
        check_positive(hardness_temperature=self.hardness_temperature, half_life=self.half_life)


@dataclass(frozen=True, slots=True)
class Refresh:
    """What a look at the drift led to.

    :param drift: mean cosine distance in [0, 2] between stored and fresh vectors.
    :param n_refreshed: entries that were encoded again.
    """

    drift: float
    n_refreshed: int


class MemoryBank:
    """A first-in-first-out store of unit vectors with their concepts (MoCo's queue, XBM's memory).

    The newest ``capacity`` entries stay. Time is counted in steps by :meth:`advance`. With several processes, gather
    what is enqueued first, or their banks part ways.

    :param capacity: > 0, entries.
    :param width: > 0, of the vectors.
    :param seed: of the sample by which drift is measured.
    """

    def __init__(self, capacity: int, width: int, *, seed: int = 0, device: torch.device | str | None = None) -> None:
        check_positive(capacity=capacity, width=width)
        self._vectors = torch.zeros(capacity, width, device=device)
        self._concepts = torch.zeros(capacity, dtype=torch.int64, device=device)
        self._items = torch.zeros(capacity, dtype=torch.int64, device=device)
        self._weights = torch.zeros(capacity, device=device)
        self._born = torch.zeros(capacity, dtype=torch.int64, device=device)
        self._versions = torch.zeros(capacity, dtype=torch.int64, device=device)
        self._next = self._size = self._clock = 0
        self._generator = torch.Generator().manual_seed(seed)

    def __len__(self) -> int:
        return self._size

    @property
    def capacity(self) -> int:
        """The most entries that it holds."""
        return len(self._vectors)

    @property
    def width(self) -> int:
        """The width of its vectors."""
        return self._vectors.shape[1]

    @property
    def clock(self) -> int:
        """The steps counted by :meth:`advance` so far."""
        return self._clock

    @property
    def vectors(self) -> Tensor:
        """The vectors by slot, as :meth:`hardest` numbers them. *Shape:* (n_entries, width)."""
        return self._vectors[: self._size]

    @property
    def concepts(self) -> Tensor:
        """The concepts by slot. *Shape:* (n_entries,)."""
        return self._concepts[: self._size]

    def entries(self) -> Entries:
        """All entries, oldest first, as copies."""
        slots = (torch.arange(self._size, device=self._vectors.device) + self._next - self._size) % self.capacity
        return Entries(
            vectors=self._vectors[slots],
            concepts=self._concepts[slots],
            items=self._items[slots],
            weights=self._weights[slots],
            ages=self._clock - self._born[slots],
            versions=self._versions[slots],
        )

    def enqueue(
        self,
        vectors: Tensor,
        concepts: Tensor,
        *,
        items: Tensor | None = None,
        weights: Tensor | None = None,
        version: int = 0,
    ) -> None:
        """Store these vectors as the newest entries, in their order; the oldest make room.

        :param vectors: *Shape:* (n_new, width), of any length; stored detached, at unit length, in float32.
        :param concepts: *Shape:* (n_new,), int64.
        :param items: *Shape:* (n_new,), int64; ``None`` where nobody will ask to encode them again.
        :param weights: *Shape:* (n_new,), >= 0; ``None`` is 1.
        :param version: of the encoder that made them.
        :raises SettingError: when a shape does not fit.
        :raises EncoderError: when a vector is not finite.
        """
        n_new = len(vectors)
        for name, value in (("concepts", concepts), ("items", items), ("weights", weights)):
            if value is not None and value.shape != (n_new,):
                raise SettingError(
                    f"the bank was given {name} that do not fit the vectors",
                    expected=f"shape {(n_new,)}",
                    got=f"{tuple(value.shape)}",
                )
        vectors = self._as_stored(vectors, n_new)
        newest = slice(max(n_new - self.capacity, 0), n_new)
        device = self._vectors.device
        slots = (self._next + torch.arange(n_new, device=device)[newest]) % self.capacity
        self._vectors[slots] = vectors[newest]
        self._concepts[slots] = concepts[newest].to(device)
        self._items[slots] = torch.tensor(-1, device=device) if items is None else items[newest].to(device)
        self._weights[slots] = (
            torch.tensor(1.0, device=device) if weights is None else weights[newest].to(self._weights)
        )
        self._born[slots] = self._clock
        self._versions[slots] = version
        self._next = (self._next + n_new) % self.capacity
        self._size = min(self._size + n_new, self.capacity)

    def advance(self, n_steps: int = 1) -> None:
        """Let every entry age by this many steps."""
        self._clock += n_steps

    def hardest(
        self,
        queries: Tensor,
        concepts: Tensor,
        *,
        k: int,
        excluded: Exclusion | None = None,
        ceiling: Tensor | None = None,
    ) -> Negatives:
        """The k entries most similar to each query that are no entries of its own concept, nor excluded.

        :param queries: *Shape:* (n_queries, width), of any length.
        :param concepts: *Shape:* (n_queries,), int64.
        :param excluded: concepts that are no negatives either.
        :param ceiling: *Shape:* (n_queries,): an entry that scores above is taken for a false negative.
        :returns: cosines as scores and slots as keys; equal scores in the order of their slots.
        """
        score = cosine_similarity(queries.detach().to(self._vectors), self.vectors)  # (n_queries, n_entries)
        allowed = concepts[:, None] != self.concepts[None, :]
        if excluded is not None:
            allowed &= ~excluded(concepts, self.concepts)
        if ceiling is not None:
            allowed &= score <= ceiling.detach()[:, None]
        return hardest(score, allowed, k=k, origin=Origin.MEMORY)

    def weigh(self, negatives: Negatives, weighting: Weighting) -> Tensor:
        """What each negative fetched from this bank counts: own weight x hardness x age. *Shape:* (n_negatives,)."""
        weight = self._weights[negatives.key]
        if math.isfinite(weighting.hardness_temperature):
            weight = weight * _hardness(negatives, weighting.hardness_temperature)
        if math.isfinite(weighting.half_life):
            weight = weight * 0.5 ** ((self._clock - self._born[negatives.key]) / weighting.half_life)
        return weight

    def measure_drift(self, encode: Encode, *, n_sample: int = 256) -> float:
        """The mean cosine distance, in [0, 2], between stored vectors and fresh ones, on a random sample.

        :param encode: called without gradients, on the items of the sample.
        :returns: 0 where no entry can be encoded again.
        """
        check_positive(n_sample=n_sample)
        slots = self._known_slots()
        if len(slots) == 0:
            return 0.0
        slots = slots[torch.randperm(len(slots), generator=self._generator)[:n_sample].to(slots.device)]
        return float(1 - (self._encode(encode, slots) * self._vectors[slots]).sum(dim=1).mean())

    def refresh(
        self, encode: Encode, *, max_drift: float, version: int, n_sample: int = 256, batch_size: int = 256
    ) -> Refresh:
        """Measure the drift and, where it is above ``max_drift``, encode all entries again; their age stays.

        :param version: of the encoder that ``encode`` uses.
        """
        check_positive(batch_size=batch_size)
        drift = self.measure_drift(encode, n_sample=n_sample)
        if drift <= max_drift:
            return Refresh(drift, 0)
        slots = self._known_slots()
        for batch in torch.split(slots, batch_size):
            self._vectors[batch] = self._encode(encode, batch)
            self._versions[batch] = version
        return Refresh(drift, len(slots))

    def _known_slots(self) -> Tensor:
        """The slots whose entries can be encoded again. *Shape:* (n_known,)."""
        return (self._items[: self._size] >= 0).nonzero()[:, 0]

    def _encode(self, encode: Encode, slots: Tensor) -> Tensor:
        """Fresh vectors of these slots' items, at unit length. *Shape:* (n_slots, width)."""
        with torch.no_grad():
            return self._as_stored(encode(self._items[slots]), len(slots))

    def _as_stored(self, vectors: Tensor, n_expected: int) -> Tensor:
        """The vectors as the bank keeps them: detached, unit length, float32, on its device."""
        if vectors.shape != (n_expected, self.width):
            raise SettingError(
                "the bank was given vectors of the wrong shape",
                expected=f"{(n_expected, self.width)}",
                got=f"{tuple(vectors.shape)}",
            )
        if not vectors.isfinite().all():
            raise EncoderError("the bank was given vectors that are not finite")
        return F.normalize(full_precision(vectors.detach()), dim=1).to(self._vectors)

    def state(self) -> dict[str, Tensor]:
        """All of the bank as copied tensors, plain numbers as tensors of no dimension: ready for safetensors."""
        tensors = {name: getattr(self, f"_{name}").clone() for name in _ARRAYS}
        numbers = {name: torch.tensor(getattr(self, f"_{name}")) for name in _NUMBERS}
        return {**tensors, **numbers, "generator": self._generator.get_state()}

    @classmethod
    def from_state(cls, state: Mapping[str, Tensor], *, device: torch.device | str | None = None) -> MemoryBank:
        """The bank that :meth:`state` described: it goes on as if it had never stopped, bit for bit.

        :raises ArtifactError: when the state is not a bank's.
        """
        _check_names(state)
        capacity, width = state["vectors"].shape
        bank = cls(capacity, width, device=device)
        bank.restore(state)
        return bank

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Become the bank that :meth:`state` described.

        :raises ArtifactError: when the state is not that of a bank of this capacity.
        """
        _check_names(state)
        for name in _ARRAYS:
            stored = state[name]
            if len(stored) != self.capacity:
                raise ArtifactError(
                    f"a memory bank's {name} are damaged", expected=f"{self.capacity}", got=f"{len(stored)}"
                )
            getattr(self, f"_{name}").copy_(stored)
        for name in _NUMBERS:
            setattr(self, f"_{name}", int(state[name]))
        self._generator.set_state(state["generator"].cpu())


_ARRAYS = ("vectors", "concepts", "items", "weights", "born", "versions")
_NUMBERS = ("next", "size", "clock")


def _check_names(state: Mapping[str, Tensor]) -> None:
    expected = {*_ARRAYS, *_NUMBERS, "generator"}
    if set(state) != expected:
        raise ArtifactError(
            "this is not the state of a memory bank", expected=f"{sorted(expected)}", got=f"{sorted(state)}"
        )


def _hardness(negatives: Negatives, temperature: float) -> Tensor:
    """exp(score / temperature), scaled to mean 1 over each query's negatives. *Shape:* (n_negatives,)."""
    if len(negatives) == 0:
        return negatives.score
    n_queries = int(negatives.query.max()) + 1
    peak = negatives.score.new_full((n_queries,), -torch.inf)
    peak = peak.scatter_reduce(0, negatives.query, negatives.score, "amax")
    power = ((negatives.score - peak[negatives.query]) / temperature).exp()
    total = power.new_zeros(n_queries).index_add(0, negatives.query, power)
    count = negatives.query.bincount(minlength=n_queries)
    return power * (count / total)[negatives.query]

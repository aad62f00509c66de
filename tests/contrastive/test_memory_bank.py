"""The memory bank against a plain list that does the same."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from medlink.contrastive.bank_file import load_bank, save_bank
from medlink.contrastive.exclusion import RelatedConcepts
from medlink.contrastive.memory_bank import MemoryBank, Weighting
from medlink.contrastive.mining import Negatives, Origin
from medlink.errors import ArtifactError, EncoderError, SettingError
from tests.contrastive.cases import few, random_vectors

WIDTH = 3


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """What a plain list keeps of an entry."""

    vector: Tensor
    concept: int
    item: int
    weight: float
    born: int
    version: int


def bank_of(concepts: list[int], *, capacity: int = 8, seed: int = 0) -> MemoryBank:
    """A bank with one random vector for each concept; items count from 0."""
    bank = MemoryBank(capacity, WIDTH, seed=seed)
    n = len(concepts)
    bank.enqueue(random_vectors(n, WIDTH, 5), torch.tensor(concepts, dtype=torch.int64), items=torch.arange(n))
    return bank


@few
@given(capacity=st.integers(1, 7), sizes=st.lists(st.integers(0, 9), max_size=6))
def test_enqueue_keeps_the_newest_in_order(capacity: int, sizes: list[int]) -> None:
    bank, plain, n_seen = MemoryBank(capacity, WIDTH), deque[Entry](maxlen=capacity), 0
    for step, size in enumerate(sizes):
        vectors = random_vectors(size, WIDTH, step)
        codes = torch.arange(n_seen, n_seen + size)
        bank.enqueue(vectors, codes % 3, items=codes, weights=codes / 10, version=step)
        plain.extend(
            Entry(v / v.norm(), c % 3, c, c / 10, step, step) for v, c in zip(vectors, codes.tolist(), strict=True)
        )
        bank.advance()
        n_seen += size
    entries = bank.entries()
    assert len(bank) == len(plain)
    for place, entry in enumerate(plain):
        torch.testing.assert_close(entries.vectors[place], entry.vector)
        assert entries.concepts[place] == entry.concept
        assert entries.items[place] == entry.item
        assert entries.weights[place] == torch.tensor(entry.weight)
        assert entries.ages[place] == len(sizes) - entry.born
        assert entries.versions[place] == entry.version


def test_enqueue_detaches_and_scales_to_unit_length() -> None:
    bank = MemoryBank(2, WIDTH)
    vectors = (random_vectors(2, WIDTH, 0) * 7).requires_grad_()
    bank.enqueue(vectors, torch.tensor([1, 2]))
    assert not bank.vectors.requires_grad
    torch.testing.assert_close(bank.vectors.norm(dim=1), torch.ones(2))
    assert bank.entries().items.tolist() == [-1, -1]
    assert bank.entries().weights.tolist() == [1.0, 1.0]


def test_enqueue_takes_half_precision() -> None:
    bank = MemoryBank(2, WIDTH)
    bank.enqueue(random_vectors(2, WIDTH, 0, dtype=torch.bfloat16), torch.tensor([1, 2]))
    assert bank.vectors.dtype == torch.float32
    torch.testing.assert_close(bank.vectors.norm(dim=1), torch.ones(2))


def test_enqueue_refuses_what_does_not_fit() -> None:
    bank = MemoryBank(2, WIDTH)
    with pytest.raises(SettingError, match=r"vectors of the wrong shape; expected \(1, 3\); got \(1, 4\)"):
        bank.enqueue(torch.ones(1, 4), torch.tensor([1]))
    with pytest.raises(SettingError, match="weights that do not fit"):
        bank.enqueue(torch.ones(1, 3), torch.tensor([1]), weights=torch.ones(2))
    with pytest.raises(EncoderError, match="not finite"):
        bank.enqueue(torch.full((1, 3), torch.nan), torch.tensor([1]))
    assert len(bank) == 0


@pytest.mark.parametrize(("capacity", "width"), [(0, 3), (3, 0), (-1, 3)])
def test_bank_refuses_to_be_empty_for_ever(capacity: int, width: int) -> None:
    with pytest.raises(SettingError, match="expected a number > 0"):
        MemoryBank(capacity, width)


def slow_hardest(bank: MemoryBank, query: Tensor, forbidden: set[int], k: int) -> list[float]:
    """Falling scores of the k nearest entries with no forbidden concept."""
    entries = bank.entries()
    scores = [
        float(query / query.norm() @ vector)
        for vector, concept in zip(entries.vectors, entries.concepts.tolist(), strict=True)
        if concept not in forbidden
    ]
    return sorted(scores, reverse=True)[:k]


@few
@given(capacity=st.integers(1, 9), n_entries=st.integers(0, 20), k=st.integers(1, 5), seed=st.integers(0, 99))
def test_hardest_agrees_with_a_sort_and_never_returns_own_or_excluded(
    capacity: int, n_entries: int, k: int, seed: int
) -> None:
    bank = MemoryBank(capacity, WIDTH)
    held = torch.randint(0, 5, (n_entries,), generator=torch.Generator().manual_seed(seed))
    bank.enqueue(random_vectors(n_entries, WIDTH, seed), held)
    queries, concepts = random_vectors(4, WIDTH, seed + 1), torch.tensor([0, 1, 2, 9])
    related = RelatedConcepts(torch.tensor([[0, 3], [4, 2]]))
    found = bank.hardest(queries, concepts, k=k, excluded=related)
    forbidden: list[set[int]] = [{0, 3}, {1}, {2, 4}, {9}]
    for i in range(4):
        mine = found[found.query == i]
        assert mine.rank.tolist() == list(range(len(mine)))
        assert mine.score.tolist() == pytest.approx(slow_hardest(bank, queries[i], forbidden[i], k), abs=1e-6)
        slots = bank.vectors[mine.key]
        torch.testing.assert_close(slots @ (queries[i] / queries[i].norm()), mine.score)
    assert all(negative.origin == Origin.MEMORY for negative in found)


def test_hardest_of_an_empty_bank_is_nothing() -> None:
    assert len(MemoryBank(4, WIDTH).hardest(random_vectors(2, WIDTH, 0), torch.tensor([1, 2]), k=3)) == 0


def test_hardest_of_no_queries_is_nothing() -> None:
    assert len(bank_of([1]).hardest(torch.zeros(0, WIDTH), torch.zeros(0, dtype=torch.int64), k=3)) == 0


def test_hardest_of_a_bank_with_one_concept_is_nothing_for_that_concept() -> None:
    found = bank_of([7, 7, 7]).hardest(random_vectors(2, WIDTH, 0), torch.tensor([7, 8]), k=3)
    assert found.query.tolist() == [1, 1, 1]


def test_hardest_takes_a_table_of_excluded_concepts() -> None:
    table = torch.eye(3, dtype=torch.bool)
    table[0, 1] = True
    found = bank_of([0, 1, 2]).hardest(
        random_vectors(1, WIDTH, 0), torch.tensor([0]), k=3, excluded=lambda a, b: table[a][:, b]
    )
    assert found.key.tolist() == [2]


def test_hardest_takes_what_scores_above_the_ceiling_for_false_negatives() -> None:
    bank, query = MemoryBank(4, 2), torch.tensor([[1.0, 0.0]])
    bank.enqueue(torch.tensor([[1.0, 0.0], [1.0, 1.0], [0.0, 1.0]]), torch.tensor([1, 2, 3]))
    found = bank.hardest(query, torch.tensor([0]), k=3, ceiling=torch.tensor([0.8]))
    assert found.key.tolist() == [1, 2]


def test_hardest_gives_equal_scores_in_the_order_of_their_slots() -> None:
    bank = MemoryBank(4, 2)
    bank.enqueue(torch.ones(4, 2), torch.tensor([1, 2, 3, 4]))
    assert bank.hardest(torch.ones(1, 2), torch.tensor([0]), k=2).key.tolist() == [0, 1]


def memory(query: list[int], key: list[int], score: list[float]) -> Negatives:
    """Negatives as a bank returns them."""
    n = len(query)
    return Negatives(
        torch.tensor(query), torch.tensor(key), torch.tensor(score), torch.arange(n), torch.full((n,), 2).byte()
    )


def test_weigh_multiplies_evidence_hardness_and_age() -> None:
    bank = MemoryBank(4, WIDTH)
    bank.enqueue(torch.ones(2, WIDTH), torch.tensor([1, 2]), weights=torch.tensor([3.0, 1.0]))
    bank.advance(10)
    bank.enqueue(torch.ones(1, WIDTH), torch.tensor([3]))
    bank.advance(5)
    negatives = memory([0, 0, 1], [0, 2, 1], [0.9, 0.5, 0.1])
    # Query 0: exp(9) and exp(5) over their mean; query 1 has one negative, whose hardness is 1.
    easy, hard = torch.exp(torch.tensor(5.0)), torch.exp(torch.tensor(9.0))
    mean = (easy + hard) / 2
    expected = torch.stack([3 * hard / mean * 0.5**1.5, easy / mean * 0.5**0.5, torch.tensor(0.5**1.5)])
    torch.testing.assert_close(bank.weigh(negatives, Weighting(hardness_temperature=0.1, half_life=10)), expected)


def test_weigh_with_everything_turned_off_is_the_evidence() -> None:
    bank = MemoryBank(2, WIDTH)
    bank.enqueue(torch.ones(2, WIDTH), torch.tensor([1, 2]), weights=torch.tensor([3.0, 0.0]))
    bank.advance(100)
    off = Weighting(hardness_temperature=float("inf"), half_life=float("inf"))
    assert bank.weigh(memory([0, 0], [0, 1], [0.9, 0.1]), off).tolist() == [3.0, 0.0]


@few
@given(st.floats(1e-4, 10), st.integers(0, 99))
def test_weigh_has_a_mean_hardness_of_one(temperature: float, seed: int) -> None:
    bank = bank_of([1, 2, 3, 4, 5])
    found = bank.hardest(random_vectors(3, WIDTH, seed), torch.tensor([1, 9, 2]), k=4)
    weights = bank.weigh(found, Weighting(hardness_temperature=temperature))
    for query in range(3):
        mine = weights[found.query == query]
        assert float(mine.mean()) == pytest.approx(1, rel=1e-4)
        assert mine.tolist() == sorted(mine.tolist(), reverse=True)


@pytest.mark.parametrize("options", [{"hardness_temperature": 0.0}, {"half_life": -1.0}])
def test_weighting_refuses_what_is_out_of_range(options: dict[str, float]) -> None:
    with pytest.raises(SettingError, match="expected a number > 0"):
        Weighting(**options)


def test_measure_drift_is_the_mean_cosine_distance() -> None:
    bank = bank_of([1, 2, 3])
    assert bank.measure_drift(lambda items: bank.vectors[items] * 3) == pytest.approx(0, abs=1e-6)
    assert bank.measure_drift(lambda items: -bank.vectors[items]) == pytest.approx(2)
    turned = torch.where(torch.arange(3)[:, None] == 1, -1.0, 1.0)
    assert bank.measure_drift(lambda items: bank.vectors[items] * turned[items]) == pytest.approx(2 / 3)


def test_measure_drift_looks_at_a_sample_of_what_can_be_encoded() -> None:
    bank, asked = bank_of([1, 2, 3]), []
    bank.enqueue(random_vectors(3, WIDTH, 1), torch.tensor([4, 5, 6]))

    def encode(items: Tensor) -> Tensor:
        asked.extend(items.tolist())
        return bank.vectors[items]

    bank.measure_drift(encode, n_sample=2)
    assert len(set(asked)) == 2
    assert set(asked) <= {0, 1, 2}


def test_measure_drift_without_anything_to_encode_is_zero() -> None:
    assert MemoryBank(2, WIDTH).measure_drift(lambda items: torch.zeros(len(items), WIDTH)) == 0


def test_refresh_replaces_drifted_vectors_and_keeps_their_age() -> None:
    bank = bank_of([1, 2, 3])
    bank.advance(4)
    fresh = -bank.vectors.clone()
    outcome = bank.refresh(lambda items: fresh[items], max_drift=0.5, version=9, batch_size=2)
    assert outcome.n_refreshed == 3
    assert outcome.drift == pytest.approx(2)
    torch.testing.assert_close(bank.vectors, fresh)
    assert bank.entries().versions.tolist() == [9, 9, 9]
    assert bank.entries().ages.tolist() == [4, 4, 4]


def test_refresh_leaves_alone_what_has_not_drifted() -> None:
    bank = bank_of([1, 2, 3])
    before = bank.vectors.clone()
    assert bank.refresh(lambda items: before[items] + 1e-4, max_drift=0.5, version=9).n_refreshed == 0
    assert torch.equal(bank.vectors, before)
    assert bank.entries().versions.tolist() == [0, 0, 0]


def test_refresh_refuses_vectors_that_are_not_finite() -> None:
    bank = bank_of([1])
    with pytest.raises(EncoderError, match="not finite"):
        bank.refresh(lambda items: torch.full((len(items), WIDTH), torch.inf), max_drift=0.5, version=1)


def train(bank: MemoryBank, steps: range) -> list[Tensor]:
    """Steps that use all that a bank does; what they saw of it."""
    seen = []
    for step in steps:
        queries, concepts = random_vectors(3, WIDTH, step), torch.tensor([step % 3, step % 5, 4])
        found = bank.hardest(queries, concepts, k=3)
        weights = bank.weigh(found, Weighting(half_life=3))
        drift = bank.measure_drift(lambda items: bank.vectors[items % len(bank)], n_sample=2)
        bank.enqueue(queries, concepts, items=torch.arange(3) + step, weights=torch.rand(3), version=step)
        bank.advance()
        seen += [found.score, found.key, weights, torch.tensor(drift)]
    return seen


@few
@given(n_before=st.integers(0, 6))
def test_a_resumed_bank_goes_on_bit_for_bit(n_before: int) -> None:
    torch.manual_seed(3)
    bank = MemoryBank(7, WIDTH, seed=5)
    train(bank, range(n_before))
    resumed = MemoryBank.from_state(bank.state())
    torch.manual_seed(4)
    uninterrupted = train(bank, range(n_before, n_before + 5))
    torch.manual_seed(4)
    continued = train(resumed, range(n_before, n_before + 5))
    assert all(torch.equal(a, b) for a, b in zip(uninterrupted, continued, strict=True))
    assert all(torch.equal(tensor, resumed.state()[name]) for name, tensor in bank.state().items())


def test_state_is_a_copy() -> None:
    bank = bank_of([1, 2])
    state = bank.state()
    bank.enqueue(random_vectors(8, WIDTH, 0), torch.arange(8))
    assert MemoryBank.from_state(state).entries().concepts.tolist() == [1, 2]


def test_from_state_refuses_what_is_no_bank() -> None:
    state = bank_of([1]).state()
    with pytest.raises(ArtifactError, match="not the state of a memory bank"):
        MemoryBank.from_state({name: tensor for name, tensor in state.items() if name != "clock"})
    with pytest.raises(ArtifactError, match="weights are damaged; expected 8; got 2"):
        MemoryBank.from_state({**state, "weights": torch.ones(2)})


def test_a_saved_bank_is_loaded_whole(tmp_path: Path) -> None:
    bank = bank_of([1, 2, 3], capacity=2)
    bank.advance(3)
    save_bank(bank, tmp_path / "bank.safetensors")
    loaded = load_bank(tmp_path / "bank.safetensors")
    assert all(torch.equal(tensor, loaded.state()[name]) for name, tensor in bank.state().items())
    assert [path.name for path in tmp_path.iterdir()] == ["bank.safetensors"]


@pytest.mark.parametrize("content", [None, b"", b"not a bank"], ids=["missing", "empty", "damaged"])
def test_load_bank_refuses_a_file_that_is_no_bank(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "bank.safetensors"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ArtifactError, match="cannot be read"):
        load_bank(path)

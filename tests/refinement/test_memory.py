from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from medlink.contrastive.memory_bank import MemoryBank
from medlink.errors import ArtifactError
from medlink.linking.linker import Linker
from medlink.refinement.memory import Memory, MemoryNotes, fill_bank, read_memory, take_notes, write_memory
from medlink.refinement.settings import RefineSettings
from tests.refinement.tiny_teaching import PALATE, QUICK, SEIZURE, TAUGHT, Prepared, Said, prepare

FIRST, LATER = TAUGHT[:4], TAUGHT[4:]


def remember(prepared: Prepared, memory: Memory | None = None, settings: RefineSettings = QUICK) -> Memory:
    bank = fill_bank(prepared.material, prepared.ground, prepared.signals, settings, memory)
    return take_notes(bank, prepared.material, prepared.ground, prepared.signals)


def contents(memory: Memory) -> list[tuple[str, str, float, int]]:
    """Wording, concept, evidence and age of each entry, oldest first."""
    entries, notes = memory.bank.entries(), memory.notes
    return [
        (notes.wordings[item], notes.concepts[code], weight, age)
        for item, code, weight, age in zip(
            entries.items.tolist(), entries.concepts.tolist(), entries.weights.tolist(), entries.ages.tolist(),
            strict=True,
        )
    ]  # fmt: skip


def test_memory_holds_where_mentions_lay_and_what_is_known_of_them(prepared: Prepared) -> None:
    memory = remember(prepared)
    assert ("fits", SEIZURE, 2.0, 0) in contents(memory)
    assert ("hole in the roof of the mouth", PALATE, 1.0, 0) in contents(memory), "what was right counts once"
    assert len(contents(memory)) == 6, "NIL lies nowhere"
    assert memory.notes.seq == max(signal.seq for signal in prepared.signals)
    entries = memory.bank.entries()
    assert entries.vectors.allclose(prepared.material.wordings.vectors[entries.items])


def test_what_is_written_is_read_and_goes_on_bit_for_bit(prepared: Prepared, tmp_path: Path) -> None:
    memory = remember(prepared)
    write_memory(tmp_path, memory)
    again = read_memory(tmp_path)
    assert again.notes == memory.notes
    width = memory.bank.width
    for bank in (memory.bank, again.bank):
        bank.advance(2)
        bank.enqueue(torch.eye(width)[:3], torch.arange(3), items=torch.tensor([0, 1, 2]))
        bank.measure_drift(lambda items: torch.ones(len(items), width), n_sample=2)
    state, other = memory.bank.state(), again.bank.state()
    assert all(state[name].equal(other[name]) for name in state)


@pytest.mark.parametrize("damage", ["{", '{"concepts": [], "wordings": [], "seq": 0, "more": 1}'])
def test_damaged_memory_is_refused(prepared: Prepared, tmp_path: Path, damage: str) -> None:
    write_memory(tmp_path, remember(prepared))
    (tmp_path / "memory.json").write_text(damage, encoding="utf-8")
    with pytest.raises(ArtifactError, match="memory cannot be read"):
        read_memory(tmp_path)


def test_memory_passes_to_the_child_with_vectors_and_ages_and_takes_in_what_is_new(parent: Linker) -> None:
    first = remember(prepare(parent, FIRST))
    turned = first.bank.state()
    turned["vectors"] = turned["vectors"].roll(1, dims=1)  # as if the parent had been trained
    first = replace(first, bank=MemoryBank.from_state(turned))
    second = remember(prepare(parent, TAUGHT), first)
    old, new = contents(first), contents(second)
    assert [(w, c, e) for w, c, e, _ in new[: len(old)]] == [(w, c, e) for w, c, e, _ in old]
    assert [age for *_, age in new] == [1] * len(old) + [0] * (len(new) - len(old))
    assert [w for w, *_ in new[len(old) :]] == ["renal cyst", "hole in the roof of the mouth", "hard of hearing"]
    assert second.bank.entries().vectors[: len(old)].equal(first.bank.entries().vectors)
    third = remember(prepare(parent, TAUGHT), second)
    assert contents(third) == contents(second), "what it holds is not taken in again"


def test_ages_and_order_pass_over_generations(parent: Linker) -> None:
    memory = None
    for n in (2, 4, 6, 8):
        memory = remember(prepare(parent, TAUGHT[:n]), memory)
    assert memory is not None
    ages = [age for *_, age in contents(memory)]
    assert ages == sorted(ages, reverse=True)
    assert set(ages) == {3, 2, 1, 0}


def test_the_oldest_make_room(parent: Linker) -> None:
    small = QUICK.model_copy(update={"capacity": 4})
    memory = remember(prepare(parent, FIRST), settings=small)
    memory = remember(prepare(parent, TAUGHT), memory, small)
    assert [wording for wording, *_ in contents(memory)] == [
        "big kidneys",
        "renal cyst",
        "hole in the roof of the mouth",
        "hard of hearing",
    ]


def test_what_does_not_hold_any_more_is_forgotten(parent: Linker) -> None:
    memory = remember(prepare(parent, FIRST))
    # Somebody has thought better of the fits, and took back the kidneys.
    said = (Said("d1", "fits", PALATE, SEIZURE), Said("d2", "fits", PALATE, SEIZURE), TAUGHT[2])
    kept = contents(remember(prepare(parent, said), memory))
    assert {(wording, key) for wording, key, *_ in kept} == {("leaky mitral valve", "HP:0001653")}


def test_concepts_that_are_gone_are_forgotten(parent: Linker, prepared: Prepared) -> None:
    memory = remember(prepared)
    notes = memory.notes
    renamed = tuple("HP:9999999" if key == SEIZURE else key for key in notes.concepts)
    old = Memory(memory.bank, MemoryNotes(renamed, notes.wordings, notes.seq))
    kept = contents(remember(prepare(parent), old))
    assert SEIZURE not in {key for _, key, *_ in kept}
    assert len(kept) == 5


def test_memory_of_another_encoder_is_left_aside(prepared: Prepared) -> None:
    other = MemoryBank(4, 3)
    other.enqueue(torch.eye(3), torch.arange(3), items=torch.arange(3))
    notes = MemoryNotes(("a", "b", "c"), ("x", "y", "z"), 99)
    assert len(remember(prepared, Memory(other, notes)).bank) == 6

"""The memory that passes from release to release: where past mentions lay, and what they meant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from pydantic import ConfigDict, TypeAdapter, ValidationError

from medlink.contrastive.bank_file import load_bank, save_bank
from medlink.contrastive.memory_bank import MemoryBank
from medlink.errors import ArtifactError
from medlink.refinement.material import Ground, Material
from medlink.refinement.settings import RefineSettings
from medlink.refinement.signals import Signal
from medlink.store.release import MEMORY, MEMORY_NOTES


@dataclass(frozen=True, slots=True)
class MemoryNotes:
    """What a bank's numbers stand for.

    :param concepts: the concept of each code.
    :param wordings: the query of each item.
    :param seq: place in the ledger of the last lesson that is in it.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    concepts: tuple[str, ...]
    wordings: tuple[str, ...]
    seq: int


@dataclass(frozen=True, slots=True)
class Memory:
    """A bank of mentions with what its numbers stand for."""

    bank: MemoryBank
    notes: MemoryNotes


_NOTES = TypeAdapter(MemoryNotes)


def write_memory(folder: Path, memory: Memory) -> None:
    """Writes a memory into the folder of a release."""
    save_bank(memory.bank, folder / MEMORY)
    (folder / MEMORY_NOTES).write_bytes(_NOTES.dump_json(memory.notes) + b"\n")


def read_memory(folder: Path) -> Memory:
    """The memory in the folder of a release; it goes on bit for bit where that one stopped.

    :raises ArtifactError: when it is missing or damaged.
    """
    try:
        notes = _NOTES.validate_json((folder / MEMORY_NOTES).read_bytes())
    except (OSError, ValidationError) as error:
        raise ArtifactError("a memory cannot be read", where=str(folder), got=type(error).__name__) from error
    return Memory(load_bank(folder / MEMORY), notes)


def fill_bank(
    material: Material,
    ground: Ground,
    signals: Sequence[Signal],
    settings: RefineSettings,
    memory: Memory | None,
    *,
    human_evidence: float = 2.0,
) -> MemoryBank:
    """The bank to train against: what the parent remembered, then the mentions that came since, oldest first.

    An entry is where a mention lay, with what it means and its evidence: annotators' trust, and ``human_evidence``
    times that where the system had it wrong. What annotators no longer say is forgotten: entries whose wording does not
    mean their concept any more, or whose concept is gone.

    :param signals: all that hold, those that are in memory already among them.
    :param memory: the parent's; what its bank holds keeps its vectors and its age.
    """
    width = material.wordings.vectors.shape[1]
    bank = MemoryBank(settings.capacity, width, seed=settings.seed, device=material.wordings.vectors.device)
    item_of = {text: place for place, text in enumerate(material.wordings.texts)}
    known = {
        (signal.query, concept_id): _Numbers(item_of[signal.query], ground.code_of[concept_id])
        for signal in signals
        if (concept_id := signal.concept_id) and concept_id in ground.code_of
    }
    seq = -1
    if memory is not None and memory.bank.width == width:
        _carry_over(bank, memory, known)
        seq = memory.notes.seq
    new = [signal for signal in signals if signal.seq > seq and (signal.query, signal.concept_id) in known]
    if new:
        numbers = [known[signal.query, str(signal.concept_id)] for signal in new]
        items = torch.tensor([one.item for one in numbers])
        bank.advance()
        bank.enqueue(
            material.wordings.vectors[items.to(material.wordings.vectors.device)],
            torch.tensor([one.code for one in numbers]),
            items=items,
            weights=torch.tensor([signal.trust * (human_evidence if signal.changed else 1.0) for signal in new]),
        )
    return bank


def take_notes(bank: MemoryBank, material: Material, ground: Ground, signals: Sequence[Signal]) -> Memory:
    """The bank with what its numbers stand for."""
    seq = max((signal.seq for signal in signals), default=-1)
    return Memory(bank, MemoryNotes(ground.ids, material.wordings.texts, seq))


@dataclass(frozen=True, slots=True)
class _Numbers:
    """What stands for a wording and its concept in a bank."""

    item: int
    code: int


def _carry_over(bank: MemoryBank, memory: Memory, known: Mapping[tuple[str, str], _Numbers]) -> None:
    """Fills an empty bank with what still holds, oldest first, bit for bit as it was."""
    old = memory.bank.entries()
    pairs = [
        (memory.notes.wordings[item] if item >= 0 else "", memory.notes.concepts[code])
        for item, code in zip(old.items.tolist(), old.concepts.tolist(), strict=True)
    ]
    rows = [row for row, pair in enumerate(pairs) if pair in known][-bank.capacity :]
    numbers = [known[pairs[row]] for row in rows]
    ages = old.ages[rows]
    oldest = int(ages.max()) if rows else 0
    state = bank.state()
    for name, values in (
        ("vectors", old.vectors[rows]),
        ("concepts", torch.tensor([one.code for one in numbers])),
        ("items", torch.tensor([one.item for one in numbers])),
        ("weights", old.weights[rows]),
        ("born", oldest - ages),
        ("versions", old.versions[rows]),
    ):
        state[name][: len(rows)] = values
    progress = {"next": len(rows) % bank.capacity, "size": len(rows), "clock": oldest}
    bank.restore(state | {name: torch.tensor(value) for name, value in progress.items()})

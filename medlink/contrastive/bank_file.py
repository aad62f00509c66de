"""A memory bank as a safetensors file."""

from __future__ import annotations

import os
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from medlink.contrastive.memory_bank import MemoryBank
from medlink.errors import ArtifactError


def save_bank(bank: MemoryBank, path: Path) -> None:
    """Write the bank's state to ``path``: whole or not at all."""
    beside = path.with_name(f"{path.name}.part")
    save_file({name: tensor.contiguous() for name, tensor in bank.state().items()}, beside)
    os.replace(beside, path)


def load_bank(path: Path, *, device: torch.device | str | None = None) -> MemoryBank:
    """The bank that :func:`save_bank` wrote; it goes on bit for bit where that one stopped.

    :raises ArtifactError: when the file is missing, damaged, or no bank's.
    """
    try:
        state = load_file(path)
    except (OSError, SafetensorError) as error:
        raise ArtifactError("a memory bank cannot be read", where=str(path), got=str(error)) from error
    return MemoryBank.from_state(state, device=device)

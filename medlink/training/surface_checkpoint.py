"""A surface tower's training as a safetensors file, from which it goes on bit for bit."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from medlink.errors import ArtifactError, SettingError


@dataclass(frozen=True, slots=True, eq=False)
class TrainingState:
    """All that the next step depends on; batches follow from the seed and the step.

    :param n_done: steps done.
    :param table: *Shape:* (n_buckets, width).
    :param squares: the optimizer's sums. *Shape:* (n_buckets,).
    :param neighbours: *Shape:* (n_concepts, n_group), int64; ``None`` until mined.
    """

    n_done: int
    table: Tensor
    squares: Tensor
    neighbours: NDArray[np.int64] | None


def save_state(state: TrainingState, path: Path, *, run: str) -> None:
    """Writes the state: whole or not at all.

    :param run: settings and data; a state is read only for the same.
    """
    tensors = {"table": state.table, "squares": state.squares}
    if state.neighbours is not None:
        tensors["neighbours"] = torch.from_numpy(state.neighbours)
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f"{path.name}.part")
    save_file(tensors, beside, metadata={"n_done": str(state.n_done), "run": _digest(run)})
    os.replace(beside, path)


def load_state(path: Path, *, run: str) -> TrainingState:
    """The state that :func:`save_state` wrote.

    :raises ArtifactError: when the file is damaged or holds no such state.
    :raises SettingError: when it is of other settings or data.
    """
    try:
        with safe_open(path, framework="pt") as stored:
            facts = stored.metadata() or {}
            tensors = {name: stored.get_tensor(name) for name in stored.keys()}
            n_done, found = int(facts["n_done"]), facts["run"]
            table, squares = tensors["table"], tensors["squares"]
    except (OSError, SafetensorError, KeyError, ValueError) as error:
        raise ArtifactError("a checkpoint cannot be read", where=str(path), got=type(error).__name__) from error
    if found != _digest(run):
        raise SettingError(
            "this checkpoint is of other settings or data", where=str(path), hint="Remove it, or name another file."
        )
    neighbours = tensors["neighbours"].numpy() if "neighbours" in tensors else None
    return TrainingState(n_done, table, squares, neighbours)


def _digest(run: str) -> str:
    return hashlib.sha256(run.encode()).hexdigest()

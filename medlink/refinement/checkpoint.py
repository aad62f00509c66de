"""Checkpoints of a refinement's training, so that one that was cut off goes on exactly; whole or not at all."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save_file
from torch import Tensor

from medlink import __version__
from medlink.errors import SettingError
from medlink.store.artifacts import Facts, read_manifest, write_artifact

KIND = "refinement-checkpoint.v1"
_TENSORS, _PROGRESS = "state.safetensors", "progress.json"


@dataclass(frozen=True, slots=True, eq=False)
class State:
    """How far a training is.

    :param tensors: by name.
    :param progress: plain numbers and texts beside them, such as the state of a generator of random numbers.
    """

    tensors: Mapping[str, Tensor]
    progress: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Saving:
    """Where the state of a training is kept.

    :param folder: of the one checkpoint, which each later one replaces.
    :param resume: go on from what is there; otherwise it is removed.
    :param every: steps from one checkpoint to the next.
    :raises SettingError: when ``every`` is not above 0.
    """

    folder: Path
    resume: bool = False
    every: int = 10

    def __post_init__(self) -> None:
        if self.every < 1:
            raise SettingError(
                "checkpoints are some steps apart", where="every", expected="1 or more", got=f"{self.every}"
            )


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The checkpoint of one training.

    :param origin: a hash of all that the course of the training depends on.
    """

    saving: Saving
    origin: str

    def begin(self) -> State | None:
        """The state to go on from; ``None`` where the training begins.

        :raises ArtifactError: when what is there is damaged.
        :raises SettingError: when it is of a training that was begun otherwise.
        """
        folder = self.saving.folder
        if not folder.exists():
            return None
        if not self.saving.resume:
            shutil.rmtree(folder)
            return None
        facts = read_manifest(folder, kind=KIND).facts
        if facts["origin"] != self.origin:
            raise SettingError(
                "this refinement was begun otherwise",
                where=str(folder),
                expected="the same ledger, settings and release",
                hint="Begin anew, without --resume.",
            )
        progress = json.loads((folder / _PROGRESS).read_text(encoding="utf-8"))
        return State(load_file(folder / _TENSORS), progress)

    def is_due(self, n_done: int) -> bool:
        """Whether a state is to be kept after so many steps."""
        return n_done % self.saving.every == 0

    def save(self, state: State) -> None:
        """Keeps a state in place of the one before."""

        def fill(target: Path) -> Facts:
            ready = {name: tensor.detach().cpu().clone().contiguous() for name, tensor in state.tensors.items()}
            save_file(ready, target / _TENSORS)
            (target / _PROGRESS).write_text(json.dumps(state.progress), encoding="utf-8")
            return {"medlink": __version__, "origin": self.origin}

        self.saving.folder.parent.mkdir(parents=True, exist_ok=True)
        write_artifact(self.saving.folder, fill, kind=KIND)

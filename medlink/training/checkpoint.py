"""Checkpoints: a folder with all that a training needs to go on exactly; written whole or not at all."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict
from safetensors.torch import load_file, save_file
from torch import Tensor

from medlink import __version__
from medlink.errors import SettingError
from medlink.store.artifacts import Facts, read_manifest, write_artifact
from medlink.training.recipe import Recipe
from medlink.training.trainer import Trainer

KIND = "training-checkpoint.v1"


class Origin(BaseModel):
    """What the course of a training depends on: it goes on exactly only where all of it is the same.

    :param ontologies: hash of their contents.
    :param dtype: in which it computes.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    recipe: Recipe
    ontologies: str
    dtype: str

    @classmethod
    def of(cls, trainer: Trainer) -> Origin:
        """The origin of a training."""
        content_hash, dtype = trainer.sampler.corpus.content_hash, trainer.encoder.dtype
        return cls(recipe=trainer.recipe, ontologies=content_hash, dtype=dtype)


class Progress(BaseModel):
    """How far a training is, beside what it learned.

    :param n_done: steps.
    :param n_bad: bad looks of the collapse guard in a row.
    :param first_accuracy: on the dev set before the first step.
    :param best_accuracy: on the dev set so far; what is kept has it.
    :param best_step: after which it was reached.
    :param n_worse: evaluations since then.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    n_done: int = 0
    n_bad: int = 0
    first_accuracy: float = 0.0
    best_accuracy: float = -1.0
    best_step: int = 0
    n_worse: int = 0


def save_checkpoint(folder: Path, trainer: Trainer, progress: Progress) -> None:
    """Write the checkpoint in place of the one before."""

    def fill(target: Path) -> Facts:
        save_file(_ready(trainer.encoder.module.state_dict()), target / "encoder.safetensors")
        save_file(_ready(trainer.objective.state()), target / "objective.safetensors")
        save_file(_ready(trainer.optimiser.state()), target / "optimiser.safetensors")
        save_file(_ready(_mined(trainer)), target / "sampler.safetensors")
        (target / "progress.json").write_text(progress.model_dump_json(), encoding="utf-8")
        (target / "origin.json").write_text(Origin.of(trainer).model_dump_json(), encoding="utf-8")
        return {"medlink": __version__, "n_done": progress.n_done}

    write_artifact(folder, fill, kind=KIND)


def load_checkpoint(folder: Path, trainer: Trainer) -> Progress:
    """Bring the trainer to where the checkpoint was written, and say how far that was.

    :raises ArtifactError: when the folder is damaged.
    :raises SettingError: when it was written under another recipe, from other ontologies, or in another dtype.
    """
    read_manifest(folder, kind=KIND)
    stored = Origin.model_validate_json((folder / "origin.json").read_text(encoding="utf-8"))
    if different := [
        name for name in Origin.model_fields if getattr(stored, name) != getattr(Origin.of(trainer), name)
    ]:
        raise SettingError(
            "this training was begun otherwise",
            where=str(folder.parent),
            got=f"differences in {', '.join(different)}",
            hint="Resume with what it was begun with, or begin anew in another folder.",
        )
    progress = Progress.model_validate_json((folder / "progress.json").read_text(encoding="utf-8"))
    trainer.encoder.module.load_state_dict(load_file(folder / "encoder.safetensors"))
    trainer.objective.load_state(load_file(folder / "objective.safetensors"))
    trainer.optimiser.load_state(load_file(folder / "optimiser.safetensors"))
    trainer.sampler.neighbours = load_file(folder / "sampler.safetensors").get("neighbours")
    trainer.n_done, trainer.watch.n_bad = progress.n_done, progress.n_bad
    return progress


def _mined(trainer: Trainer) -> dict[str, Tensor]:
    """The neighbourhoods, where some have been mined."""
    neighbours = trainer.sampler.neighbours
    return {} if neighbours is None else {"neighbours": neighbours}


def _ready(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Copies that share no memory, as safetensors wants them."""
    return {name: tensor.detach().clone().contiguous() for name, tensor in state.items()}

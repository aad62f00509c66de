"""One training of a surface tower: from lexicons to a folder with the encoder and what its training told."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from medlink.encoder.surface import SurfaceEncoder, write_surface
from medlink.encoder.surface_tower import SurfaceTower
from medlink.ontology.lexicon import Lexicon
from medlink.training.held_out import HeldOut, hold_out, share_found
from medlink.training.surface_recipe import SurfaceRecipe
from medlink.training.surface_training import StepResult, SurfaceTrainer
from medlink.training.synonyms import Synonyms, tabulate_synonyms


@dataclass(frozen=True, slots=True)
class SurfaceReport:
    """What a training was worth.

    :param data_hash: hex sha256 of the synonyms that were trained on.
    :param at_random: the share of held-out names that the untrained tower finds, in [0, 1]; ``None`` if none were kept.
    :param trained: the share that the tower finds after training.
    :param stored: the share that it finds as it was written, in fewer bits.
    """

    n_concepts: int
    n_names: int
    n_held_out: int
    data_hash: str
    at_random: float | None
    trained: float | None
    stored: float | None


def make_surface_tower(
    recipe: SurfaceRecipe,
    lexicons: Sequence[Lexicon],
    folder: Path,
    *,
    checkpoint: Path | None = None,
    show_progress: bool = False,
) -> SurfaceReport:
    """The report on a tower that was trained by a recipe and written into a folder.

    Beside the encoder lie ``recipe.json``, ``report.json`` and ``steps.jsonl``, to which each step adds a line (a
    step that is done again after a break adds another).

    :param lexicons: of the recipe's ontologies, in their order.
    :param checkpoint: where the training is kept, and taken up again if it was broken off.
    """
    synonyms = tabulate_synonyms(lexicons, [source.weight for source in recipe.ontologies])
    held_out: HeldOut | None = None
    if recipe.held_out > 0:
        synonyms, held_out = hold_out(synonyms, recipe.held_out, seed=recipe.train.seed)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "recipe.json").write_text(recipe.model_dump_json(indent=2) + "\n", encoding="utf-8")
    with (folder / "steps.jsonl").open("a", encoding="utf-8") as stream:

        def record(result: StepResult) -> None:
            stream.write(json.dumps(asdict(result)) + "\n")

        trainer = SurfaceTrainer(synonyms, recipe.features, training=recipe.train, on_step=record)
        at_random = _score(trainer.tower, held_out, synonyms)
        tower = trainer.run(checkpoint=checkpoint, show_progress=show_progress)
    write_surface(folder, tower.table, recipe.features, bits=recipe.bits)
    report = SurfaceReport(
        n_concepts=synonyms.n_concepts,
        n_names=len(synonyms.names),
        n_held_out=len(held_out.names) if held_out else 0,
        data_hash=synonyms.content_hash(),
        at_random=at_random,
        trained=_score(tower, held_out, synonyms),
        stored=_score(SurfaceEncoder(folder), held_out, synonyms),
    )
    (folder / "report.json").write_text(json.dumps(asdict(report), indent=2) + "\n", encoding="utf-8")
    return report


def _score(encoder: SurfaceEncoder | SurfaceTower, held_out: HeldOut | None, synonyms: Synonyms) -> float | None:
    return None if held_out is None else share_found(encoder.encode, held_out, synonyms)

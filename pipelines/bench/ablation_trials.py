"""The rows of the ablation: which objectives and losses, with which settings, and what all of them share."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from medlink.training.recipe import Recipe, read_recipe

RECIPES = Path(__file__).parents[1] / "recipes"
SEED = 0
DTYPE = "bfloat16"


@dataclass(frozen=True, slots=True)
class Trial:
    """What makes a row.

    :param recipe: a file of ``pipelines/recipes``.
    :param overrides: what is changed in it, after what all rows have in common.
    :param remark: for the table.
    """

    name: str
    recipe: str
    overrides: tuple[str, ...] = ()
    remark: str = ""


@dataclass(frozen=True, slots=True)
class Budget:
    """What all rows have in common.

    :param encoder: the default one or a folder.
    :param dev_share: of the synonyms that are held out.
    :param n_queries: held-out names that are looked up, at most.
    :param n_names: names among which they are looked up, at most.
    """

    steps: int = 60
    batch_size: int = 64
    learning_rate: float = 2e-4
    ontology: str = "hpo"
    encoder: str = "minilm"
    dev_share: float = 0.05
    n_queries: int = 1000
    n_names: int = 8000


def _pair_loss(name: str, remark: str, *, cosine: bool = True, **options: float) -> Trial:
    """The row of a pair loss: the recipe of ``supcon``, which has the synonyms, with another objective."""
    listed = ", ".join(f"{option} = {value}" for option, value in options.items())
    written = f'{{ loss = "{name}", options = {{ {listed} }}, cosine = {str(cosine).lower()} }}'
    return Trial(name, "supcon", ("objective.name=in_batch", f"objective.options={written}"), remark)


TRIALS = (
    Trial("no training", "supcon", ("train.steps=1", "train.learning_rate=0", "train.head_rate=0")),
    Trial("simclr", "simclr", (), "temperature 0.1, head of 128"),
    Trial("moco", "moco", (), "temperature 0.07, queue 4,096, momentum 0.99"),
    Trial("clip", "clip", (), "learned temperature from 0.07"),
    Trial("byol", "byol", (), "momentum 0.99, spread 0.1"),
    Trial("supcon", "supcon", (), "temperature 0.05"),
    Trial(
        "sapbert",
        "sapbert",
        ('data.augmentation=["typo", "reorder", "inflect", "spelling", "numerals"]', "data.augmented=0.15"),
        "mined, margin 0.2; α 2, β 50, λ 0.5",
    ),
    Trial("retroactive", "retroactive", (), "α 0.5, temperature 0.05, 16 of 4,096"),
    _pair_loss("contrastive", "margin 1", margin=1.0),
    _pair_loss("triplet", "margin 0.2", margin=0.2),
    _pair_loss("n_pair", "inner products", cosine=False),
    _pair_loss("info_nce", "temperature 0.05", temperature=0.05),
    _pair_loss("logistic", "scale 10, bias -10", scale=10.0, bias=-10.0),
    _pair_loss("supervised_contrastive", "temperature 0.1", temperature=0.1),
    _pair_loss("multi_similarity", "α 2, β 50, λ 0.5, not mined", alpha=2.0, beta=50.0, base=0.5),
    _pair_loss("synonym_marginalisation", "inner products", cosine=False, temperature=1.0),
)


def recipe_of(trial: Trial, budget: Budget) -> Recipe:
    """The recipe of a row.

    Its own looks at the dev set are kept tiny: the figures come from one look at the end, at the last weights and not
    at the best ones, so that an objective which unlearns is seen to.
    """
    common = (
        f"data.ontologies={json.dumps([budget.ontology])}",
        f"data.dev_share={budget.dev_share}",
        "data.dev_queries=8",
        "data.dev_names=64",
        "data.group=8",
        f"encoder.name={json.dumps(budget.encoder)}",
        f"train.steps={budget.steps}",
        f"train.batch_size={budget.batch_size}",
        f"train.chunk_size={budget.batch_size}",
        f"train.learning_rate={budget.learning_rate}",
        f"train.seed={SEED}",
        f"train.dtype={DTYPE}",
        f"train.evaluate_every={budget.steps}",
        f"train.checkpoint_every={budget.steps}",
        "guard.every=5",
    )
    return read_recipe(RECIPES / f"{trial.recipe}.toml", (*common, *trial.overrides))

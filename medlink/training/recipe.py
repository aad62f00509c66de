"""Recipes: the settings of a training, read from TOML, overridden on the command line, checked before anything runs."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, ValidationError, model_validator

from medlink.encoder.default import MINILM
from medlink.encoder.ngram_features import FeatureSettings
from medlink.errors import SettingError

Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]
Value = bool | int | float | str | dict[str, float]


class Section(BaseModel):
    """A part of a recipe: frozen, and unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class DataSection(Section):
    """From which names pairs are made, and which names are kept back to measure.

    :param ontologies: names in the catalogue or files; those of the catalogue are cut to their default branch.
    :param weights: with ``draw = "weighted"``, how often a concept of each ontology is drawn; none are all alike.
    :param pairs: ``synonyms``: two names of a concept; ``views``: one name twice, each time augmented;
        ``definitions``: a name, and the preferred name with the definition.
    :param scopes: of the names that count as synonyms.
    :param augmentation: operations of ``medlink.contrastive.augmentation.OPERATIONS``.
    :param augmented: share of the texts that are augmented; with ``views``, of each side.
    :param draw: ``epoch``: each concept once before any comes again; ``weighted``: concepts of many names more often,
        and with ``pairs = "synonyms"`` those of a single one too, beside an augmented variant of it.
    :param group: concepts that stand together in a batch because their names are alike; 1 mixes at random.
    :param mine_at: steps before which each concept's neighbourhood is found anew with the encoder as it is then.
    :param n_group: concepts of a neighbourhood, the one that it is of among them.
    :param near_share: share of a batch that neighbourhoods fill once they have been found.
    :param spare_lineage: whether a concept's ancestors and descendants must not repel it; concepts that share a name
        never do.
    :param dev_share: share of the synonyms that are held out, chosen by hash.
    :param dev_queries: held-out names that are looked up at each evaluation, at most.
    :param dev_names: names among which they are looked up, at most.
    """

    ontologies: Annotated[tuple[str, ...], Field(min_length=1)] = ("hpo",)
    weights: tuple[Annotated[float, Field(gt=0, allow_inf_nan=False)], ...] = ()
    pairs: Literal["synonyms", "views", "definitions"] = "synonyms"
    scopes: tuple[Literal["PREFERRED", "EXACT", "NARROW", "BROAD", "RELATED"], ...] = ("PREFERRED", "EXACT")
    augmentation: tuple[str, ...] = ()
    augmented: Share = 0.15
    draw: Literal["epoch", "weighted"] = "epoch"
    group: Count = 1
    mine_at: tuple[Annotated[int, Field(ge=0)], ...] = ()
    n_group: Annotated[int, Field(ge=2)] = 8
    near_share: Share = 0.25
    spare_lineage: bool = False
    dev_share: Share = 0.05
    dev_queries: Count = 500
    dev_names: Count = 5000

    @model_validator(mode="after")
    def _check_weights(self) -> DataSection:
        if self.weights and len(self.weights) != len(self.ontologies):
            raise ValueError("there must be a weight for each of `ontologies`, or none")
        if self.weights and self.draw != "weighted":
            raise ValueError('`weights` need `draw = "weighted"`')
        return self


class TransformerSection(Section):
    """A transformer to train.

    :param name: ``minilm``, or a Hugging Face folder.
    :param frozen: 0 trains everything, 1 leaves the embeddings, 1 + n the embeddings and the first n layers.
    """

    kind: Literal["transformer"] = "transformer"
    name: str = MINILM
    pooling: Literal["mean", "first"] = "mean"
    max_length: Count = 32
    frozen: Annotated[int, Field(ge=0)] = 0


class SurfaceSection(Section):
    """A surface tower to train.

    :param name: a folder with the surface tower to go on from; none begins with random vectors.
    :param features: what is hashed.
    :param width: numbers in a vector.
    :param bits: a number of the table that is written, 4 or 8.
    """

    kind: Literal["surface"] = "surface"
    name: str = ""
    features: FeatureSettings = FeatureSettings()
    width: Annotated[int, Field(ge=2)] = 256
    bits: Literal[4, 8] = 8


def _kind_of(encoder: object) -> object:
    """The kind that an encoder's section is of; a transformer where it says nothing."""
    return encoder.get("kind", "transformer") if isinstance(encoder, dict) else getattr(encoder, "kind", None)


EncoderSection = Annotated[
    Annotated[TransformerSection, Tag("transformer")] | Annotated[SurfaceSection, Tag("surface")],
    Discriminator(_kind_of),
]


class ObjectiveSection(Section):
    """What is learned.

    :param name: of ``medlink.contrastive.objectives.registry.OBJECTIVES``.
    :param options: its settings that differ from their defaults.
    :param spread: weight of a variance and covariance penalty; 0 for none.
    """

    name: str
    options: dict[str, Value] = {}
    spread: Annotated[float, Field(ge=0)] = 0.0


class TrainSection(Section):
    """How it is learned.

    :param batch_size: pairs a step.
    :param chunk_size: texts that are encoded with a graph at a time; the gradient is that of the whole batch.
    :param learning_rate: of the top layer by AdamW, or of a surface tower's rows by row-wise Adagrad.
    :param head_rate: the rate of what the objective learns itself: heads, predictor, temperature.
    :param layer_decay: each layer learns at this share of the rate of the one above it; 1 is one rate for all.
    :param warmup: share of the steps in which the rate rises on a straight line.
    :param decline: from where it falls to 0 on a straight line: ``after_warmup``, or ``from_start``, as a factor.
    :param clip: greatest norm of the gradient, less that of a surface tower's rows, whose steps know no scale.
    :param dtype: ``auto`` is ``bfloat16`` where this machine computes fastest in it, else ``float32``.
    :param evaluate_every: steps between looks at the dev set.
    :param patience: looks without a gain after which training ends early; 0 for never.
    """

    steps: Count = 900
    batch_size: Annotated[int, Field(ge=2)] = 256
    chunk_size: Count = 256
    learning_rate: Annotated[float, Field(ge=0)] = 3e-4
    head_rate: Annotated[float, Field(ge=0)] = 1e-3
    layer_decay: Annotated[float, Field(gt=0, le=1)] = 0.9
    warmup: Share = 0.1
    decline: Literal["after_warmup", "from_start"] = "after_warmup"
    weight_decay: Annotated[float, Field(ge=0)] = 0.01
    clip: Annotated[float, Field(gt=0)] = 1.0
    seed: int = 0
    dtype: Literal["auto", "float32", "bfloat16"] = "auto"
    evaluate_every: Count = 100
    checkpoint_every: Count = 100
    patience: Annotated[int, Field(ge=0)] = 0


class GuardSection(Section):
    """When a representation counts as collapsed; see ``medlink.contrastive.diagnostics.CollapseGuard``.

    :param every: steps between looks.
    :param patience: bad looks in a row that end the training.
    """

    every: Count = 10
    patience: Count = 3
    lowest_rank_share: Share = 0.05
    lowest_spread: Share = 0.1
    highest_uniformity: Annotated[float, Field(ge=-8, le=0)] = -0.1


class Recipe(Section):
    """All settings of a training; the same recipe, data and device give the same encoder."""

    data: DataSection = DataSection()
    encoder: EncoderSection = TransformerSection()
    objective: ObjectiveSection
    train: TrainSection = TrainSection()
    guard: GuardSection = GuardSection()


def read_recipe(path: Path, overrides: Sequence[str] = ()) -> Recipe:
    """The recipe in a TOML file, with some settings replaced.

    :param overrides: such as ``train.batch_size=64``; values are written as in TOML, plain words without quotes.
    :raises SettingError: when the file or an override is no recipe's; names the key.
    """
    try:
        settings = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingError("the recipe cannot be read", where=str(path), got=str(error)) from error
    for override in overrides:
        _set(settings, override)
    return check_recipe(settings, where=str(path))


def check_recipe(settings: Mapping[str, Any], *, where: str) -> Recipe:
    """The recipe that these settings make.

    :raises SettingError: when a key is unknown or a value is out of its range; names the first and counts all.
    """
    try:
        return Recipe.model_validate(settings)
    except ValidationError as error:
        first, n_more = error.errors()[0], error.error_count() - 1
        raise SettingError(
            f"{_key(first['loc'])}: {first['msg'].lower()}",
            where=where,
            got=repr(first["input"]) + (f", and {n_more} more" if n_more else ""),
        ) from error


def _key(place: Sequence[int | str]) -> str:
    """A setting as a recipe calls it: without the encoder's kind, which stands in pydantic's paths but in no key."""
    section, *rest = map(str, place)
    return ".".join([section, *rest[1:]] if section == "encoder" and len(rest) > 1 else [section, *rest])


def _set(settings: dict[str, Any], override: str) -> None:
    """Replaces one setting in place."""
    key, equals, value = override.partition("=")
    *sections, name = key.strip().split(".")
    if not equals or not sections or not name:
        raise SettingError("this is no override", expected="SECTION.KEY=VALUE", got=repr(override))
    for section in sections:
        settings = settings.setdefault(section, {})
        if not isinstance(settings, dict):
            raise SettingError("this is no override", where=key, expected="the key of a section", got=repr(override))
    settings[name] = _parse(value.strip())


def _parse(value: str) -> object:
    """A TOML value, or the word itself: ``--set encoder.name=minilm`` needs no quotes.

    >>> _parse("64"), _parse("[1, 2]"), _parse("minilm")
    (64, [1, 2], 'minilm')
    """
    try:
        return tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        return value

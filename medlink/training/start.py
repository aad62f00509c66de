"""With what a training starts: the encoder that a recipe names, ready to be trained; and how it is opened again."""

from __future__ import annotations

from pathlib import Path

from medlink.encoder.loading import load_encoder, open_encoder
from medlink.encoder.protocol import Encoder
from medlink.encoder.surface import SurfaceEncoder
from medlink.encoder.surface_tower import SurfaceTower
from medlink.encoder.trainable import TrainableEncoder
from medlink.encoder.transformer import EncoderSettings, TransformerEncoder, fastest_dtype
from medlink.encoder.transformer_tower import TowerSettings, TransformerTower
from medlink.errors import EncoderError, SettingError
from medlink.training.corpus import Corpus
from medlink.training.recipe import Recipe, SurfaceSection, TransformerSection


def make_encoder(recipe: Recipe, corpus: Corpus, *, device: str) -> TrainableEncoder:
    """The encoder of a recipe, on the CPU.

    :param corpus: whose names tell a new surface tower which features are rare.
    :param device: where it will compute.
    :raises EncoderError: when there is none of that name, or it is of another kind than the recipe says.
    :raises SettingError: when it cannot compute in the recipe's dtype, or nothing of it would be trained.
    """
    section, dtype = recipe.encoder, recipe.train.dtype
    if isinstance(section, TransformerSection):
        return _make_transformer(section, fastest_dtype(device) if dtype == "auto" else dtype)
    if dtype == "bfloat16":
        raise SettingError("a surface tower computes in float32", where="train.dtype", expected="auto", got=dtype)
    if section.name:
        return _continue_surface(section)
    names = [name for entry in corpus.entries for name in entry.normal]
    return SurfaceTower.at_random(
        section.features, names, width=section.width, seed=recipe.train.seed, bits=section.bits
    )


def open_trained(folder: Path, section: TransformerSection | SurfaceSection, *, device: str) -> Encoder:
    """The encoder that a training of this section wrote, as it is used later."""
    if isinstance(section, SurfaceSection):
        return open_encoder(folder)
    return open_encoder(folder, EncoderSettings(section.pooling, section.max_length, device))


def _make_transformer(section: TransformerSection, dtype: str) -> TransformerTower:
    start = load_encoder(section.name)
    if not isinstance(start, TransformerEncoder):
        raise EncoderError("this recipe trains a transformer", where=section.name, got=type(start).__name__)
    tower = TransformerTower(start.folder, TowerSettings(section.pooling, section.max_length, dtype))
    tower.freeze(section.frozen)
    return tower


def _continue_surface(section: SurfaceSection) -> SurfaceTower:
    start = load_encoder(section.name)
    if not isinstance(start, SurfaceEncoder):
        raise EncoderError("this recipe trains a surface tower", where=section.name, got=type(start).__name__)
    stored, stated = (start.config.features, start.width), (section.features, section.width)
    if stored != stated:
        raise EncoderError(
            "this surface tower has other features or another width than the recipe",
            where=section.name,
            expected=f"{stated[0]}, width {stated[1]}",
            got=f"{stored[0]}, width {stored[1]}",
        )
    return SurfaceTower.of(start, bits=section.bits)

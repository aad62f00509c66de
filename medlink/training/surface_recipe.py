"""The recipe of a surface tower: a TOML file that says what it learns from and how."""

from __future__ import annotations

import tomllib
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from medlink.encoder.ngram_features import FeatureSettings
from medlink.errors import SettingError
from medlink.training.surface_training import SurfaceTraining


class OntologySource(BaseModel):
    """An ontology of the catalogue.

    :param weight: how often its concepts are drawn, beside those of others.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    weight: float = Field(default=1.0, gt=0)


class SurfaceRecipe(BaseModel):
    """All that makes a surface tower.

    :param held_out: the share of the concepts that can spare a name of which one is kept from training, for scoring.
    :param bits: a number of the table that is written, 4 or 8.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    ontologies: tuple[OntologySource, ...] = Field(min_length=1)
    held_out: float = Field(default=0.05, ge=0, le=1)
    bits: int = 8
    features: FeatureSettings = FeatureSettings()
    train: SurfaceTraining = SurfaceTraining()


def read_surface_recipe(path: Path) -> SurfaceRecipe:
    """The recipe in a file.

    :raises SettingError: when the file is missing, is not TOML, or holds a key or value that no recipe has.
    """
    try:
        return SurfaceRecipe.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError as error:
        raise SettingError("there is no such recipe", where=str(path)) from error
    except (tomllib.TOMLDecodeError, ValidationError) as error:
        raise SettingError("the recipe cannot be read", where=str(path), got=str(error)) from error

"""The recipe of a refinement."""

from __future__ import annotations

import tomllib
from enum import StrEnum
from math import inf
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from medlink.errors import SettingError


class Mode(StrEnum):
    """What is refined."""

    SURFACE = "surface"
    """The surface tower itself, and with it every name's vector; beside it, where asked for, an adapter."""
    ADAPTER = "adapter"
    """A residual network on the query side of the semantic tower; no name's vector moves."""
    FULL = "full"
    """The semantic tower's own weights; names whose vectors moved are encoded again."""


class Start(StrEnum):
    """Where training begins."""

    ORIGIN = "origin"
    """At what ships, with every lesson of the ledger: small steps do not add up from release to release."""
    PARENT = "parent"
    """At the parent, with the new lessons and some of the old: for towers that take long to train."""


class RefineSettings(BaseModel):
    """How lessons are learned.

    :param mode: what is refined.
    :param start: see :class:`Start`.
    :param epochs: how often each new wording is drawn, on average; that gives the steps of the optimiser, from
        ``min_steps`` to ``max_steps``.
    :param steps: of the optimiser, whatever the number of wordings; 0 trains the ranker alone.
    :param n_lessons: pairs of a wording and a name of its concept in a step.
    :param new_share: of them from this batch; the others are drawn from all that was corrected before, each wording
        by the root of how often it was annotated.
    :param n_replay: pairs of synonyms from the ontology in a step.
    :param n_pool: replayed pairs altogether, at most; ``confusable_share`` of them of concepts that lessons are
        confused with.
    :param n_negatives: names of other concepts for each pair, drawn from the ``depth`` nearest.
    :param human_weight: what a name of a concept that an annotator refuted counts among a wording's negatives.
    :param learning_rate: of Adam, of what is trained in this mode; ``adapter_rate`` that of an adapter beside the
        surface tower in ``surface``, 0 to leave it alone.
    :param temperature: of both terms of the loss.
    :param alpha: of the memory term; 0 leaves memory out.
    :param n_memory: negatives from memory for each wording.
    :param capacity: of the memory bank, first in, first out.
    :param hardness: temperature of the weights by hardness; ``inf`` weighs all alike.
    :param half_life: refinements after which what is in memory counts half; ``inf`` for never.
    :param margin: what in memory scores above a wording's positive less this is taken for a false negative; ``None``
        takes nothing for one.
    :param refresh: mean cosine distance of stored and fresh vectors above which memory is encoded again.
    :param stay: weight of the mean squared distance by which the names of a step have moved from where the parent had
        them.
    :param spare_lineage: whether ancestors and descendants are no negatives.
    :param n_hidden: units of a new adapter; one that the parent has keeps its own.
    :param trained_layers: of the transformer, from the top; ``full`` only.
    :param chunk_size: texts that the transformer sees at once, with cached gradients; ``full`` only.
    :param max_drift: cosine distance by which a name may have moved and keep its vector; ``full`` only.
    :param ranker: whether ranker and threshold are refitted; ``prior`` is the strength by which the ranker stays what
        it was, in annotated wordings; ``fresh_weight`` what a wording counts whose concept no other document names.
        More than 1 spares concepts that nobody has corrected, at the expense of wordings never seen.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    mode: Mode = Mode.SURFACE
    start: Start = Start.ORIGIN
    epochs: float = Field(default=8.0, gt=0)
    min_steps: int = Field(default=4, ge=1)
    max_steps: int = Field(default=60, ge=1)
    steps: int | None = Field(default=None, ge=0)
    n_lessons: int = Field(default=192, ge=1)
    new_share: float = Field(default=0.5, ge=0, le=1)
    n_replay: int = Field(default=192, ge=0)
    n_pool: int = Field(default=2000, ge=0)
    confusable_share: float = Field(default=0.5, ge=0, le=1)
    n_negatives: int = Field(default=4, ge=1)
    depth: int = Field(default=20, ge=1)
    human_weight: float = Field(default=3.0, ge=0)
    learning_rate: float = Field(default=2e-2, gt=0)
    adapter_rate: float = Field(default=0.0, ge=0)
    temperature: float = Field(default=0.05, gt=0)
    alpha: float = Field(default=1.0, ge=0)
    n_memory: int = Field(default=16, ge=1)
    capacity: int = Field(default=8192, ge=1)
    hardness: float = Field(default=0.1, gt=0)
    half_life: float = Field(default=inf, gt=0)
    margin: float | None = 0.0
    refresh: float = Field(default=0.02, ge=0)
    stay: float = Field(default=1.0, ge=0)
    spare_lineage: bool = True
    n_hidden: int = Field(default=256, ge=1)
    trained_layers: int = Field(default=2, ge=1)
    chunk_size: int = Field(default=64, ge=1)
    max_drift: float = Field(default=0.0, ge=0)
    ranker: bool = True
    prior: float = Field(default=50.0, gt=0)
    fresh_weight: float = Field(default=1.0, gt=0)
    seed: int = 0

    def count_steps(self, n_new: int, n_old: int) -> int:
        """The steps of the optimiser for some wordings, of which the former are of this batch."""
        if self.steps is not None:
            return self.steps
        drawn = self.n_lessons * (self.new_share if n_old else 1.0) if n_new else self.n_lessons
        wanted = round(self.epochs * (n_new or n_old) / max(drawn, 1.0))
        return min(max(self.min_steps, wanted), self.max_steps)


def read_settings(path: Path) -> RefineSettings:
    """The settings in a TOML file.

    :raises SettingError: when it cannot be read, a key is unknown or a value out of its range; names the first.
    """
    try:
        return RefineSettings.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingError("the recipe cannot be read", where=str(path), got=str(error)) from error
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"]))
        raise SettingError(f"{key}: {first['msg'].lower()}", where=str(path), got=repr(first["input"])) from error

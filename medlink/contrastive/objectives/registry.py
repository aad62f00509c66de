"""The objectives by name, as recipes call them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any, Generic, TypeVar

from medlink.contrastive.objectives.in_batch import (
    Clip,
    ClipSettings,
    InBatchSettings,
    SapBertSettings,
    SimClr,
    SimClrSettings,
    SupConSettings,
    in_batch,
    sapbert,
    supcon,
)
from medlink.contrastive.objectives.momentum import Byol, ByolSettings, MoCo, MoCoSettings
from medlink.contrastive.objectives.protocol import Inputs, Objective, Towers
from medlink.contrastive.objectives.retroactive import Retroactive, RetroactiveSettings
from medlink.errors import SettingError, UnknownNameError

Settings = TypeVar("Settings")


@dataclass(frozen=True, slots=True)
class ObjectiveKind(Generic[Settings]):
    """How to make one objective.

    :param settings: a frozen dataclass with its options and their defaults.
    :param build: from the towers and such settings to the objective.
    """

    settings: type[Settings]
    build: Callable[[Towers[Any], Settings], Objective[Any]]


OBJECTIVES: Mapping[str, ObjectiveKind[Any]] = {
    "byol": ObjectiveKind(ByolSettings, Byol),
    "clip": ObjectiveKind(ClipSettings, Clip),
    "in_batch": ObjectiveKind(InBatchSettings, in_batch),
    "moco": ObjectiveKind(MoCoSettings, MoCo),
    "retroactive": ObjectiveKind(RetroactiveSettings, Retroactive),
    "sapbert": ObjectiveKind(SapBertSettings, sapbert),
    "simclr": ObjectiveKind(SimClrSettings, SimClr),
    "supcon": ObjectiveKind(SupConSettings, supcon),
}


def build_objective(name: str, towers: Towers[Inputs], options: Mapping[str, object]) -> Objective[Inputs]:
    """The objective of that name around these towers.

    :param options: its settings that differ from the defaults.
    :raises UnknownNameError: when no objective has that name.
    :raises SettingError: when it has no such option.
    """
    if name not in OBJECTIVES:
        raise UnknownNameError("no such objective", expected=", ".join(OBJECTIVES), got=name)
    kind = OBJECTIVES[name]
    known = {field.name for field in fields(kind.settings)}
    if unknown := sorted(options.keys() - known):
        raise SettingError(
            f"the objective {name} has no such option", expected=", ".join(sorted(known)), got=", ".join(unknown)
        )
    return kind.build(towers, kind.settings(**options))

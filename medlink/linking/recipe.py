"""What a linker is made of, in words: names and settings that any process can turn into the same linker."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from pathlib import Path

from medlink.detection.settings import DetectionSettings
from medlink.encoder.default import DEFAULT_ENCODER
from medlink.errors import SettingError
from medlink.index.kinds import AUTO
from medlink.linking.corrections import Corrections
from medlink.linking.settings import LinkerSettings
from medlink.store.release import BASE
from medlink.store.releases import ReleaseStore
from medlink.store.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything that the links of a note depend on, beside the note; small enough to send to another process.

    :param workspace: the folder of the workspace that holds the built indexes.
    :param ontology: a name in the catalogue, or the path of an ontology's file or folder; several are joined by ``+``.
    :param branches: ids whose descendants are kept; none means the catalogue's own choice for that ontology.
    :param encoder: ``default``'s name, a folder, or a name on the hub; a release brings its own.
    :param pooling: how the encoder's token vectors become one: ``mean`` or ``first``; a release brings its own.
    :param index: how near names are found: ``exact``, ``pq``, ``hnsw``, ``ivf-sq``, ``ivf-pq``, or ``auto`` by their
        number.
    :param device: where the encoder runs: ``cpu``, ``cuda``, ``mps``.
    :param n_threads: cores that the encoder may use; changes no link.
    :param corrections: what annotators decided.
    :param release: the folder of a release, whose encoder, ranker, context weights, adapter and threshold are used;
        empty for what ships.
    :param remembers: look up vectors that earlier runs in the workspace made, and keep new ones; changes no link.
    """

    workspace: Path
    ontology: str = "hpo"
    branches: tuple[str, ...] = ()
    encoder: str = DEFAULT_ENCODER
    pooling: str = "mean"
    index: str = AUTO
    device: str = "cpu"
    n_threads: int = os.cpu_count() or 1
    detection: DetectionSettings = field(default_factory=DetectionSettings)
    linking: LinkerSettings = field(default_factory=LinkerSettings)
    corrections: Corrections = field(default_factory=Corrections)
    release: str = ""
    remembers: bool = field(default=False, repr=False)


def choose_release(recipe: Recipe, name: str | None, *, encoder: str | None = None) -> Recipe:
    """The recipe with a release of its workspace: what its path names does not change while something runs.

    :param name: an id, the beginning of one, or ``base`` for what ships; by default the current one.
    :param encoder: an encoder that the user named: then what ships is used with it.
    :raises SettingError: when the user named a release and an encoder.
    :raises UnknownNameError: when there is no such release.
    :raises ArtifactError: when the release is damaged, or is current and missing.
    """
    if encoder is not None and name is not None:
        raise SettingError("a release has an encoder of its own", expected="a release or an encoder", got="both")
    if encoder is not None:
        return replace(recipe, encoder=encoder, release="")
    store = ReleaseStore(Workspace(recipe.workspace).releases)
    release = None if name == BASE else store.get(name) if name else store.current()
    return replace(recipe, release=str(release.folder) if release else "")

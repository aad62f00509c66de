"""What a linker is made of, in words: names and settings that any process can turn into the same linker."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from medlink.detection.settings import DetectionSettings
from medlink.encoder.default import DEFAULT_ENCODER
from medlink.index.kinds import AUTO
from medlink.linking.corrections import Corrections
from medlink.linking.settings import LinkerSettings


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything that the links of a note depend on, beside the note; small enough to send to another process.

    :param workspace: the folder of the workspace that holds the built indexes.
    :param ontology: a name in the catalogue, or the path of an ontology file.
    :param branches: ids whose descendants are kept; none means the catalogue's own choice for that ontology.
    :param encoder: ``default``'s name, a folder, or a name on the hub.
    :param pooling: how the encoder's token vectors become one: ``mean`` or ``first``.
    :param index: how near names are found: ``exact``, ``pq``, ``hnsw``, ``ivf-sq``, ``ivf-pq``, or ``auto`` by their
        number.
    :param device: where the encoder runs: ``cpu``, ``cuda``, ``mps``.
    :param n_threads: cores that the encoder may use; changes no link.
    :param corrections: what annotators decided.
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

"""Two towers in one unit vector, so that one index serves both and their cosines add."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict, TypeAdapter, ValidationError

from medlink.encoder.protocol import Encoder, TowerSpan
from medlink.errors import EncoderError, SettingError

CONFIG, SURFACE, SEMANTIC = "config.json", "surface", "semantic"


@dataclass(frozen=True, slots=True)
class CombinedConfig:
    """What ``config.json`` says of two towers, which are the folders ``surface`` and ``semantic`` beside it.

    :param weight: the surface tower's share in the cosine, in [0, 1].
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    weight: float
    medlink_encoder: Literal["combined.v1"] = "combined.v1"


@dataclass(frozen=True, slots=True)
class Tower:
    """One part of an encoder's vectors, and what encodes it.

    :param factor: what the encoder's own vectors are multiplied by, the square root of its share in the cosine.
    """

    encoder: Encoder
    factor: float

    def encode(self, texts: Sequence[str], *, show_progress: bool = False) -> NDArray[np.float32]:
        """The part that this makes of the vectors of some texts. *Shape:* (n_texts, width of the tower)."""
        return self.encoder.encode(texts, show_progress=show_progress) * np.float32(self.factor)


_CONFIG = TypeAdapter(CombinedConfig)


class CombinedEncoder:
    """Unit vectors ``(√weight · surface, √(1 - weight) · semantic)``.

    The cosine of two of them is ``weight · surface cosine + (1 - weight) · semantic cosine``.

    :param weight: the surface tower's share, in [0, 1].
    :raises SettingError: when it is not.
    """

    def __init__(self, surface: Encoder, semantic: Encoder, weight: float) -> None:
        if not 0 <= weight <= 1:
            raise SettingError("no such weight of towers", where="weight", expected="0 to 1", got=str(weight))
        self.surface, self.semantic, self.weight = surface, semantic, weight

    @property
    def fingerprint(self) -> str:
        """Hex sha256 of both towers' fingerprints and the weight."""
        parts = f"combined.v1 {self.weight!r} {self.surface.fingerprint} {self.semantic.fingerprint}"
        return hashlib.sha256(parts.encode()).hexdigest()

    @property
    def width(self) -> int:
        """Numbers in a vector: those of both towers."""
        return self.surface.width + self.semantic.width

    @property
    def towers(self) -> tuple[TowerSpan, ...]:
        """The surface tower's part and the semantic tower's."""
        edge = self.surface.width
        return TowerSpan(0, edge, self.weight), TowerSpan(edge, self.width, 1 - self.weight)

    def encode(self, texts: Sequence[str], *, show_progress: bool = False) -> NDArray[np.float32]:
        """The unit vectors of some normalised texts; see :class:`medlink.encoder.protocol.Encoder`.

        *Shape:* (n_texts, surface width + semantic width).
        """
        vectors = np.empty((len(texts), self.width), np.float32)
        for part, tower in zip(self.split(vectors), towers_of(self), strict=True):
            part[:] = tower.encode(texts, show_progress=show_progress)
        return vectors

    def split(self, vectors: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Views of the surface and the semantic part of some vectors, scaled as they are.

        The inner product of two surface parts, divided by the weight, is the surface tower's cosine.

        :param vectors: *Shape:* (…, width).
        """
        return vectors[..., : self.surface.width], vectors[..., self.surface.width :]


def towers_of(encoder: Encoder) -> tuple[Tower, ...]:
    """What encodes the parts of an encoder's vectors, in their order; the encoder itself where it has one tower.

    The parts side by side are the vectors of ``encoder.encode``, bit for bit.
    """
    if not isinstance(encoder, CombinedEncoder):
        return (Tower(encoder, 1.0),)
    shares = (encoder.surface, encoder.weight), (encoder.semantic, 1 - encoder.weight)
    return tuple(Tower(tower, float(np.sqrt(share))) for tower, share in shares)


def read_weight(folder: Path) -> float:
    """The surface tower's share that a folder of two towers states.

    :raises EncoderError: when the folder is no such folder.
    """
    try:
        return _CONFIG.validate_json((folder / CONFIG).read_bytes()).weight
    except (FileNotFoundError, ValidationError) as error:
        raise EncoderError(
            "this folder holds no pair of towers", where=str(folder), expected=CONFIG, got=type(error).__name__
        ) from error


def write_weight(folder: Path, weight: float) -> None:
    """Makes a folder that holds ``surface`` and ``semantic`` a pair of towers."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / CONFIG).write_text(json.dumps(asdict(CombinedConfig(weight)), indent=2) + "\n", encoding="utf-8")

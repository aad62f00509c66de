"""The surface tower: a text's vector is the sum of learned vectors of its hashed features. No torch is imported."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict, TypeAdapter, ValidationError
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file
from scipy.sparse import csr_matrix
from tqdm import tqdm

from medlink.encoder.ngram_features import Features, FeatureSettings, extract_features
from medlink.encoder.protocol import TowerSpan
from medlink.encoder.quantisation import Quantised, dequantise, quantise
from medlink.errors import EncoderError

CONFIG, WEIGHTS = "config.json", "table.safetensors"
_BLOCK = 4096


@dataclass(frozen=True, slots=True)
class SurfaceConfig:
    """What ``config.json`` says of a surface tower.

    :param features: what is hashed.
    :param width: numbers in a vector.
    :param bits: the table's bits a number, 4 or 8.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    features: FeatureSettings
    width: int
    bits: int
    medlink_encoder: Literal["surface.v1"] = "surface.v1"


_CONFIG = TypeAdapter(SurfaceConfig)


class SurfaceEncoder:
    """Unit vectors from a folder that :func:`write_surface` wrote; the weights are read on first use.

    :raises EncoderError: when a file is missing, or the config is no surface tower's.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        try:
            self.config = _CONFIG.validate_json((folder / CONFIG).read_bytes())
        except (FileNotFoundError, ValidationError) as error:
            raise EncoderError(
                "this folder holds no surface tower",
                where=str(folder),
                expected=f"{CONFIG} and {WEIGHTS}",
                got=type(error).__name__,
            ) from error

    @cached_property
    def fingerprint(self) -> str:
        """Hex sha256 of the config and the weights."""
        digest = hashlib.sha256(b"surface.v1")
        for name in (CONFIG, WEIGHTS):
            digest.update(hashlib.sha256((self.folder / name).read_bytes()).digest())
        return digest.hexdigest()

    @property
    def width(self) -> int:
        """Numbers in a vector."""
        return self.config.width

    @property
    def towers(self) -> tuple[TowerSpan, ...]:
        """The one tower that this is."""
        return (TowerSpan(0, self.width, 1.0),)

    def encode(self, texts: Sequence[str], *, show_progress: bool = False) -> NDArray[np.float32]:
        """The unit vectors of some normalised texts; see :class:`medlink.encoder.protocol.Encoder`.

        *Shape:* (n_texts, width).
        """
        return embed(texts, self.table, self.config.features, show_progress=show_progress)

    @cached_property
    def table(self) -> NDArray[np.float32]:
        """The buckets' vectors. *Shape:* (n_buckets, width).

        :raises EncoderError: when the weights are missing, damaged, or of another shape than the config says.
        """
        path = self.folder / WEIGHTS
        try:
            stored = load_file(path)
            table = dequantise(Quantised(stored["codes"], stored["scale"], self.config.bits))
        except (OSError, SafetensorError, KeyError, ValueError) as error:
            raise EncoderError("the weights cannot be read", where=str(path), got=type(error).__name__) from error
        expected = (self.config.features.n_buckets, self.config.width)
        if table.shape != expected:
            raise EncoderError(
                "weights of another shape", where=str(path), expected=str(expected), got=str(table.shape)
            )
        return table


def embed(
    texts: Sequence[str], table: NDArray[np.float32], settings: FeatureSettings, *, show_progress: bool = False
) -> NDArray[np.float32]:
    """The unit vectors of some texts under a table of bucket vectors; row ``i`` depends on ``texts[i]`` alone.

    A text without any feature gets the first axis, as every vector has length 1.

    :param table: *Shape:* (n_buckets, width).
    :returns: *Shape:* (n_texts, width).
    """
    vectors = np.empty((len(texts), table.shape[1]), np.float32)
    with tqdm(total=len(texts), desc="encoding", unit="name", disable=not show_progress) as progress:
        for start in range(0, len(texts), _BLOCK):
            block = texts[start : start + _BLOCK]
            vectors[start : start + _BLOCK] = _unit(_sums(extract_features(block, settings), table))
            progress.update(len(block))
    return vectors


def _sums(features: Features, table: NDArray[np.float32]) -> NDArray[np.float32]:
    """The sum of each text's bucket vectors, added in the order of its features whatever stands beside it."""
    ones = np.ones(len(features.buckets), np.float32)
    shape = (len(features.offsets) - 1, len(table))
    return np.asarray(csr_matrix((ones, features.buckets, features.offsets), shape=shape) @ table, np.float32)


def _unit(sums: NDArray[np.float32]) -> NDArray[np.float32]:
    lengths = np.sqrt(np.square(sums, dtype=np.float64).sum(axis=1))
    empty = lengths == 0
    sums[empty, 0] = lengths[empty] = 1.0
    return np.asarray(sums / lengths[:, None], np.float32)


def write_surface(folder: Path, table: NDArray[np.float32], features: FeatureSettings, *, bits: int = 8) -> None:
    """Writes a table as a folder that :class:`SurfaceEncoder` reads; the config comes last.

    :param table: *Shape:* (n_buckets, width).
    :param bits: 4 or 8 a number.
    :raises SettingError: when the table cannot be kept in that many bits.
    :raises EncoderError: when the table does not have the features' buckets or holds what is not finite.
    """
    if len(table) != features.n_buckets:
        raise EncoderError("a table for other buckets", expected=str(features.n_buckets), got=str(len(table)))
    quantised = quantise(table, bits)
    folder.mkdir(parents=True, exist_ok=True)
    beside = folder / f"{WEIGHTS}.part"
    save_file({"codes": np.ascontiguousarray(quantised.codes), "scale": quantised.scale}, beside)
    os.replace(beside, folder / WEIGHTS)
    config = asdict(SurfaceConfig(features, table.shape[1], bits))
    (folder / CONFIG).write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")

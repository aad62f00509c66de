"""The query adapter: a small residual network that moves queries, not names, so that the index stays as it is."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file
from scipy.sparse import csr_matrix

from medlink.encoder.protocol import Encoder, TowerSpan
from medlink.errors import EncoderError

WEIGHTS = "adapter.safetensors"
WIDTH, N_HIDDEN = 384, 256
# Vectors that are moved together; it bounds memory and changes no bit.
_BLOCK = 256


@dataclass(frozen=True, eq=False)
class Adapter:
    """The weights of ``q' = normalise(q + tanh(q w_in) w_out)`` on unit vectors.

    :param w_in: *Shape:* (width, n_hidden), float32.
    :param w_out: *Shape:* (n_hidden, width), float32; zeros leave every vector as it is, bit for bit.
    :raises EncoderError: when they do not fit each other, are of another dtype, or not finite.
    """

    w_in: NDArray[np.float32]
    w_out: NDArray[np.float32]

    def __post_init__(self) -> None:
        given = f"{self.w_in.shape} {self.w_in.dtype} and {self.w_out.shape} {self.w_out.dtype}"
        if self.w_in.ndim != 2 or self.w_out.shape != self.w_in.shape[::-1]:
            raise EncoderError("an adapter's weights do not fit each other", expected="(n, m) and (m, n)", got=given)
        if not self.w_in.dtype == self.w_out.dtype == np.float32:
            raise EncoderError("an adapter's weights are of another dtype", expected="float32", got=given)
        if not (np.isfinite(self.w_in).all() and np.isfinite(self.w_out).all()):
            raise EncoderError("an adapter's weights are not finite")

    @classmethod
    def identity(cls, width: int = WIDTH, n_hidden: int = N_HIDDEN, *, seed: int = 0) -> Adapter:
        """An adapter that moves nothing yet: ``w_out`` is zero, ``w_in`` normal with variance ``1 / width``."""
        numbers = np.random.default_rng(seed).standard_normal((width, n_hidden)) / np.sqrt(width)
        return cls(numbers.astype(np.float32), np.zeros((n_hidden, width), np.float32))

    @property
    def width(self) -> int:
        """Numbers in a vector."""
        return len(self.w_in)

    @cached_property
    def fingerprint(self) -> str:
        """Hex sha256 of the weights."""
        digest = hashlib.sha256(f"adapter.v1 {self.w_in.shape}".encode())
        for weights in (self.w_in, self.w_out):
            digest.update(np.ascontiguousarray(weights).tobytes())
        return digest.hexdigest()

    def apply(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        """The moved unit vectors; row ``i`` depends on ``vectors[i]`` alone, bit for bit.

        :param vectors: *Shape:* (n_vectors, width), unit length.
        :returns: *Shape:* (n_vectors, width); a row that is not moved is the very row that was given.
        """
        moved = np.array(vectors, np.float32)
        for start in range(0, len(moved), _BLOCK):
            block = moved[start : start + _BLOCK]
            shift = _times(np.tanh(_times(block, self.w_in)), self.w_out)
            rows = shift.any(axis=1)
            block[rows] = _unit(block[rows] + shift[rows])
        return moved


def _times(rows: NDArray[np.float32], weights: NDArray[np.float32]) -> NDArray[np.float32]:
    """The matrix product, by a routine that adds up each row by itself and in order, which BLAS does not promise."""
    n_rows, n_inner = rows.shape
    columns = np.tile(np.arange(n_inner, dtype=np.int32), n_rows)
    offsets = np.arange(n_rows + 1, dtype=np.int32) * n_inner
    return np.asarray(csr_matrix((rows.ravel(), columns, offsets), shape=rows.shape) @ weights, np.float32)


def _unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    lengths = np.sqrt(np.square(vectors, dtype=np.float64).sum(axis=1))
    lengths[lengths == 0] = 1.0
    return np.asarray(vectors / lengths[:, None], np.float32)


class AdaptedEncoder:
    """An encoder of queries: another encoder's vectors, with an adapter behind its last tower, the semantic one.

    Names are encoded by that encoder itself, so an index of them serves with any adapter.

    :raises EncoderError: when the adapter is for vectors of another width than the tower's.
    """

    def __init__(self, encoder: Encoder, adapter: Adapter) -> None:
        tower = encoder.towers[-1]
        if tower.stop - tower.start != adapter.width:
            raise EncoderError(
                "an adapter for another tower",
                expected=f"width {tower.stop - tower.start}",
                got=f"width {adapter.width}",
                hint="An adapter goes with the encoder that it was trained on.",
            )
        self.encoder, self.adapter = encoder, adapter

    @property
    def fingerprint(self) -> str:
        """Hex sha256 of the encoder's fingerprint and the adapter's."""
        parts = f"adapted.v1 {self.encoder.fingerprint} {self.adapter.fingerprint}"
        return hashlib.sha256(parts.encode()).hexdigest()

    @property
    def width(self) -> int:
        """Numbers in a vector: the encoder's."""
        return self.encoder.width

    @property
    def towers(self) -> tuple[TowerSpan, ...]:
        """The encoder's towers."""
        return self.encoder.towers

    def encode(self, texts: Sequence[str], *, show_progress: bool = False) -> NDArray[np.float32]:
        """The unit vectors of some normalised texts as queries; see :class:`medlink.encoder.protocol.Encoder`.

        *Shape:* (n_texts, width).
        """
        return self.adapt(self.encoder.encode(texts, show_progress=show_progress))

    def adapt(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        """What vectors of the encoder are as queries. *Shape:* (n_texts, width)."""
        tower = self.towers[-1]
        scale = np.float32(np.sqrt(tower.share))
        if scale == 0:
            return vectors
        part = vectors[:, tower.start : tower.stop] / scale
        adapted = self.adapter.apply(part)
        moved = (adapted != part).any(axis=1)
        result = vectors.copy()
        result[moved, tower.start : tower.stop] = adapted[moved] * scale
        return result


def write_adapter(folder: Path, adapter: Adapter) -> None:
    """Writes an adapter into a folder: whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    beside = folder / f"{WEIGHTS}.part"
    save_file({"w_in": np.ascontiguousarray(adapter.w_in), "w_out": np.ascontiguousarray(adapter.w_out)}, beside)
    os.replace(beside, folder / WEIGHTS)


def read_adapter(folder: Path) -> Adapter:
    """The adapter in a folder.

    :raises EncoderError: when it is missing, damaged, or does not fit together.
    """
    path = folder / WEIGHTS
    try:
        stored = load_file(path)
        w_in, w_out = stored["w_in"], stored["w_out"]
    except (OSError, SafetensorError, KeyError) as error:
        raise EncoderError("the adapter cannot be read", where=str(path), got=type(error).__name__) from error
    try:
        return Adapter(w_in, w_out)
    except EncoderError as error:
        raise EncoderError(error.what, where=str(path), expected=error.expected, got=error.got) from error

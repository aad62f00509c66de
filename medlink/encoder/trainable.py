"""What a training asks of the encoder that it betters."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from torch import Tensor, nn


class TrainableEncoder(Protocol):
    """Turns texts into vectors with their graph, and is saved as a folder that :mod:`medlink.encoder.loading` opens."""

    @property
    def module(self) -> nn.Module:
        """The encoder itself as torch sees it, for its parameters, state, device and mode; it is called like this."""

    @property
    def width(self) -> int:
        """Numbers in a vector."""

    @property
    def dtype(self) -> str:
        """Of the forward and backward pass, ``float32`` or ``bfloat16``; the parameters are float32."""

    @property
    def n_layers(self) -> int:
        """Layers above the embeddings; 0 where there are only those."""

    @property
    def sparse(self) -> frozenset[str]:
        """The names, in ``module``, of the tables whose gradients hold but the rows that were used."""

    def depths(self) -> dict[str, int]:
        """The depth of each parameter, by the name it has in ``module``: 0 for embeddings, ``n_layers`` at the top."""

    def __call__(self, texts: Sequence[str]) -> Tensor:
        """The vectors of some normalised texts, of any length. *Shape:* (n_texts, width), float32."""

    def save(self, folder: Path) -> None:
        """Write the encoder as it is now."""

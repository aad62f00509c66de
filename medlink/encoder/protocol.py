"""What the rest of medlink asks of an encoder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class Encoder(Protocol):
    """Turns texts into unit vectors whose inner product says how close their meanings are."""

    @property
    def fingerprint(self) -> str:
        """Hex sha256 of everything that its vectors depend on: weights, vocabulary, settings."""

    @property
    def width(self) -> int:
        """Numbers in a vector."""

    def encode(self, texts: Sequence[str], *, show_progress: bool = False) -> NDArray[np.float32]:
        """The unit vectors of some texts.

        Row ``i`` depends on ``texts[i]`` alone, bit for bit: neither the batch around it nor its place matters.

        *Shape:* (n_texts, width).
        """

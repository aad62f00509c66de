"""What the rest of medlink asks of an encoder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class TowerSpan:
    """Which numbers of a vector are one tower's.

    :param start: the first of them.
    :param stop: the one behind the last.
    :param share: what this tower adds to the cosine: the inner product of two vectors' parts is ``share`` times the
        tower's own cosine. In [0, 1].
    """

    start: int
    stop: int
    share: float


class Encoder(Protocol):
    """Turns texts into unit vectors whose inner product says how close their meanings are."""

    @property
    def fingerprint(self) -> str:
        """Hex sha256 of everything that its vectors depend on: weights, vocabulary, settings."""

    @property
    def width(self) -> int:
        """Numbers in a vector."""

    @property
    def towers(self) -> tuple[TowerSpan, ...]:
        """The parts of a vector, in their order; one that is the whole vector where there is one tower."""

    def encode(self, texts: Sequence[str], *, show_progress: bool = False) -> NDArray[np.float32]:
        """The unit vectors of some texts.

        Row ``i`` depends on ``texts[i]`` alone, bit for bit: neither the batch around it nor its place matters.

        *Shape:* (n_texts, width).
        """

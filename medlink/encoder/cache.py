"""An encoder that remembers the vectors of the texts it saw last."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from medlink.encoder.protocol import Encoder


class CachedEncoder:
    """The same vectors as the encoder inside, each distinct text encoded once while it stays in memory.

    :param encoder: gives the vectors; its rows must not depend on the batch, or the cache would change them.
    :param capacity: texts that are remembered; the least recently used goes first.
    """

    def __init__(self, encoder: Encoder, *, capacity: int = 1 << 15) -> None:
        self._encoder = encoder
        self._capacity = capacity
        self._vectors: OrderedDict[str, NDArray[np.float32]] = OrderedDict()

    @property
    def fingerprint(self) -> str:
        """That of the encoder inside."""
        return self._encoder.fingerprint

    @property
    def width(self) -> int:
        """That of the encoder inside."""
        return self._encoder.width

    def encode(self, texts: Sequence[str], *, show_progress: bool = False) -> NDArray[np.float32]:
        """The unit vectors of some texts; see :class:`medlink.encoder.protocol.Encoder`.

        *Shape:* (n_texts, width).
        """
        missing = [text for text in dict.fromkeys(texts) if text not in self._vectors]
        fresh = dict(zip(missing, self._encoder.encode(missing, show_progress=show_progress), strict=True))
        vectors = np.zeros((len(texts), self.width), np.float32)
        for row, text in enumerate(texts):
            vectors[row] = fresh[text] if text in fresh else self._recall(text)
        self._remember(fresh)
        return vectors

    def _recall(self, text: str) -> NDArray[np.float32]:
        self._vectors.move_to_end(text)
        return self._vectors[text]

    def _remember(self, fresh: dict[str, NDArray[np.float32]]) -> None:
        self._vectors.update(fresh)
        while len(self._vectors) > self._capacity:
            self._vectors.popitem(last=False)

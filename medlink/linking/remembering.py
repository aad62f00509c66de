"""An encoder that remembers what it encoded in earlier runs: the same bits, sooner."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from medlink.encoder.combined import CombinedEncoder
from medlink.encoder.protocol import Encoder, TowerSpan
from medlink.encoder.transformer import TransformerEncoder
from medlink.errors import StoreError
from medlink.store.vectors import VectorStore

logger = logging.getLogger(__name__)


class RememberingEncoder:
    """A transformer whose vectors are looked up first; the missing ones are encoded in one pass and kept.

    Vectors are kept by all that their bits depend on, so it gives the same as the transformer alone. When the store
    fails, that is said once and the work goes on without it.
    """

    def __init__(self, encoder: TransformerEncoder, store: VectorStore) -> None:
        self._encoder = encoder
        self._store: VectorStore | None = store

    @property
    def transformer(self) -> TransformerEncoder:
        """The transformer itself."""
        return self._encoder

    @property
    def fingerprint(self) -> str:
        """The transformer's."""
        return self._encoder.fingerprint

    @property
    def width(self) -> int:
        """Numbers in a vector."""
        return self._encoder.width

    @property
    def towers(self) -> tuple[TowerSpan, ...]:
        """The transformer's."""
        return self._encoder.towers

    def encode(self, texts: Sequence[str], *, show_progress: bool = False) -> NDArray[np.float32]:
        """The unit vectors of some texts; see :class:`medlink.encoder.protocol.Encoder`.

        *Shape:* (n_texts, width).
        """
        known = self._recall(list(dict.fromkeys(texts)))
        missing = [text for text in dict.fromkeys(texts) if text not in known]
        fresh = self._encoder.encode(missing, show_progress=show_progress)
        if missing:
            self._keep(missing, fresh)
            known |= dict(zip(missing, fresh, strict=True))
        vectors = np.empty((len(texts), self.width), np.float32)
        for place, text in enumerate(texts):
            vectors[place] = known[text]
        return vectors

    def _recall(self, texts: Sequence[str]) -> dict[str, NDArray[np.float32]]:
        if self._store is None or not texts:
            return {}
        try:
            return self._store.find(self._key, texts, width=self.width)
        except StoreError as error:
            return self._give_up(error)

    def _keep(self, texts: Sequence[str], vectors: NDArray[np.float32]) -> None:
        if self._store is None:
            return
        try:
            self._store.add(self._key, texts, vectors)
        except StoreError as error:
            self._give_up(error)

    def _give_up(self, error: StoreError) -> dict[str, NDArray[np.float32]]:
        self._store = None
        logger.warning("no vectors are remembered in this run, which changes no link: %s", error)
        return {}

    @property
    def _key(self) -> str:
        return f"{self._encoder.fingerprint} {self._encoder.arithmetic}"


def remember(encoder: Encoder, store: VectorStore) -> Encoder:
    """The encoder, with a memory for its transformer; without one where it has none, as all else is quicker anew."""
    if isinstance(encoder, TransformerEncoder):
        return RememberingEncoder(encoder, store)
    if isinstance(encoder, CombinedEncoder) and isinstance(encoder.semantic, TransformerEncoder):
        return CombinedEncoder(encoder.surface, RememberingEncoder(encoder.semantic, store), encoder.weight)
    return encoder


def without_memory(tower: Encoder) -> Encoder:
    """The tower that encodes, where it remembers; else itself."""
    return tower.transformer if isinstance(tower, RememberingEncoder) else tower

"""An encoder that counts what it encodes."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from medlink.encoder.protocol import TowerSpan


class CountingEncoder:
    """Unit vectors that a hash of the text and a seed give, bit for bit; what was encoded is noted.

    :param log: a file that each encoded text becomes a line of.
    """

    def __init__(self, log: Path, *, seed: int = 0, width: int = 8) -> None:
        self.log, self.seed, self.width = log, seed, width
        log.touch()

    @property
    def fingerprint(self) -> str:
        return hashlib.sha256(f"counting {self.seed} {self.width}".encode()).hexdigest()

    @property
    def towers(self) -> tuple[TowerSpan, ...]:
        return (TowerSpan(0, self.width, 1.0),)

    def encode(self, texts: Sequence[str], *, show_progress: bool = False) -> NDArray[np.float32]:
        vectors = np.array([self._vector(text) for text in texts], np.float64).reshape(len(texts), self.width)
        with self.log.open("a", encoding="utf-8") as stream:
            stream.writelines(f"{text}\n" for text in texts)
        return np.asarray(vectors, np.float32)

    def _vector(self, text: str) -> NDArray[np.float64]:
        seed = int.from_bytes(hashlib.sha256(f"{self.seed} {text}".encode()).digest()[:8], "little")
        vector = np.random.default_rng(seed).normal(size=self.width)
        return np.asarray(vector / np.linalg.norm(vector))

    def encoded(self) -> list[str]:
        """What was encoded since the last call."""
        texts = self.log.read_text(encoding="utf-8").splitlines()
        self.log.write_text("", encoding="utf-8")
        return texts

"""The vector cache: what an encoder made of a text before, kept between runs; it may be deleted at any time."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from medlink.errors import StoreError
from medlink.store.database import Kind, open_database, sqlite_errors, transaction

VECTORS = Kind(
    name="vector cache",
    folder="vectors",
    error=StoreError,
    if_missing="the next 'medlink link' makes one.",
    if_damaged="Delete it: it is filled again.",
    is_precious=False,
)
# Vectors that are kept: about 400 megabytes with the encoder that comes with medlink.
CAPACITY = 250_000
# Seconds to wait for another writer, which takes milliseconds.
PATIENCE = 5.0
# Texts of one question: SQLite takes no more than 32,766 values.
_ASKED = 500
_DTYPE = np.dtype("<f4")


class VectorStore:
    """Vectors by encoder and text, of which the newest ``capacity`` stay; several processes may share the file.

    Every process, and every thread, opens it for itself when it first asks.

    :param path: of the file; it is made where there is none.
    :param capacity: vectors that are kept, of all encoders together; at least 1.
    :param patience: seconds to wait for another writer.
    """

    def __init__(self, path: Path, *, capacity: int = CAPACITY, patience: float = PATIENCE) -> None:
        self.path = path
        self.capacity = capacity
        self._patience = patience
        self._connections: dict[tuple[int, int], sqlite3.Connection] = {}

    def find(self, key: str, texts: Sequence[str], *, width: int) -> dict[str, NDArray[np.float32]]:
        """The vectors that are known, by text.

        :param key: all that a vector depends on beside its text.
        :param width: numbers in a vector; what has another length is not taken.
        :raises StoreError: when the file cannot be opened or read.
        """
        found: dict[str, NDArray[np.float32]] = {}
        with sqlite_errors(self.path, VECTORS):
            connection = self._connect()
            for start in range(0, len(texts), _ASKED):
                some = texts[start : start + _ASKED]
                rows = connection.execute(
                    "SELECT text, vector FROM vectors WHERE encoder_id = "  # noqa: S608 - question marks
                    "(SELECT id FROM encoders WHERE key = ?) "
                    f"AND text IN ({', '.join('?' * len(some))})",
                    (key, *some),
                )
                found |= {
                    text: np.frombuffer(vector, _DTYPE)
                    for text, vector in rows
                    if len(vector) == width * _DTYPE.itemsize
                }
        return found

    def add(self, key: str, texts: Sequence[str], vectors: NDArray[np.float32]) -> None:
        """Keeps some vectors, in one transaction; what is known stays as it is, and the oldest make room.

        :param vectors: *Shape:* (n_texts, width).
        :raises StoreError: when the file cannot be written; then none is kept.
        """
        with sqlite_errors(self.path, VECTORS):
            connection = self._connect()
            with transaction(connection):
                connection.execute("INSERT OR IGNORE INTO encoders (key) VALUES (?)", (key,))
                (number,) = connection.execute("SELECT id FROM encoders WHERE key = ?", (key,)).fetchone()
                connection.executemany(
                    "INSERT OR IGNORE INTO vectors (encoder_id, text, vector) VALUES (?, ?, ?)",
                    (
                        (number, text, vector.astype(_DTYPE).tobytes())
                        for text, vector in zip(texts, vectors, strict=True)
                    ),
                )
                # Rows are added behind the last and taken from the front: their ids have no gaps.
                connection.execute(
                    "DELETE FROM vectors WHERE id <= (SELECT max(id) FROM vectors) - ?", (self.capacity,)
                )

    def __len__(self) -> int:
        """The number of vectors that are kept."""
        with sqlite_errors(self.path, VECTORS):
            return int(self._connect().execute("SELECT count(*) FROM vectors").fetchone()[0])

    def close(self) -> None:
        """Closes the file; asking again opens it again."""
        for (process, thread), connection in self._connections.items():
            if (process, thread) == (os.getpid(), threading.get_ident()):
                connection.close()
        self._connections = {}

    def _connect(self) -> sqlite3.Connection:
        """The connection of this process and thread: SQLite's do not survive a fork, nor cross threads."""
        owner = (os.getpid(), threading.get_ident())
        if owner not in self._connections:
            self._connections[owner] = open_database(self.path, VECTORS, patience=self._patience)
        return self._connections[owner]

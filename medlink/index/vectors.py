"""The names' vectors: half-precision matrices, side by side and one below the other, left where they are."""

from __future__ import annotations

import mmap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from medlink.errors import EncoderError, SettingError

# Rows that are turned into single precision at a time: bounds memory, changes no figure.
_BLOCK = 1 << 14


@dataclass(frozen=True, slots=True)
class NameVectors:
    """One vector for each name, put together from parts that may be memory-mapped files.

    :param blocks: the rows, one block below the other; a block is the parts of its vectors, such as one of each tower,
        side by side. *Shape* of a part: (n_rows, n_numbers), float16.
    :raises SettingError: when there is no part, or parts do not fit together.
    """

    blocks: tuple[tuple[NDArray[np.float16], ...], ...]

    def __post_init__(self) -> None:
        widths = {tuple(part.shape[1] for part in parts) for parts in self.blocks}
        lengths = [{len(part) for part in parts} for parts in self.blocks]
        if len(widths) != 1 or any(len(found) != 1 for found in lengths):
            raise SettingError(
                "parts of vectors that do not fit together", got=str([p.shape for b in self.blocks for p in b])
            )

    @classmethod
    def of(cls, *parts: NDArray[np.float16] | NDArray[np.float32]) -> NameVectors:
        """Vectors of which each part is one matrix; rounded to half precision where they are not.

        :param parts: *Shape:* (n_names, n_numbers) each.
        """
        return cls((tuple(np.asarray(part.astype(np.float16, copy=False)) for part in parts),))

    def __len__(self) -> int:
        """The number of names."""
        return sum(len(parts[0]) for parts in self.blocks)

    @property
    def width(self) -> int:
        """Numbers in a vector."""
        return sum(part.shape[1] for part in self.blocks[0])

    def above(self, vectors: NDArray[np.float32]) -> NameVectors:
        """These vectors with others below them, which nothing is copied for.

        :param vectors: *Shape:* (n_more, width).
        :raises SettingError: when they have another width.
        """
        if vectors.ndim != 2 or vectors.shape[1] != self.width:
            raise SettingError("vectors of another width", expected=str(self.width), got=str(vectors.shape))
        half = vectors.astype(np.float16)
        edges = np.cumsum([part.shape[1] for part in self.blocks[0]])[:-1]
        return NameVectors((*self.blocks, tuple(np.split(half, edges, axis=1))))

    def take(self, rows: NDArray[np.int64]) -> NDArray[np.float16]:
        """The vectors of some rows. *Shape:* (n_rows, width)."""
        if len(self.blocks) == 1:
            return _beside([part[rows] for part in self.blocks[0]])
        taken = np.empty((len(rows), self.width), np.float16)
        start = 0
        for parts in self.blocks:
            here = (rows >= start) & (rows < start + len(parts[0]))
            taken[here] = _beside([part[rows[here] - start] for part in parts])
            start += len(parts[0])
        return taken

    def forget(self) -> None:
        """Takes what was read of mapped files out of the process's memory; it is mapped again when it is asked for.

        Around each row that is read the system maps what else of the file is cached, so that some thousand queries
        would hold all of it.
        """
        if not hasattr(mmap, "MADV_DONTNEED"):
            return
        for part in (part for parts in self.blocks for part in parts):
            base: object = part
            while isinstance(base, np.ndarray):
                base = base.base
            if isinstance(base, mmap.mmap):
                base.madvise(mmap.MADV_DONTNEED)

    def pieces(self) -> Iterator[NDArray[np.float32]]:
        """All vectors in their order, some thousand at a time, in single precision.

        :raises EncoderError: when one is not finite.
        """
        start = 0
        for parts in self.blocks:
            for low in range(0, len(parts[0]), _BLOCK):
                piece = _beside([part[low : low + _BLOCK] for part in parts]).astype(np.float32)
                check_finite(piece, start + low)
                yield piece
            start += len(parts[0])


def check_finite(vectors: NDArray[np.float16] | NDArray[np.float32], first: int = 0) -> None:
    """Lets finite vectors pass.

    :param first: the row of the first of them, for the message.
    :raises EncoderError: when one is not finite.
    """
    finite = np.isfinite(vectors).all(axis=1)
    if not finite.all():
        row = first + int(np.flatnonzero(~finite)[0])
        raise EncoderError("a name's vector is not finite", where=f"row {row}", hint="Check the encoder's weights.")


def _beside(parts: Sequence[NDArray[np.float16]]) -> NDArray[np.float16]:
    return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)

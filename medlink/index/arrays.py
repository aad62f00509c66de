"""Arrays that are files in numpy's format, filled where they lie."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray


def map_array(path: Path) -> NDArray[Any]:
    """The array of a file, memory-mapped.

    :raises OSError: when the file is missing.
    """
    return np.asarray(np.load(path, mmap_mode="r"))


def make_array(path: Path, shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
    """A new file as a memory-mapped array, to be filled.

    :raises OSError: when the disk has no room for it; without asking first, filling it would end the process.
    """
    values = np.lib.format.open_memmap(path, mode="w+", dtype=dtype, shape=shape)  # type: ignore[no-untyped-call]
    if hasattr(os, "posix_fallocate") and values.nbytes:
        with path.open("r+b") as stream:
            os.posix_fallocate(stream.fileno(), 0, path.stat().st_size)
    return np.asarray(values)

"""Kinds of dense indexes and which of them a number of names calls for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import isqrt

from medlink.errors import SettingError

AUTO, EXACT = "auto", "exact"
FETCHED = "n_fetched"
# Up to so many names all vectors are looked at: in memory, in single precision, the same figures in every release.
FEW = 1 << 18


@dataclass(frozen=True, slots=True)
class Kind:
    """An approximate way to find near vectors. What it finds is scored again exactly, so only omissions are possible.

    :param factory: from the number of vectors and their width to faiss's description of the index.
    :param n_fetched: names that are found and scored again for each query, at least.
    :param parameter: what says how far a query looks: a parameter of faiss, or :data:`FETCHED`, how many names are
        scored again, where the codes of all are looked at.
    :param depths: its values from the quickest to the most thorough; the first that finds enough is taken.
    :param n_shards: parts that are searched at once, where a search goes through all of them.
    """

    name: str
    factory: Callable[[int, int], str]
    n_fetched: int
    parameter: str
    depths: tuple[int, ...]
    n_shards: int = 1


@dataclass(frozen=True, slots=True)
class Choice:
    """The kind to use, and why."""

    name: str
    reason: str


def choose_kind(n_names: int, wanted: str = AUTO) -> Choice:
    """The kind for a number of names: the wanted one, or by size.

    >>> choose_kind(72_000).name, choose_kind(5_000_000).name
    ('exact', 'pq')

    :raises SettingError: when there is no such kind.
    """
    if wanted not in NAMES:
        raise SettingError("no such kind of index", where="index", expected=", ".join(NAMES), got=wanted)
    if wanted != AUTO:
        return Choice(wanted, "asked for")
    if n_names <= FEW:
        return Choice(EXACT, f"{n_names:,} names, at most {FEW:,}: all vectors can be looked at")
    return Choice("pq", f"{n_names:,} names, more than {FEW:,}: short codes of all vectors fit into memory")


def _n_lists(n_names: int) -> int:
    """About four times the square root, a power of two, with 16 names a list at least."""
    lists: int = 1 << (4 * isqrt(n_names)).bit_length() - 1
    return max(1, min(lists, n_names // 16))


def _n_codes(width: int, numbers: int) -> int:
    """Codes of a vector, each of so many numbers; of fewer where the width cannot be parted so."""
    return width // next(size for size in range(numbers, 0, -1) if width % size == 0)


_PROBES = (16, 32, 64, 128, 256, 512, 1024, 2048)
KINDS = {
    kind.name: kind
    for kind in (
        # Codes of four bits that are compared in registers: nine nanoseconds a name, so no list is left out. Half as
        # many codes take half the time, but 16 times as many names to score again, which takes longer.
        Kind("pq", lambda n_names, width: f"PQ{_n_codes(width, 4)}x4fs", 400, FETCHED, (400, 800, 1600, 3200), 4),
        Kind("hnsw", lambda n_names, width: "HNSW32_SQfp16", 40, "efSearch", (64, 128, 256, 512, 1024)),
        Kind("ivf-sq", lambda n_names, width: f"IVF{_n_lists(n_names)},SQ8", 40, "nprobe", _PROBES),
        Kind(
            "ivf-pq",
            lambda n_names, width: f"IVF{_n_lists(n_names)},PQ{_n_codes(width, 2)}x4fs",
            200,
            "nprobe",
            _PROBES,
        ),
    )
}
NAMES = (AUTO, EXACT, *KINDS)

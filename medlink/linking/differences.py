"""What differs between two releases: settings, weights, and how far vectors moved."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medlink.encoder.combined import CombinedEncoder
from medlink.encoder.protocol import Encoder
from medlink.encoder.surface import SurfaceEncoder
from medlink.linking.context import ContextWeights
from medlink.linking.parts import ReleaseSettings
from medlink.linking.ranker import Ranker

# Rows of a table that are compared at once.
_BLOCK = 8192
# A shift that is a smaller share of a row's length is none: to read a table and write it again moves rows by 1e-7.
_LEAST_SHIFT = 1e-6


@dataclass(frozen=True, slots=True)
class Change:
    """A value that is not the same; ``None`` where one side has none."""

    name: str
    before: float | str | None
    after: float | str | None

    @property
    def size(self) -> float:
        """By how much a number changed; infinite for anything else."""
        both = self.before, self.after
        return abs(both[1] - both[0]) if isinstance(both[0], float) and isinstance(both[1], float) else np.inf


@dataclass(frozen=True, slots=True)
class RowShift:
    """How the rows of a table moved.

    :param mean: of the moved rows, the length of the shift as a share of the row's; ``largest`` likewise.
    """

    n_rows: int
    n_moved: int
    mean: float
    largest: float


@dataclass(frozen=True, slots=True)
class Drift:
    """How far the vectors of some texts moved: cosine distances, 0 for those that stayed."""

    n_texts: int
    mean: float
    percentile_95: float
    largest: float


def compare_settings(before: ReleaseSettings, after: ReleaseSettings) -> tuple[Change, ...]:
    """The settings that are not the same."""
    return compare_values(asdict(before), asdict(after))


def compare_context(before: ContextWeights, after: ContextWeights) -> tuple[Change, ...]:
    """The weights of a document's other mentions that are not the same."""
    return compare_values(asdict(before), asdict(after))


def compare_rankers(before: Ranker, after: Ranker) -> tuple[Change, ...]:
    """The weights that are not the same, those that changed most first, named as in ``hidden.3.exact``."""
    changes = compare_values(dict(_named_weights(before)), dict(_named_weights(after)))
    return tuple(sorted(changes, key=lambda change: (-change.size, change.name)))


def compare_figures(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[Change, ...]:
    """The numbers of two report cards that are not the same; that in ``{"a": {"b": 1}}`` is named ``a.b``."""
    return compare_values(dict(_named_numbers(before)), dict(_named_numbers(after)))


def compare_values(
    before: Mapping[str, float | str | None], after: Mapping[str, float | str | None]
) -> tuple[Change, ...]:
    """The values that are not the same, by name, in the order in which they come."""
    names = dict.fromkeys((*before, *after))
    return tuple(
        Change(name, before.get(name), after.get(name)) for name in names if before.get(name) != after.get(name)
    )


def compare_tables(before: Encoder, after: Encoder) -> RowShift | None:
    """How the rows of the surface towers' tables moved; ``None`` where they cannot be compared row by row."""
    first, second = _surface_of(before), _surface_of(after)
    if first is None or second is None or first.config.features != second.config.features:
        return None
    if first.table.shape != second.table.shape:
        return None
    shifts = np.concatenate(
        [
            _relative_shifts(first.table[start : start + _BLOCK], second.table[start : start + _BLOCK])
            for start in range(0, len(first.table), _BLOCK)
        ]
    )
    moved = shifts[shifts > _LEAST_SHIFT]
    mean = float(moved.mean()) if len(moved) else 0.0
    return RowShift(len(shifts), len(moved), mean, float(moved.max(initial=0.0)))


def sample_names(names: Sequence[str], n: int) -> list[str]:
    """At most ``n`` of some distinct names, the same ones in whatever order they come: those of the lowest hashes."""
    return sorted(names, key=lambda name: hashlib.sha256(name.encode()).digest())[:n]


def measure_drift(
    texts: Sequence[str], before: Encoder, after: Encoder, *, show_progress: bool = False
) -> Drift | None:
    """How far the vectors of some texts moved; ``None`` where those of both encoders do not compare.

    A tower that both have is not asked.
    """
    cosines = _cosines(texts, before, after, show_progress=show_progress)
    if cosines is None or not len(texts):
        return None
    distances = np.clip(1.0 - cosines, 0.0, 2.0)
    return Drift(len(texts), float(distances.mean()), float(np.percentile(distances, 95)), float(distances.max()))


def _cosines(
    texts: Sequence[str], before: Encoder, after: Encoder, *, show_progress: bool
) -> NDArray[np.float64] | None:
    """The cosine of each text's two vectors. *Shape:* (n_texts,)."""
    if before.fingerprint == after.fingerprint:
        return np.ones(len(texts))
    if isinstance(before, CombinedEncoder) and isinstance(after, CombinedEncoder):
        surface = _cosines(texts, before.surface, after.surface, show_progress=show_progress)
        semantic = _cosines(texts, before.semantic, after.semantic, show_progress=show_progress)
        if surface is None or semantic is None:
            return None
        shares = np.sqrt(before.weight * after.weight), np.sqrt((1 - before.weight) * (1 - after.weight))
        return np.asarray(shares[0] * surface + shares[1] * semantic)
    if before.width != after.width:
        return None
    both = [encoder.encode(texts, show_progress=show_progress).astype(np.float64) for encoder in (before, after)]
    return np.asarray((both[0] * both[1]).sum(axis=1))


def _surface_of(encoder: Encoder) -> SurfaceEncoder | None:
    tower = encoder.surface if isinstance(encoder, CombinedEncoder) else encoder
    return tower if isinstance(tower, SurfaceEncoder) else None


def _relative_shifts(before: NDArray[np.float32], after: NDArray[np.float32]) -> NDArray[np.float64]:
    """The length of each row's shift as a share of the row's own; of a row of zeros, 1 if it moved."""
    lengths = np.linalg.norm(before.astype(np.float64), axis=1)
    shifts = np.linalg.norm(after.astype(np.float64) - before, axis=1)
    return np.asarray(np.where(lengths > 0, shifts / np.where(lengths > 0, lengths, 1.0), shifts > 0), np.float64)


def _named_weights(ranker: Ranker) -> Iterator[tuple[str, float]]:
    weights = ranker.weights
    for field in ("mean", "scale", "linear"):
        yield from (
            (f"{field}.{name}", value) for name, value in zip(weights.features, getattr(weights, field), strict=True)
        )
    for unit, row in enumerate(weights.hidden):
        yield from ((f"hidden.{unit}.{name}", value) for name, value in zip(weights.features, row, strict=True))
    yield from ((f"hidden_bias.{unit}", value) for unit, value in enumerate(weights.hidden_bias))
    yield from ((f"output.{unit}", value) for unit, value in enumerate(weights.output))
    yield "nil", weights.nil


def _named_numbers(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, float]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _named_numbers(value, f"{prefix}{name}.")
        elif isinstance(value, int | float) and not isinstance(value, bool):
            yield f"{prefix}{name}", float(value)

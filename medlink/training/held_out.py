"""Names that an encoder has not seen in training, and how many of them find their concept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from medlink.errors import SettingError
from medlink.training.synonyms import Synonyms

_BLOCK = 512


@dataclass(frozen=True, slots=True, eq=False)
class HeldOut:
    """Names with the concepts that they belong to.

    :param concepts: *Shape:* (n_names,), int64.
    """

    names: tuple[str, ...]
    concepts: NDArray[np.int64]


def hold_out(synonyms: Synonyms, share: float, *, seed: int) -> tuple[Synonyms, HeldOut]:
    """The synonyms less one name of some concepts, and those names.

    A name is held out only of a concept that keeps two, and only if no other concept bears it.

    :param share: of the concepts that can spare a name, in [0, 1]; at least one name is held out.
    :raises SettingError: when no concept can spare a name.
    """
    spare = [rows for rows in map(range, synonyms.first[:-1], synonyms.first[1:]) if len(rows) > 2]
    names, counts = np.unique(synonyms.names, return_counts=True)
    unique = dict(zip(names.tolist(), (counts == 1).tolist(), strict=True))
    generator = np.random.default_rng(seed)
    chosen = [rows[int(generator.integers(1, len(rows)))] for rows in spare]
    chosen = [row for row in chosen if unique[synonyms.names[row]]]
    if not chosen:
        raise SettingError("no concept can spare a name", expected="one of three names or more")
    taken = np.sort(generator.permutation(chosen)[: max(1, round(share * len(chosen)))])
    concept_of = np.searchsorted(synonyms.first, taken, side="right") - 1
    kept = np.delete(np.arange(len(synonyms.names)), taken)
    left = replace(
        synonyms,
        names=tuple(synonyms.names[row] for row in kept.tolist()),
        first=np.searchsorted(kept, synonyms.first).astype(np.int64),
    )
    return left, HeldOut(tuple(synonyms.names[row] for row in taken.tolist()), concept_of.astype(np.int64))


def share_found(encode: Callable[[Sequence[str]], NDArray[np.float32]], held_out: HeldOut, synonyms: Synonyms) -> float:
    """The share of held-out names whose nearest name is one of their concept's, in [0, 1]."""
    names = encode(synonyms.names)
    concept_of = np.repeat(np.arange(synonyms.n_concepts), np.diff(synonyms.first))
    n_right = 0
    for start in range(0, len(held_out.names), _BLOCK):
        nearest = np.argmax(encode(held_out.names[start : start + _BLOCK]) @ names.T, axis=1)
        n_right += int((concept_of[nearest] == held_out.concepts[start : start + _BLOCK]).sum())
    return n_right / len(held_out.names)

"""Concepts that stay in a file and are parsed when they are asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence, ValuesView
from functools import lru_cache, partial
from itertools import compress
from mmap import ACCESS_READ, mmap
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from medlink.ontology.columns import find_sorted
from medlink.ontology.concept_json import parse_concept
from medlink.ontology.lazy import Lazy
from medlink.records import Concept

# Concepts, and places of ids, that are remembered; a concept takes about a kilobyte and a half.
_REMEMBERED = 1 << 16
# So few ids are kept in a dictionary, which takes a tenth of a second to make and finds ten times as quickly.
_FEW = 1 << 18


class StoredConcepts(Lazy[Concept]):
    """The concepts of a file of lines, mapped.

    :param path: of lines as :func:`medlink.ontology.concept_json.concept_line` writes them.
    :param bounds: where each line begins, and the last one ends. *Shape:* (n_concepts + 1,), int64.
    :raises OSError: when the file is missing.
    :raises ValueError: when it does not end with the last line.
    """

    def __init__(self, path: Path, bounds: NDArray[np.int64]) -> None:
        size = path.stat().st_size
        if not len(bounds) or bounds[-1] != size:
            raise ValueError(f"{path.name} has {size} bytes")
        self._path, self._bounds = path, bounds
        with path.open("rb") as stream:
            self._lines = mmap(stream.fileno(), 0, access=ACCESS_READ) if size else b""
        self._parsed = lru_cache(_REMEMBERED)(self._parse)

    def __reduce__(self) -> tuple[type[StoredConcepts], tuple[Path, NDArray[np.int64]]]:
        return StoredConcepts, (self._path, np.asarray(self._bounds))

    def __len__(self) -> int:
        return len(self._bounds) - 1

    def _at(self, place: int) -> Concept:
        return self._parsed(place)

    def _parse(self, place: int) -> Concept:
        line = self._lines[self._bounds.item(place) : self._bounds.item(place + 1)]
        return parse_concept(line.decode())

    def __iter__(self) -> Iterator[Concept]:
        return map(self._parse, range(len(self)))


class Selected(Lazy[Concept]):
    """Some of other concepts.

    :param places: ascending. *Shape:* (n_selected,), integers.
    """

    def __init__(self, concepts: Sequence[Concept], places: NDArray[np.int32]) -> None:
        self._concepts, self._places = concepts, places

    def __len__(self) -> int:
        return len(self._places)

    def _at(self, place: int) -> Concept:
        return self._concepts[self._places.item(place)]

    def __iter__(self) -> Iterator[Concept]:
        is_selected = np.zeros(len(self._concepts), np.bool_)
        is_selected[self._places] = True
        return compress(self._concepts, is_selected)


class Overlaid(Lazy[Concept]):
    """Other concepts, some of them changed.

    :param changed: by place.
    """

    def __init__(self, concepts: Sequence[Concept], changed: Mapping[int, Concept]) -> None:
        self._concepts, self._changed = concepts, changed

    def __len__(self) -> int:
        return len(self._concepts)

    def _at(self, place: int) -> Concept:
        return self._changed[place] if place in self._changed else self._concepts[place]

    def __iter__(self) -> Iterator[Concept]:
        return (self._changed.get(place, concept) for place, concept in enumerate(self._concepts))


def overlay(concepts: Sequence[Concept], changed: Mapping[int, Concept]) -> Sequence[Concept]:
    """The concepts with some of them changed, by place; a tuple stays one."""
    if isinstance(concepts, tuple):
        return tuple(changed.get(place, concept) for place, concept in enumerate(concepts))
    return Overlaid(concepts, changed)


class ConceptsById(Mapping[str, Concept]):
    """Concepts by id, without a dictionary.

    :param ids: sorted.
    :param concepts: in the order of the ids.
    """

    def __init__(self, ids: Sequence[str], concepts: Sequence[Concept]) -> None:
        self._ids, self._concepts = ids, concepts
        self._place: Callable[[str], int | None] = (
            {concept_id: place for place, concept_id in enumerate(ids)}.get
            if len(ids) <= _FEW
            else lru_cache(_REMEMBERED)(partial(find_sorted, ids))
        )

    def __reduce__(self) -> tuple[type[ConceptsById], tuple[Sequence[str], Sequence[Concept]]]:
        return ConceptsById, (self._ids, self._concepts)

    def __getitem__(self, concept_id: str) -> Concept:
        place = self._place(concept_id)
        if place is None:
            raise KeyError(concept_id)
        return self._concepts[place]

    def __contains__(self, concept_id: object) -> bool:
        return isinstance(concept_id, str) and self._place(concept_id) is not None

    def __len__(self) -> int:
        return len(self._ids)

    def __iter__(self) -> Iterator[str]:
        return iter(self._ids)

    def values(self) -> ValuesView[Concept]:
        """The concepts in the order of their ids."""
        return _InOrder(self)

    def in_order(self) -> Iterator[Concept]:
        """The concepts in the order of their ids, read through, none remembered."""
        return iter(self._concepts)


class _InOrder(ValuesView[Concept]):
    def __init__(self, mapping: ConceptsById) -> None:
        super().__init__(mapping)
        self._by_id = mapping

    def __iter__(self) -> Iterator[Concept]:
        return self._by_id.in_order()

"""Sequences whose items are made when they are asked for."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import TypeVar, overload

Item = TypeVar("Item", covariant=True)


class Lazy(Sequence[Item]):
    """Items that are made when they are asked for; equal to any sequence of the same ones."""

    @abstractmethod
    def _at(self, place: int) -> Item:
        """The item at a place that is not negative.

        :raises IndexError: when there is none.
        """

    @overload
    def __getitem__(self, place: int) -> Item: ...
    @overload
    def __getitem__(self, place: slice) -> tuple[Item, ...]: ...
    def __getitem__(self, place: int | slice) -> Item | tuple[Item, ...]:
        """The item at a place; of a slice a tuple."""
        if isinstance(place, slice):
            return tuple(map(self._at, range(*place.indices(len(self)))))
        if place >= 0:
            return self._at(place)
        if place < -len(self):
            raise IndexError(place)
        return self._at(place + len(self))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence) or isinstance(other, str):
            return NotImplemented
        return len(self) == len(other) and all(a == b for a, b in zip(self, other, strict=True))

    __hash__ = None  # type: ignore[assignment]

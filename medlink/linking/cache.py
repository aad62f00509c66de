"""A bounded memory of what was worked out last."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class RecentCache(Generic[Key, Value]):
    """Remembers values by key; when it is full, the least recently used goes first.

    :param capacity: values that are kept, at least 1.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._values: OrderedDict[Key, Value] = OrderedDict()

    def __len__(self) -> int:
        return len(self._values)

    def __contains__(self, key: Key) -> bool:
        return key in self._values

    def __getitem__(self, key: Key) -> Value:
        """The value of a key, which is now the most recently used.

        :raises KeyError: when it is not remembered (any more).
        """
        self._values.move_to_end(key)
        return self._values[key]

    def update(self, values: dict[Key, Value]) -> None:
        """Remembers some values, in their order."""
        for key, value in values.items():
            self._values[key] = value
            self._values.move_to_end(key)
        while len(self._values) > self._capacity:
            self._values.popitem(last=False)

"""Lines of a binary stream in bounded memory, alone or as the records of a CSV file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

BOM = b"\xef\xbb\xbf"
_CHUNK = 1 << 16


@dataclass(frozen=True, slots=True)
class Line:
    """A line with its end.

    :param data: its bytes; none when they are more than the limit.
    :param n_bytes: how many it has in the file.
    :param n_quotes: how many of them are a ``"``.
    """

    data: bytes
    n_bytes: int
    n_quotes: int


def read_lines(stream: BinaryIO, limit: int) -> Iterator[Line]:
    r"""The lines up to each ``\n``; of one with more than ``limit`` bytes only its counts.

    A byte order mark at the start is dropped.
    """
    data = stream.readline(limit + 1).removeprefix(BOM)
    while data:
        n_bytes, n_quotes = len(data), data.count(b'"')
        last = data
        while n_bytes > limit and last and not last.endswith(b"\n"):
            last = stream.readline(_CHUNK)
            n_bytes, n_quotes = n_bytes + len(last), n_quotes + last.count(b'"')
        yield Line(data if n_bytes <= limit else b"", n_bytes, n_quotes)
        data = stream.readline(limit + 1)


class RecordLines:
    """The lines as text for ``csv.reader``, which joins those of a record whose quotes are open.

    Of a record with more than ``limit`` bytes it gives only what closes or opens quotes, so that the reader finds the
    start of the next record without the memory for this one. Bytes that are not UTF-8 become lone surrogates.
    """

    def __init__(self, lines: Iterator[Line], limit: int) -> None:
        self._lines = lines
        self._limit = limit
        self._n_bytes = 0

    def begin_record(self) -> None:
        """Count from here."""
        self._n_bytes = 0

    @property
    def is_too_large(self) -> bool:
        """Whether the record at hand has more bytes than the limit."""
        return self._n_bytes > self._limit

    def __iter__(self) -> RecordLines:
        return self

    def __next__(self) -> str:
        line = next(self._lines)
        self._n_bytes += line.n_bytes
        if self.is_too_large:
            return '"' * (line.n_quotes % 2) + "\n"
        return line.data.decode(errors="surrogateescape")

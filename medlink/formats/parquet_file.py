"""Parquet files written row by row in constant memory."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any, BinaryIO

if TYPE_CHECKING:
    import pyarrow as pa

# Rows that are held and become one row group: large enough to compress well, a few megabytes of memory.
_GROUP = 10_000


def write_rows(rows: Iterable[Mapping[str, Any]], schema: pa.Schema, stream: BinaryIO) -> None:
    """A Parquet file of some rows, compressed with zstd. The same rows give the same bytes.

    :param rows: each with a value, or ``None``, for every field of the schema.
    """
    import pyarrow as pa  # a third of a second, for these formats alone
    import pyarrow.parquet as pq

    rest = iter(rows)
    with pq.ParquetWriter(stream, schema, compression="zstd") as writer:
        while group := list(islice(rest, _GROUP)):
            writer.write_batch(pa.RecordBatch.from_pylist(group, schema=schema))

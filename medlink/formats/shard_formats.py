"""The formats that can be written in shards: those that are a file, written note by note in constant memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import BinaryIO

from medlink.formats.csv_table import write_csv
from medlink.formats.fhir import write_fhir
from medlink.formats.jsonl import write_jsonl
from medlink.formats.link_table import write_parquet
from medlink.formats.note_nlp import write_note_nlp_csv, write_note_nlp_parquet
from medlink.records import LinkedDocument

Write = Callable[[Iterable[LinkedDocument], BinaryIO], None]


@dataclass(frozen=True, slots=True)
class ShardFormat:
    """How a shard is written.

    :param suffix: of its file's name.
    :param write: writes documents to a stream, given the number of the shard's first mention among those of all shards,
        counted from 1.
    """

    suffix: str
    write: Callable[[Iterable[LinkedDocument], BinaryIO, int], None]


def _alone(suffix: str, write: Write) -> ShardFormat:
    """The format of rows that have no number."""
    return ShardFormat(suffix, lambda links, stream, _first_row: write(links, stream))


SHARD_FORMATS: dict[str, ShardFormat] = {
    "jsonl": _alone(".jsonl", write_jsonl),
    "parquet": _alone(".parquet", write_parquet),
    "csv": _alone(".csv", write_csv),
    "fhir": _alone(".ndjson", write_fhir),
    "omop-csv": ShardFormat(".csv", lambda links, stream, row: write_note_nlp_csv(links, stream, first_id=row)),
    "omop-parquet": ShardFormat(
        ".parquet", lambda links, stream, row: write_note_nlp_parquet(links, stream, first_id=row)
    ),
}

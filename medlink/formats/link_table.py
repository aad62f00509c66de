"""Links as a table with a fixed schema: Parquet output, and the rows that Spark gives."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, BinaryIO

from medlink.formats.decision import decide, round_score
from medlink.formats.parquet_file import write_rows
from medlink.records import Assertion, LinkedDocument

if TYPE_CHECKING:
    import pyarrow as pa

#: The columns and their types, by their names in Arrow; a column that ends in "?" may hold nulls.
COLUMNS = {
    "doc_id": "string", "start": "int32", "end": "int32", "surface": "string", "expanded": "string",
    "concept_id": "string?", "concept_name": "string?", "score": "float64",
    "negated": "bool", "uncertain": "bool", "historical": "bool", "hypothetical": "bool", "family": "bool",
    "section": "string", "sentence_start": "int32", "sentence_end": "int32", "label": "string",
    "candidate_ids": "list", "candidate_names": "list", "candidate_scores": "scores",
    "release": "string", "ontology_version": "string",
}  # fmt: skip


def write_parquet(links: Iterable[LinkedDocument], stream: BinaryIO) -> None:
    """A Parquet file with one row per link, in the order of the links: see :func:`link_rows`. Constant memory."""
    write_rows((row for linked in links for row in link_rows(linked)), link_schema(), stream)


def link_rows(linked: LinkedDocument) -> Iterator[dict[str, Any]]:
    """A row for each link of a document, with a value for each of :data:`COLUMNS`.

    ``concept_id`` and ``concept_name`` are null where no concept was chosen. The candidates stand in three lists of
    equal length, best first, the chosen one among them. Scores have 4 decimals. A document without links has no row.
    """
    for link in linked.links:
        mention, decision = link.mention, decide(link)
        yield {
            "doc_id": linked.document.id,
            "start": mention.start,
            "end": mention.end,
            "surface": mention.surface,
            "expanded": mention.expanded,
            "concept_id": decision.concept_id or None,
            "concept_name": decision.name or None,
            "score": round_score(decision.score),
            **{label: getattr(mention.assertion, label) for label in Assertion.__slots__},
            "section": mention.section,
            "sentence_start": mention.sentence[0],
            "sentence_end": mention.sentence[1],
            "label": mention.label,
            "candidate_ids": [candidate.concept_id for candidate in link.candidates],
            "candidate_names": [candidate.name for candidate in link.candidates],
            "candidate_scores": [round_score(candidate.score) for candidate in link.candidates],
            "release": link.release,
            "ontology_version": link.ontology_version,
        }


def link_schema() -> pa.Schema:
    """The schema of :data:`COLUMNS` in Arrow."""
    import pyarrow as pa

    types = {
        "string": pa.string(),
        "int32": pa.int32(),
        "float64": pa.float64(),
        "bool": pa.bool_(),
        "list": pa.list_(pa.string()),
        "scores": pa.list_(pa.float64()),
    }
    return pa.schema(
        [pa.field(name, types[kind.rstrip("?")], nullable=kind.endswith("?")) for name, kind in COLUMNS.items()]
    )

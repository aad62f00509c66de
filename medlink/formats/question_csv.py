"""Links as a table to fill in: who annotates in a spreadsheet writes a verdict and a concept behind each mention."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from typing import BinaryIO

from medlink.formats.annotation_jsonl import join_proposed, protect
from medlink.formats.proposed import proposed_of
from medlink.records import Candidate, Link, LinkedDocument

COLUMNS = (
    "doc_id", "start", "end", "before", "surface", "after", "section", "expanded", "candidates", "verdict",
    "concept_id", "annotator", "time", "proposed", "release", "ontology_version",
)  # fmt: skip
#: Code points of the note on either side of a mention.
WINDOW = 80


def write_question_csv(links: Iterable[LinkedDocument], stream: BinaryIO) -> None:
    """A UTF-8 table with the header :data:`COLUMNS` and one row per link, ordered as the links are.

    ``verdict``, ``concept_id``, ``annotator`` and ``time`` are empty, for the annotator; ``candidates`` are the
    concepts with their names, the proposed one first. What is filled in can be read by
    :func:`medlink.formats.annotation_jsonl.read_annotation_csv`. Safe to open in a spreadsheet; constant memory.
    """
    text = io.TextIOWrapper(stream, encoding="utf-8", newline="", write_through=True)
    rows = csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)
    rows.writerow(COLUMNS)
    for linked in links:
        for link in linked.links:
            rows.writerow([protect(cell) if isinstance(cell, str) else cell for cell in _row(link, linked)])
    text.detach()


def _row(link: Link, linked: LinkedDocument) -> tuple[str | int, ...]:
    mention, text = link.mention, linked.document.text
    return (
        mention.doc_id,
        mention.start,
        mention.end,
        text[max(mention.start - WINDOW, 0) : mention.start],
        mention.surface,
        text[mention.end : mention.end + WINDOW],
        mention.section,
        mention.expanded,
        _candidates(link),
        "",
        "",
        "",
        "",
        join_proposed(proposed_of(link).candidates),
        link.release,
        link.ontology_version,
    )


def _candidates(link: Link) -> str:
    """The concepts with their names, the chosen one first; of NIL that no concept was chosen."""
    ranked = sorted(link.candidates, key=lambda candidate: candidate.concept_id != link.concept_id)
    return " | ".join(([] if link.concept_id else ["NIL"]) + [_named(candidate) for candidate in ranked])


def _named(candidate: Candidate) -> str:
    return f"{candidate.concept_id} {candidate.name}"

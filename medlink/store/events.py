"""Events: annotations as the ledger keeps them, what makes two of them the same, and their form as table rows."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from medlink.records import Annotation, Proposal, Source, Verdict
from medlink.text import flatten

# Bytes of an event's id: with a thousand million events the chance that two share one is below 1e-20.
ID_BYTES = 16

#: The columns of an event that hold what was said, in the order of :func:`to_row`.
COLUMNS = (
    "id", "line", "record_id", "tool", "doc_id", "doc_hash", "start", "end", "surface", "expanded", "section", "before",
    "after", "verdict", "concept_id", "proposed", "rejected", "annotator", "adjudicator", "time", "release",
    "ontology_version",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Event:
    """A checked annotation: what the ledger is told.

    :param annotation: with offsets in code points of the untouched text, its surface, and without the text.
    :param file_hash: sha256 of the file that brought it.
    """

    annotation: Annotation
    file_hash: str = ""

    @property
    def id(self) -> bytes:
        """What makes it this event, whatever file it came from: document, span, verdict, concept, who and when.

        The text's hash is not part of it, as one export may lack the text that another has; see
        :meth:`medlink.store.ledger.Batch.add`.
        """
        said = self.annotation
        identity = (
            said.doc_id,
            said.start,
            said.end,
            flatten(said.surface),
            said.verdict.value,
            said.concept_id,
            said.annotator,
            said.adjudicator,
            said.time and to_stamp(said.time),
        )
        return sha256(_pack(identity).encode()).digest()[:ID_BYTES]


@dataclass(frozen=True, slots=True)
class Entry:
    """An event in the ledger.

    :param seq: its place in the order of recording, from 1.
    :param batch: the number of its batch.
    :param recorded_at: when its batch was recorded.
    :param event: the ``doc_hash`` in it is the ledger's knowledge, also where the event came without a text.
    """

    seq: int
    batch: int
    recorded_at: datetime
    event: Event

    @property
    def at(self) -> datetime:
        """When the annotator said it; where the file did not say, when it was recorded."""
        return self.event.annotation.time or self.recorded_at


def text_hash(text: str) -> str:
    """The sha256 of a text as UTF-8, in hexadecimal; each white-space character counts as a space, none at the end.

    So copies whose offsets are the same have the same hash, also where a tool cannot hold line breaks.

    :raises UnicodeEncodeError: when the text holds half a surrogate pair.
    """
    return sha256(flatten(text).rstrip(" ").encode()).hexdigest()


def to_stamp(moment: datetime) -> str:
    """The moment in UTC as text whose order is that of time.

    >>> to_stamp(datetime.fromisoformat("2026-01-31T10:30:00+01:00"))
    '2026-01-31T09:30:00.000000Z'

    :raises OverflowError: when it lies before the year 1 or behind 9999 in UTC.
    """
    return moment.astimezone(UTC).isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"


def from_stamp(stamp: str) -> datetime:
    """The moment that :func:`to_stamp` wrote."""
    return datetime.fromisoformat(stamp)


def to_row(event: Event) -> tuple[Any, ...]:
    """The values of :data:`COLUMNS`."""
    said = event.annotation
    return (
        event.id,
        said.source.line,
        said.source.record_id,
        said.tool,
        said.doc_id,
        said.doc_hash,
        said.start,
        said.end,
        said.surface,
        said.expanded,
        said.section,
        *said.context,
        said.verdict.value,
        said.concept_id,
        _pack([[proposal.concept_id, proposal.score] for proposal in said.proposed]),
        _pack(said.rejected),
        said.annotator,
        int(said.adjudicator),
        said.time and to_stamp(said.time),
        said.release,
        said.ontology_version,
    )


def from_row(row: Sequence[Any], *, file: str, file_hash: str) -> Event:
    """The event of the values of :data:`COLUMNS`."""
    (
        _, line, record_id, tool, doc_id, doc_hash, start, end, surface, expanded, section, before, after, verdict,
        concept_id, proposed, rejected, annotator, adjudicator, time, release, ontology_version,
    ) = row  # fmt: skip
    annotation = Annotation(
        doc_id=doc_id,
        start=start,
        end=end,
        surface=surface,
        verdict=Verdict(verdict),
        source=Source(file, line, record_id),
        tool=tool,
        concept_id=concept_id,
        expanded=expanded,
        section=section,
        proposed=tuple(Proposal(*pair) for pair in json.loads(proposed)),
        rejected=tuple(json.loads(rejected)),
        annotator=annotator,
        time=None if time is None else from_stamp(time),
        release=release,
        ontology_version=ontology_version,
        doc_hash=doc_hash,
        context=(before, after),
        adjudicator=bool(adjudicator),
    )
    return Event(annotation, file_hash)


def row_bytes(row: Sequence[Any], file: str, file_hash: str) -> bytes:
    """The row as bytes that differ where any value differs: what a batch's digest covers."""
    return _pack([row[0].hex(), *row[1:], file, file_hash]).encode() + b"\n"


_pack = json.JSONEncoder(ensure_ascii=True, allow_nan=False, separators=(",", ":")).encode

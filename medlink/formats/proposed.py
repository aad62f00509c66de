"""What an annotator was shown: the system's proposal for a span, as it travels in files and comes from a baseline."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from medlink.errors import CorpusFormatError
from medlink.formats.batch_files import Limits
from medlink.formats.decision import round_score
from medlink.formats.file_names import doc_id_of, file_name
from medlink.formats.json_records import as_object, list_of, offset_of, text_of
from medlink.formats.lines import read_lines
from medlink.formats.links_json import parse_line
from medlink.formats.note_files import printable
from medlink.records import Link, LinkedDocument, Proposal

#: The key under which exported files carry proposals through tools that keep what they do not know.
KEY = "medlink"


@dataclass(frozen=True, slots=True)
class Proposed:
    """The system's proposal for a span.

    :param concept_id: what it chose, empty for NIL.
    :param candidates: all that it considered, the chosen one first.
    """

    start: int
    end: int
    surface: str
    concept_id: str
    candidates: tuple[Proposal, ...] = ()
    expanded: str = ""
    section: str = ""
    release: str = ""
    ontology_version: str = ""

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids of the candidates."""
        return tuple(candidate.concept_id for candidate in self.candidates)


def proposed_of(link: Link) -> Proposed:
    """The proposal that a link is."""
    mention = link.mention
    rows = [Proposal(c.concept_id, round_score(c.score)) for c in link.candidates]
    if link.concept_id is not None and link.concept_id not in {row.concept_id for row in rows}:
        rows.insert(0, Proposal(link.concept_id))
    return Proposed(
        mention.start,
        mention.end,
        mention.surface,
        link.concept_id or "",
        tuple(sorted(rows, key=lambda row: row.concept_id != link.concept_id)),
        mention.expanded,
        mention.section,
        link.release,
        link.ontology_version,
    )


def proposed_row(link: Link) -> dict[str, Any]:
    """The proposal as plain values, with the keys that :func:`parse_proposed` reads; empty ones are left out."""
    proposed = proposed_of(link)
    row: dict[str, Any] = {"start": proposed.start, "end": proposed.end, "surface": proposed.surface}
    row["concept_id"] = proposed.concept_id
    row["candidates"] = [{"concept_id": c.concept_id, "score": c.score} for c in proposed.candidates]
    for key in _TEXTS:
        if getattr(proposed, key):
            row[key] = getattr(proposed, key)
    return row


_TEXTS = ("expanded", "section", "release", "ontology_version")


def parse_proposed(value: object) -> Proposed:
    """The proposal of a row that :func:`proposed_row` made.

    :raises CorpusFormatError: when it has another form.
    """
    row = as_object(value, "a carried proposal")
    candidates = tuple(_candidate(candidate) for candidate in list_of(row, "candidates"))
    return Proposed(
        offset_of(row, "start"),
        offset_of(row, "end"),
        text_of(row, "surface"),
        text_of(row, "concept_id"),
        candidates,
        **{key: text_of(row, key) for key in _TEXTS},
    )


def _candidate(value: object) -> Proposal:
    row = as_object(value, "a carried candidate")
    return Proposal(text_of(row, "concept_id"), score_of(row.get("score")))


def score_of(value: object) -> float | None:
    """The value where it is a score in [0, 1], else ``None``."""
    is_score = isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1
    return float(value) if is_score else None  # type: ignore[arg-type]


def parse_carried(value: object) -> tuple[Proposed, ...] | None:
    """The proposals under :data:`KEY`, a list of rows or an object with such a list under ``links``.

    :returns: ``None`` where there is neither.
    :raises CorpusFormatError: when there is something else.
    """
    rows = value.get("links") if isinstance(value, Mapping) else value
    if rows is None:
        return None
    if not isinstance(rows, list | tuple):
        raise CorpusFormatError("carried proposals are no list", got=type(rows).__name__)
    return tuple(parse_proposed(row) for row in rows)


@dataclass(frozen=True)
class Reading:
    """How a batch is read.

    :param baseline: what was exported for annotation, by document: the proposals that files of tools without a place
        for them are compared with.
    """

    limits: Limits = field(default_factory=Limits)
    baseline: Mapping[str, LinkedDocument] = field(default_factory=dict)

    def proposed(self, doc_id: str) -> tuple[Proposed, ...]:
        """The baseline's proposals for a document, none where it does not have it."""
        linked = self.baseline.get(doc_id)
        return tuple(map(proposed_of, linked.links)) if linked else ()

    def text(self, doc_id: str) -> str:
        """The baseline's text of a document, empty where it has none."""
        linked = self.baseline.get(doc_id)
        return linked.document.text if linked else ""

    def doc_id(self, name: str) -> str:
        """The document that a file was exported for; without a baseline that knows it, the name read as an id.

        :param name: its path without suffix, with folders as far as they are known, or with more of them.
        """
        parts = name.split("/")
        for at in range(len(parts)):
            doc_ids = self._by_file_name.get("/".join(parts[at:]), ())
            if len(doc_ids) == 1:
                return doc_ids[0]
        return doc_id_of(name)

    @cached_property
    def _by_file_name(self) -> dict[str, list[str]]:
        """The documents by the name of their file, and by the last parts of that."""
        names: dict[str, list[str]] = {}
        for doc_id in self.baseline:
            parts = file_name(doc_id).split("/")
            for at in range(len(parts)):
                names.setdefault("/".join(parts[at:]), []).append(doc_id)
        return names


def read_baseline(path: Path, *, limits: Limits | None = None) -> dict[str, LinkedDocument]:
    """The links that were exported, by document, from what ``medlink link --format jsonl`` wrote.

    :raises CorpusFormatError: when a line is no such output; ``where`` names it.
    """
    with path.open("rb") as stream:
        lines = (line.data for line in read_lines(stream, (limits or Limits()).line_bytes))
        return {linked.document.id: linked for linked in parse_links(lines, printable(path))}


def parse_links(lines: Iterable[bytes], where: str) -> Iterator[LinkedDocument]:
    """The linked documents of JSON lines.

    :raises CorpusFormatError: as :func:`read_baseline` does.
    """
    for number, line in enumerate(lines, start=1):
        try:
            yield parse_line(line.decode())
        except (CorpusFormatError, UnicodeDecodeError):
            raise CorpusFormatError(
                "no line of links", where=f"{where}:{number}", expected="the output of medlink link --format jsonl"
            ) from None

"""The link log: what was linked, so that a later release can link it again without the notes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from medlink.records import Mention
from medlink.store.database import Store, sqlite_errors
from medlink.store.events import from_stamp, to_stamp
from medlink.store.log_writers import Recorder, Relinking
from medlink.store.logged import LINK_LOG, LoggedDocument, LoggedLink, Outcome, Run, RunRecord, Target

# Documents of one question.
_ASKED = 500


class LinkLog(Store):
    """An open link log; use it as a context manager, or close it."""

    kind = LINK_LOG

    def recorder(self, run: Run, now: datetime) -> Recorder:
        """What takes a run's documents in; of each the log then holds these links and no earlier ones."""
        return Recorder(self._connection, self.path, run, to_stamp(now))

    def relinking(self) -> Relinking:
        """What takes new links to recorded mentions in, all at once."""
        return Relinking(self._connection, self.path)

    def targets(self) -> dict[Target, int]:
        """The number of documents by what they are linked to."""
        rows = self._select(
            "SELECT t.ontology, t.branches, count(d.id) FROM targets t LEFT JOIN documents d ON d.target_id = t.id "
            "GROUP BY t.id ORDER BY t.id"
        )
        return {Target(ontology, tuple(json.loads(branches))): n for ontology, branches, n in rows}

    def runs(self) -> dict[int, RunRecord]:
        """All runs by number."""
        rows = self._select(
            'SELECT r.id, kind, recorded_at, ontology, branches, "release", ontology_version, content_hash, '
            "corrections, threshold, medlink FROM runs r JOIN targets t ON t.id = r.target_id ORDER BY r.id"
        )
        return {
            number: RunRecord(number, kind, from_stamp(stamp), Run(Target(name, tuple(json.loads(branches))), *rest))
            for number, kind, stamp, name, branches, *rest in rows
        }

    def document_numbers(self, target: Target) -> list[int]:
        """The numbers of a target's documents, in the order of their ids."""
        rows = self._select(
            "SELECT d.id FROM documents d JOIN targets t ON t.id = d.target_id "
            "WHERE t.ontology = ? AND t.branches = ? ORDER BY d.doc_id",
            (target.ontology, target.packed_branches),
        )
        return [number for (number,) in rows]

    def queries(self, target: Target) -> Iterator[tuple[int, str]]:
        """The distinct queries of a target's links with their numbers, in the order of these; none empty."""
        yield from self._select(
            "SELECT id, text FROM queries WHERE text <> '' AND id IN (SELECT query_id FROM wordings WHERE id IN "
            "(SELECT wording_id FROM links WHERE document_id IN (SELECT d.id FROM documents d JOIN targets t "
            "ON t.id = d.target_id WHERE t.ontology = ? AND t.branches = ?))) ORDER BY id",
            (target.ontology, target.packed_branches),
        )

    def documents(self, numbers: Sequence[int]) -> Iterator[LoggedDocument]:
        """Documents by their numbers, in the order given; one that is not there (any more) is left out."""
        for start in range(0, len(numbers), _ASKED):
            some = numbers[start : start + _ASKED]
            marks = ", ".join("?" * len(some))
            heads = {
                number: (doc_id, run_id)
                for number, doc_id, run_id in self._select(
                    f"SELECT id, doc_id, run_id FROM documents WHERE id IN ({marks})",  # noqa: S608 - question marks
                    some,
                )
            }
            links: dict[int, list[LoggedLink]] = {number: [] for number in heads}
            for number, *rest in self._select(
                f'SELECT l.document_id, l."start", l."end", w.surface, w.expanded, w.query_id, s.text, '  # noqa: S608
                "l.concept_id, l.score, l.candidates FROM links l JOIN wordings w ON w.id = l.wording_id "
                f"JOIN sections s ON s.id = l.section_id WHERE l.document_id IN ({marks}) ORDER BY 1, 2, 3",
                some,
            ):
                links[number].append(_to_link(heads[number][0], *rest))
            for number in some:
                if number in heads:
                    yield LoggedDocument(number, *heads[number], tuple(links[number]))

    def history(self, doc_id: str) -> tuple[tuple[tuple[int, int], int, Outcome], ...]:
        """The links of a document that relinking replaced: place, number of the run, and what it was; oldest first."""
        rows = self._select(
            'SELECT h."start", h."end", h.run_id, h.concept_id, h.score, h.candidates FROM history h '
            "JOIN documents d ON d.id = h.document_id WHERE d.doc_id = ? ORDER BY h.id",
            (doc_id,),
        )
        return tuple(
            ((start, end), run_id, Outcome(concept_id, score, tuple(json.loads(candidates))))
            for start, end, run_id, concept_id, score, candidates in rows
        )

    def n_links(self) -> int:
        """The number of recorded links."""
        return int(next(self._select("SELECT count(*) FROM links"))[0])

    def _select(self, sql: str, values: Sequence[str | int] = ()) -> Iterator[tuple[Any, ...]]:
        with sqlite_errors(self.path, LINK_LOG):
            yield from self._connection.execute(sql, values)


def _to_link(
    doc_id: str,
    start: int,
    end: int,
    surface: str,
    expanded: str,
    query_id: int,
    section: str,
    concept_id: str | None,
    score: float,
    candidates: str,
) -> LoggedLink:
    mention = Mention(doc_id, start, end, surface, expanded=expanded, section=section)
    return LoggedLink(mention, query_id, Outcome(concept_id, score, tuple(json.loads(candidates))))

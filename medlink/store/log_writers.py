"""What writes into the link log: a run that links, and one that links again."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from medlink.records import LinkedDocument, Mention
from medlink.store.database import sqlite_errors, transaction
from medlink.store.events import to_stamp
from medlink.store.logged import LINK_LOG, LoggedDocument, Outcome, Run, Target, outcome_of, pack_outcome
from medlink.text import normalise

# Links of one transaction: enough that its sync is no matter, few enough that others hardly wait.
_BATCH = 4000
# Wordings whose numbers a recorder remembers.
_REMEMBERED = 1 << 17


class Recorder:
    """Writes the documents of one run into the log, some thousand links a time; made by :meth:`LinkLog.recorder`.

    Of a document all links are written or none. To record one again, as a resumed run does, changes nothing.
    """

    def __init__(self, connection: sqlite3.Connection, path: Path, run: Run, stamp: str) -> None:
        self._connection, self._path, self._run, self._stamp = connection, path, run, stamp
        self._waiting: list[LinkedDocument] = []
        self._n_waiting = 0
        self._run_id = self._target_id = 0
        self._known: dict[tuple[str, ...], int] = {}

    def add(self, linked: LinkedDocument) -> None:
        """Takes a document in.

        :raises StoreError: when the log cannot be written; what an earlier transaction wrote stays.
        """
        self._waiting.append(linked)
        self._n_waiting += 1 + len(linked.links)
        if self._n_waiting >= _BATCH:
            self.flush()

    def flush(self) -> None:
        """Writes what was taken in.

        :raises StoreError: as :meth:`add` does.
        """
        if not self._waiting:
            return
        with sqlite_errors(self._path, LINK_LOG), transaction(self._connection):
            if not self._run_id:
                self._target_id = _obtain_target(self._connection, self._run.target)
                releases = (link.release for linked in self._waiting for link in linked.links)
                run = replace(self._run, release=next(releases, self._run.release))
                self._run_id = _insert_run(self._connection, self._target_id, "link", self._stamp, run)
            if len(self._known) > _REMEMBERED:
                self._known = {}
            for linked in self._waiting:
                self._write(linked)
        self._waiting, self._n_waiting = [], 0

    def _write(self, linked: LinkedDocument) -> None:
        (number,) = self._connection.execute(
            "INSERT INTO documents (target_id, doc_id, run_id) VALUES (?, ?, ?) "
            "ON CONFLICT DO UPDATE SET run_id = excluded.run_id RETURNING id",
            (self._target_id, linked.document.id, self._run_id),
        ).fetchone()
        self._connection.execute("DELETE FROM links WHERE document_id = ?", (number,))
        self._connection.executemany(
            "INSERT OR REPLACE INTO links VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (
                    number,
                    link.mention.start,
                    link.mention.end,
                    self._wording(link.mention),
                    self._obtain("sections", normalise(link.mention.section)),
                    *pack_outcome(outcome_of(link)),
                )
                for link in linked.links
            ],
        )

    def _wording(self, mention: Mention) -> int:
        key = ("wordings", mention.surface, mention.expanded)
        if key not in self._known:
            self._connection.execute(
                "INSERT OR IGNORE INTO wordings (surface, expanded, query_id) VALUES (?, ?, ?)",
                (mention.surface, mention.expanded, self._obtain("queries", normalise(mention.query))),
            )
            (self._known[key],) = self._connection.execute(
                "SELECT id FROM wordings WHERE surface = ? AND expanded = ?", (mention.surface, mention.expanded)
            ).fetchone()
        return self._known[key]

    def _obtain(self, table: str, text: str) -> int:
        key = (table, text)
        if key not in self._known:
            self._connection.execute(f"INSERT OR IGNORE INTO {table} (text) VALUES (?)", (text,))  # noqa: S608
            row = self._connection.execute(f"SELECT id FROM {table} WHERE text = ?", (text,))  # noqa: S608
            (self._known[key],) = row.fetchone()
        return self._known[key]


class Relinking:
    """New links to recorded mentions, gathered beside the log, then put in as one; made by :meth:`LinkLog.relinking`.

    Until :meth:`commit` the log is as it was, and others may read and write it. What is gathered holds no text.
    """

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._connection, self._path = connection, path
        with sqlite_errors(path, LINK_LOG):
            connection.execute("DROP TABLE IF EXISTS temp.staged")
            connection.execute(
                'CREATE TEMP TABLE staged (document_id INTEGER, "start" INTEGER, "end" INTEGER, '
                'concept_id TEXT, score REAL, candidates TEXT, PRIMARY KEY (document_id, "start", "end")) WITHOUT ROWID'
            )
            for table in ("seen", "done"):
                connection.execute(f"DROP TABLE IF EXISTS temp.{table}")
                connection.execute(f"CREATE TEMP TABLE {table} (document_id INTEGER PRIMARY KEY, run_id INTEGER)")

    def add(self, documents: Iterable[tuple[LoggedDocument, Sequence[Outcome]]]) -> None:
        """Gathers documents as they were read, each with the new outcomes of its links, in their order."""
        seen: list[tuple[int, int]] = []
        rows: list[tuple[object, ...]] = []
        for document, outcomes in documents:
            seen.append((document.id, document.run_id))
            rows += [
                (document.id, link.mention.start, link.mention.end, *pack_outcome(outcome))
                for link, outcome in zip(document.links, outcomes, strict=True)
                if outcome != link.outcome
            ]
        with sqlite_errors(self._path, LINK_LOG):
            self._connection.execute("BEGIN")
            try:
                self._connection.executemany("INSERT INTO temp.seen VALUES (?, ?)", seen)
                self._connection.executemany("INSERT INTO temp.staged VALUES (?, ?, ?, ?, ?, ?)", rows)
            finally:
                self._connection.execute("COMMIT")

    def commit(self, run: Run, now: datetime) -> int:
        """Puts all of it into the log in one transaction, and returns the number of links that changed their concept.

        Those go to the history as they were. A document that somebody has linked anew meanwhile stays so. Each link
        keeps the threshold of the run that it was made with.

        :param run: what the new links depend on; its threshold counts nothing.
        :raises StoreError: when the log cannot be written; it is then as it was.
        """
        n_changed = 0
        with sqlite_errors(self._path, LINK_LOG), transaction(self._connection):
            target_id = _obtain_target(self._connection, run.target)
            thresholds = self._connection.execute(
                "SELECT DISTINCT threshold FROM runs WHERE id IN (SELECT DISTINCT run_id FROM temp.seen) ORDER BY 1"
            ).fetchall()
            for (threshold,) in thresholds:
                new = replace(run, threshold=threshold)
                run_id = _insert_run(self._connection, target_id, "relink", to_stamp(now), new)
                n_changed += self._replace(threshold, run_id)
            self._connection.execute("DELETE FROM temp.staged")
            self._connection.execute("DELETE FROM temp.seen")
        return n_changed

    def _replace(self, threshold: float | None, run_id: int) -> int:
        values = {"threshold": threshold, "run_id": run_id}
        execute = self._connection.execute
        execute("DELETE FROM temp.done")
        execute(
            "INSERT INTO temp.done SELECT s.document_id, s.run_id FROM temp.seen s JOIN documents d "
            "ON d.id = s.document_id AND d.run_id = s.run_id JOIN runs r ON r.id = s.run_id "
            "AND r.threshold IS :threshold",
            values,
        )
        changed = execute(
            'INSERT INTO history (document_id, "start", "end", wording_id, section_id, concept_id, score, candidates, '
            'run_id, replaced_by) SELECT l.document_id, l."start", l."end", l.wording_id, l.section_id, l.concept_id, '
            "l.score, l.candidates, t.run_id, :run_id FROM temp.done t "
            "JOIN temp.staged s ON s.document_id = t.document_id "
            'JOIN links l ON l.document_id = s.document_id AND l."start" = s."start" AND l."end" = s."end" '
            "WHERE l.concept_id IS NOT s.concept_id",
            values,
        ).rowcount
        execute(
            'INSERT OR REPLACE INTO links SELECT l.document_id, l."start", l."end", l.wording_id, l.section_id, '
            "s.concept_id, s.score, s.candidates FROM temp.done t JOIN temp.staged s ON s.document_id = t.document_id "
            'JOIN links l ON l.document_id = s.document_id AND l."start" = s."start" AND l."end" = s."end"'
        )
        execute("UPDATE documents SET run_id = :run_id WHERE id IN (SELECT document_id FROM temp.done)", values)
        return changed


def _obtain_target(connection: sqlite3.Connection, target: Target) -> int:
    row = (target.ontology, target.packed_branches)
    connection.execute("INSERT OR IGNORE INTO targets (ontology, branches) VALUES (?, ?)", row)
    return int(connection.execute("SELECT id FROM targets WHERE ontology = ? AND branches = ?", row).fetchone()[0])


def _insert_run(connection: sqlite3.Connection, target_id: int, kind: str, stamp: str, run: Run) -> int:
    cursor = connection.execute(
        'INSERT INTO runs (target_id, kind, recorded_at, "release", ontology_version, content_hash, corrections, '
        "threshold, medlink) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            target_id,
            kind,
            stamp,
            run.release,
            run.ontology_version,
            run.content_hash,
            run.corrections,
            run.threshold,
            run.medlink,
        ),
    )
    return int(cursor.lastrowid or 0)

"""The ledger: an append-only store of what annotators said, the source of truth of everything that is learned."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from itertools import groupby

from medlink import __version__
from medlink.errors import LedgerError
from medlink.store.database import Kind, Store, sqlite_errors, transaction
from medlink.store.events import COLUMNS, Entry, Event, from_row, from_stamp, row_bytes, text_hash, to_row, to_stamp
from medlink.text import flatten

LEDGER = Kind(
    name="ledger",
    folder="ledger",
    error=LedgerError,
    if_missing="'medlink ingest FILES' makes one from annotation files.",
    if_damaged="Take the last good copy and import the files since then again.",
)

_QUOTED = ", ".join(f'"{column}"' for column in COLUMNS)
_INSERT = (
    f"INSERT INTO events (batch_id, file_id, at, {_QUOTED}) "  # noqa: S608 - column names of our own
    f"VALUES ({', '.join('?' * (3 + len(COLUMNS)))})"
)
# Of an event without a text: the first text that became known under its document's id, if any did by then.
_HASH = """CASE WHEN e.doc_hash <> '' THEN e.doc_hash ELSE coalesce(
    (SELECT hash FROM documents d WHERE d.doc_id = e.doc_id AND d.batch_id <= :last ORDER BY d.id LIMIT 1), '') END"""
_SELECT = f"""SELECT e.seq, e.batch_id, e.file_id, {_HASH}, {", ".join(f'e."{column}"' for column in COLUMNS)}
    FROM events e WHERE e.batch_id <= :last"""  # noqa: S608
_OF_DOCUMENT = " AND e.doc_id = :doc_id"
_IN_SEQUENCE = " ORDER BY e.seq"
# The order of an index, so that nothing has to be sorted, and no text lies in a temporary file.
_BY_PLACE = ' ORDER BY e.doc_id, e."start", e."end", e.seq'
_DOC_HASH = COLUMNS.index("doc_hash")


class Added(Enum):
    """What became of an event that a batch was given."""

    NEW = "new"
    DUPLICATE = "duplicate"
    """The ledger had it already, or the batch did."""
    STALE = "stale"
    """As a duplicate, and the same annotator has since said something else about the span: that stays."""
    AMBIGUOUS = "ambiguous"
    """It came without a text, and its document's id stands for several texts: it was not added."""


@dataclass(frozen=True, slots=True)
class BatchRecord:
    """A recorded batch.

    :param files: names of the files that events of it came from.
    :param medlink: the version that recorded it.
    """

    id: int
    recorded_at: datetime
    medlink: str
    n_events: int
    files: tuple[str, ...]


class Ledger(Store):
    """An open ledger; use it as a context manager, or close it."""

    kind = LEDGER

    @contextmanager
    def batch(self, now: datetime) -> Iterator[Batch]:
        """A batch to add events to: when the block ends well all of them are on the disk, when it raises none is.

        Other writers wait meanwhile; readers see the ledger as it was. A batch without anything new leaves no trace.

        :param now: when it is recorded; a clock that was set back counts as the time of the batch before.
        :raises LedgerError: when the disk is full, another writer takes too long, …; nothing is then recorded.
        """
        with sqlite_errors(self.path, LEDGER), transaction(self._connection):
            batch = Batch(self._connection, now)
            yield batch
            batch.seal()

    def events(self, *, doc_id: str | None = None, as_of: datetime | None = None) -> Iterator[Entry]:
        """Every event in the order of recording, of one document or all.

        :param as_of: only what was recorded by then.
        """
        yield from self._entries(_IN_SEQUENCE, doc_id, as_of)

    def current(self, *, doc_id: str | None = None, as_of: datetime | None = None) -> Iterator[Entry]:
        """What holds: the last event of each annotator on each span, by document and place, spans together.

        The last is the one said last; of two said at the same moment the one recorded last.

        :param as_of: as the ledger stood at that moment: what it had recorded by then.
        """
        for _, entries in groupby(self._entries(_BY_PLACE, doc_id, as_of), key=_stretch):
            last: dict[tuple[str, str, str, bool], Entry] = {}
            for entry in entries:
                said = entry.event.annotation
                who = (said.doc_hash, flatten(said.surface), said.annotator, said.adjudicator)
                if who not in last or last[who].at <= entry.at:
                    last[who] = entry
            yield from sorted(last.values(), key=_within_stretch)

    def batches(self) -> tuple[BatchRecord, ...]:
        """All batches in order."""
        with sqlite_errors(self.path, LEDGER):
            files: dict[int, list[str]] = {}
            for batch_id, name in self._connection.execute("SELECT batch_id, name FROM files ORDER BY id"):
                files.setdefault(batch_id, []).append(name)
            rows = self._connection.execute("SELECT id, recorded_at, medlink, n_events FROM batches ORDER BY id")
            return tuple(
                BatchRecord(number, from_stamp(stamp), version, n_events, tuple(files.get(number, ())))
                for number, stamp, version, n_events in rows
            )

    def n_events(self) -> int:
        """The number of all events."""
        with sqlite_errors(self.path, LEDGER):
            return int(self._connection.execute("SELECT count(*) FROM events").fetchone()[0])

    def n_documents(self) -> int:
        """The number of documents that somebody said something about."""
        with sqlite_errors(self.path, LEDGER):
            return int(self._connection.execute("SELECT count(DISTINCT doc_id) FROM events").fetchone()[0])

    def text(self, doc_hash: str) -> str | None:
        """The text with that hash, where the team chose to keep texts."""
        with sqlite_errors(self.path, LEDGER):
            row = self._connection.execute("SELECT text FROM texts WHERE hash = ?", (doc_hash,)).fetchone()
        return None if row is None else str(row[0])

    def verify(self) -> None:
        """Reads everything and checks it: the file's pages and indexes, references, ids and each batch's digest.

        :raises LedgerError: naming the first thing that is not as it was recorded.
        """
        with sqlite_errors(self.path, LEDGER):
            (found,) = self._connection.execute("PRAGMA integrity_check(1)").fetchone()
            if found != "ok":
                raise self._damage("the file's pages are damaged", found)
            if self._connection.execute("PRAGMA foreign_key_check").fetchone() is not None:
                raise self._damage("a row refers to one that is gone", "")
            self._verify_batches()
            for doc_hash, text in self._connection.execute("SELECT hash, text FROM texts"):
                if text_hash(text) != doc_hash:
                    raise self._damage("a text does not have its hash", f"sha256 {doc_hash}")

    def _verify_batches(self) -> None:
        expected = iter(
            self._connection.execute("SELECT id, recorded_at, n_events, digest FROM batches ORDER BY id").fetchall()
        )
        columns = ", ".join(f'e."{column}"' for column in COLUMNS)
        rows = self._connection.execute(
            f"SELECT e.batch_id, f.name, f.sha256, {columns} "  # noqa: S608 - column names of our own
            "FROM events e JOIN files f ON f.id = e.file_id ORDER BY e.batch_id, e.seq"
        )
        row, before = rows.fetchone(), ""
        for number, recorded_at, n_events, digest in expected:
            running, n_found = _start_digest(before, number, recorded_at), 0
            while row is not None and row[0] == number:
                self._verify_id(row)
                running.update(row_bytes(row[3:], row[1], row[2]))
                row, n_found = rows.fetchone(), n_found + 1
            _digest_texts(running, self._connection, number)
            if n_found != n_events or running.hexdigest() != digest:
                raise self._damage(f"batch {number} is not as it was recorded", f"{n_found} of {n_events} events")
            before = digest
        if row is not None:
            raise self._damage("an event without its batch", f"batch {row[0]}")

    def _verify_id(self, row: tuple[object, ...]) -> None:
        event = from_row(row[3:], file="", file_hash="")
        if event.id != row[3]:
            raise self._damage("an event does not have its id", f"document {event.annotation.doc_id!r}")

    def _damage(self, what: str, got: str) -> LedgerError:
        return LedgerError(
            what, where=str(self.path), got=got, hint="Take the last good copy and import the files since then again."
        )

    def _entries(self, order: str, doc_id: str | None, as_of: datetime | None) -> Iterator[Entry]:
        sql = _SELECT + (_OF_DOCUMENT if doc_id is not None else "") + order
        with sqlite_errors(self.path, LEDGER):
            files = {number: rest for number, *rest in self._connection.execute("SELECT id, name, sha256 FROM files")}
            stamps = self._connection.execute("SELECT id, recorded_at FROM batches")
            recorded = {number: from_stamp(stamp) for number, stamp in stamps}
            cursor = self._connection.execute(sql, {"last": self._last_batch(as_of), "doc_id": doc_id})
            for seq, batch_id, file_id, doc_hash, *values in cursor:
                values[_DOC_HASH] = doc_hash
                file, file_hash = files[file_id]
                event = from_row(values, file=file, file_hash=file_hash)
                yield Entry(seq, batch_id, recorded[batch_id], event)

    def _last_batch(self, as_of: datetime | None) -> int:
        """The number of the last batch recorded by a moment, 0 where there was none."""
        until = "9999" if as_of is None else to_stamp(as_of)
        row = self._connection.execute("SELECT max(id) FROM batches WHERE recorded_at <= ?", (until,)).fetchone()
        return int(row[0] or 0)


def _stretch(entry: Entry) -> tuple[str, int, int]:
    said = entry.event.annotation
    return said.doc_id, said.start, said.end


def _within_stretch(entry: Entry) -> tuple[str, str, int]:
    return entry.event.annotation.doc_hash, flatten(entry.event.annotation.surface), entry.seq


class Batch:
    """The events of one import on their way into the ledger; made by :meth:`Ledger.batch`."""

    def __init__(self, connection: sqlite3.Connection, now: datetime) -> None:
        self._connection = connection
        last = connection.execute("SELECT id, recorded_at, digest FROM batches ORDER BY id DESC LIMIT 1").fetchone()
        number, before, digest = last or (0, "", "")
        self.number: int = number + 1
        self._stamp = max(to_stamp(now), before)
        self._digest = _start_digest(digest, self.number, self._stamp)
        self._n_events = 0
        self._is_empty, self._is_sealed = True, False
        self._last_document = ("", "")
        self._files: dict[tuple[str, str], int] = {}

    def add_document(self, doc_id: str, doc_hash: str, *, text: str | None = None) -> None:
        """Makes known which text an id stands for.

        :param doc_hash: of the text.
        :param text: to keep it, where the team chose that.
        """
        is_repeated = (doc_id, doc_hash) == self._last_document
        self._last_document = (doc_id, doc_hash)
        if is_repeated and text is None:
            return
        if not self._has("SELECT 1 FROM documents WHERE doc_id = ? AND hash = ?", doc_id, doc_hash):
            self._connection.execute(
                "INSERT INTO documents (batch_id, doc_id, hash) VALUES (?, ?, ?)", (self.number, doc_id, doc_hash)
            )
            self._is_empty = False
        if text is not None and not self._has("SELECT 1 FROM texts WHERE hash = ?", doc_hash):
            self._connection.execute("INSERT INTO texts VALUES (?, ?, ?)", (doc_hash, self.number, text))
            self._is_empty = False

    def add(self, event: Event) -> Added:
        """Adds an event unless it is there already, whatever file or batch brought it.

        The same event with another text is another one, as ids of documents are used again; one that came without a
        text is that of the text its document's id stands for.
        """
        said = event.annotation
        if not said.doc_hash and self._has_several_texts(said.doc_id):
            return Added.AMBIGUOUS
        row = to_row(event)
        if self._is_known(row[0], said.doc_id, said.doc_hash):
            return Added.STALE if said.time is None and self._is_overtaken(event) else Added.DUPLICATE
        file = (said.source.file, event.file_hash)
        at = row[COLUMNS.index("time")] or self._stamp
        self._connection.execute(_INSERT, (self.number, self._file_number(file), at, *row))
        self._digest.update(row_bytes(row, *file))
        self._n_events += 1
        self._is_empty = False
        return Added.NEW

    def seal(self) -> None:
        """Writes the batch's own row, last: until then its events refer to nothing and cannot be committed."""
        if not self._is_empty and not self._is_sealed:
            self._is_sealed = True
            _digest_texts(self._digest, self._connection, self.number)
            self._connection.execute(
                "INSERT INTO batches VALUES (?, ?, ?, ?, ?)",
                (self.number, self._stamp, __version__, self._n_events, self._digest.hexdigest()),
            )

    def _is_known(self, event_id: bytes, doc_id: str, doc_hash: str) -> bool:
        hashes = self._connection.execute("SELECT doc_hash FROM events WHERE id = ?", (event_id,)).fetchall()
        if not hashes:
            return False
        first = self._first_text(doc_id)
        return (doc_hash or first) in {known or first or doc_hash for (known,) in hashes}

    def _is_overtaken(self, event: Event) -> bool:
        """Whether the last word of this annotator on this span is another one."""
        said = event.annotation
        last = self._connection.execute(
            'SELECT id FROM events WHERE doc_id = ? AND "start" = ? AND "end" = ? AND annotator = ? '
            "AND adjudicator = ? ORDER BY at DESC, seq DESC LIMIT 1",
            (said.doc_id, said.start, said.end, said.annotator, said.adjudicator),
        ).fetchone()
        return last is not None and last[0] != event.id

    def _first_text(self, doc_id: str) -> str:
        row = self._connection.execute("SELECT hash FROM documents WHERE doc_id = ? ORDER BY id LIMIT 1", (doc_id,))
        return str((row.fetchone() or ("",))[0])

    def _has_several_texts(self, doc_id: str) -> bool:
        return self._has("SELECT 1 FROM documents WHERE doc_id = ? LIMIT 1 OFFSET 1", doc_id)

    def _file_number(self, file: tuple[str, str]) -> int:
        if file not in self._files:
            cursor = self._connection.execute(
                "INSERT INTO files (batch_id, name, sha256) VALUES (?, ?, ?)", (self.number, *file)
            )
            self._files[file] = int(cursor.lastrowid or 0)
        return self._files[file]

    def _has(self, sql: str, *values: str) -> bool:
        return self._connection.execute(sql, values).fetchone() is not None


def _digest_texts(digest: hashlib._Hash, connection: sqlite3.Connection, number: int) -> None:
    """Puts what a batch made known of documents behind its events."""
    for table, column in (("documents", "doc_id"), ("texts", "''")):
        rows = connection.execute(f"SELECT {column}, hash FROM {table} WHERE batch_id = ? ORDER BY 1, 2", (number,))  # noqa: S608
        for row in rows:
            digest.update(json.dumps(row).encode() + b"\n")


def _start_digest(before: str, number: int, recorded_at: str) -> hashlib._Hash:
    """The digest of a batch before its first event: it hangs on the batch before."""
    return hashlib.sha256(f"{before} {number} {recorded_at}\n".encode())

"""SQLite databases opened the one way that medlink uses them, and their errors in medlink's words."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from filelock import FileLock

from medlink.errors import LedgerError
from medlink.store.migrations import known_migrations, migrate, pending_migrations

# Seconds that a writer waits for another one to finish its batch: a million events take less.
PATIENCE = 120.0

# Holds the index of event ids of a million events, which are asked for in no order.
_CACHE_KIB = 1 << 16

# By the beginning of SQLite's name for the error, the longest first: what it means for the person who reads this.
_MEANINGS = (
    ("SQLITE_FULL", "the disk is full", "Nothing of this run was recorded. Make room and run it again."),
    ("SQLITE_IOERR", "the disk cannot be read or written", "Nothing of this run was recorded. Check the disk."),
    ("SQLITE_READONLY", "the ledger cannot be written", "Ask its owner for the right to write, folder included."),
    ("SQLITE_CANTOPEN", "the ledger cannot be opened", "Check that the folder exists and that you may read it."),
    ("SQLITE_PERM", "the ledger cannot be opened", "Check that you may read it."),
    ("SQLITE_BUSY", "another process is writing", "Wait until it is done and run this again."),
    ("SQLITE_CORRUPT", "the ledger is damaged", "Take the last good copy and import the files since then again."),
    ("SQLITE_NOTADB", "this is no ledger", "Check the path."),
)


def open_database(path: Path, *, patience: float = PATIENCE) -> sqlite3.Connection:
    """A connection that reads and writes, its schema up to date; the file is made where there is none.

    WAL, so readers never wait; every commit is synced before it is reported; foreign keys hold; autocommit, so a
    transaction is what somebody begins.

    :param patience: seconds to wait for another writer.
    :raises LedgerError: when it cannot be opened, is no ledger, or was made by a newer medlink.
    """
    with sqlite_errors(path):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            lock = FileLock(path.with_name(f".{path.name}.lock"), timeout=patience)
            with lock:  # two first openings would trip over each other's change to WAL
                return _open_for_writing(path, patience)
        except (PermissionError, NotADirectoryError, FileExistsError) as error:
            raise LedgerError(
                "the ledger cannot be written",
                where=str(path),
                got=error.strerror or "",
                hint="Ask its owner for the right to write, folder included.",
            ) from error
        except TimeoutError as error:
            raise LedgerError("another process is opening the ledger", where=str(path), hint="Run it again.") from error


def open_read_only(path: Path) -> sqlite3.Connection:
    """A connection that cannot write, also where file and folder are read-only.

    :raises LedgerError: when there is none, it cannot be read, or its schema is not this version's.
    """
    if not path.is_file():
        raise LedgerError(
            "there is no ledger here", where=str(path), hint="'medlink ingest FILES' makes one from annotation files."
        )
    with sqlite_errors(path):
        connection = _connect(path, "mode=ro")
        try:
            _check_schema(connection, path)
        except sqlite3.OperationalError as error:
            connection.close()
            if not _name(error).startswith(("SQLITE_CANTOPEN", "SQLITE_READONLY")) or _has_unmerged(path):
                raise
            # A WAL database needs a shared-memory file beside it, which nobody can make in a read-only folder; without
            # a log there is nothing to share.
            connection = _connect(path, "immutable=1")
            _check_schema(connection, path)
        return connection


@contextmanager
def sqlite_errors(path: Path) -> Iterator[None]:
    """Turns SQLite's errors into medlink's."""
    try:
        yield
    except sqlite3.Error as error:
        name = _name(error)
        for beginning, meaning, hint in _MEANINGS:
            if name.startswith(beginning):
                raise LedgerError(meaning, where=str(path), got=name, hint=hint) from error
        raise LedgerError("the database refuses", where=str(path), got=f"{name}: {error}") from error


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """A write transaction: all of the block is committed, or, when it raises, nothing of it is there."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def _open_for_writing(path: Path, patience: float) -> sqlite3.Connection:
    connection = _connect(path, "mode=rwc", patience=patience)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        migrate(connection, known_migrations(), where=str(path))
    except BaseException:
        connection.close()
        raise
    return connection


def _connect(path: Path, mode: str, *, patience: float = PATIENCE) -> sqlite3.Connection:
    connection = sqlite3.connect(
        f"file:{quote(str(path.absolute()))}?{mode}", uri=True, timeout=patience, isolation_level=None
    )
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA recursive_triggers = ON")
    return connection


def _check_schema(connection: sqlite3.Connection, path: Path) -> None:
    if pending_migrations(connection, known_migrations(), where=str(path)):
        raise LedgerError(
            "the ledger is older than this version of medlink, or empty",
            where=str(path),
            hint="'medlink ingest' brings it up to date.",
        )


def _has_unmerged(path: Path) -> bool:
    """Whether a log beside the file holds commits that the file does not have yet."""
    log = path.with_name(f"{path.name}-wal")
    return log.exists() and log.stat().st_size > 0


def _name(error: sqlite3.Error) -> str:
    return str(getattr(error, "sqlite_errorname", type(error).__name__))

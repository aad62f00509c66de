"""SQLite databases opened the one way that medlink uses them, and their errors in medlink's words."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self
from urllib.parse import quote

from filelock import FileLock

from medlink.errors import StoreError
from medlink.store.migrations import known_migrations, migrate, pending_migrations

# Seconds that a writer waits for another one to finish its batch: a million events take less.
PATIENCE = 120.0

# Holds the index of event ids of a million events, which are asked for in no order.
_CACHE_KIB = 1 << 16

# By the beginning of SQLite's name for the error, the longest first: what it means for the person who reads this.
_MEANINGS = (
    ("SQLITE_FULL", "the disk is full", "Nothing of this run was recorded. Make room and run it again."),
    ("SQLITE_IOERR", "the disk cannot be read or written", "Nothing of this run was recorded. Check the disk."),
    ("SQLITE_READONLY", "the {name} cannot be written", "Ask its owner for the right to write, folder included."),
    ("SQLITE_CANTOPEN", "the {name} cannot be opened", "Check that the folder exists and that you may read it."),
    ("SQLITE_PERM", "the {name} cannot be opened", "Check that you may read it."),
    ("SQLITE_BUSY", "another process is writing", "Wait until it is done and run this again."),
    ("SQLITE_CORRUPT", "the {name} is damaged", "{if_damaged}"),
    ("SQLITE_NOTADB", "this is no {name}", "Check the path."),
)


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of database: what it is called, and what to do about it.

    :param name: in messages.
    :param folder: of its migrations.
    :param error: what is raised.
    :param if_missing: the next step where there is none.
    :param if_damaged: the next step where it is damaged.
    :param is_precious: every commit is synced before it is reported; otherwise a crash of the machine, not of the
        process, may lose the last ones.
    """

    name: str
    folder: str
    error: type[StoreError]
    if_missing: str
    if_damaged: str
    is_precious: bool = True


def open_database(path: Path, kind: Kind, *, patience: float = PATIENCE) -> sqlite3.Connection:
    """A connection that reads and writes, its schema up to date; the file is made where there is none.

    WAL, so readers never wait; foreign keys hold; autocommit, so a transaction is what somebody begins.

    :param patience: seconds to wait for another writer.
    :raises StoreError: the kind's, when it cannot be opened, is no such database, or was made by a newer medlink.
    """
    with sqlite_errors(path, kind):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            lock = FileLock(path.with_name(f".{path.name}.lock"), timeout=patience)
            with lock:  # two first openings would trip over each other's change to WAL
                return _open_for_writing(path, kind, patience)
        except (PermissionError, NotADirectoryError, FileExistsError) as error:
            raise kind.error(
                f"the {kind.name} cannot be written",
                where=str(path),
                got=error.strerror or "",
                hint="Ask its owner for the right to write, folder included.",
            ) from error
        except TimeoutError as error:
            raise kind.error(
                f"another process is opening the {kind.name}", where=str(path), hint="Run it again."
            ) from error


def open_read_only(path: Path, kind: Kind) -> sqlite3.Connection:
    """A connection that cannot write, also where file and folder are read-only.

    :raises StoreError: the kind's, when there is none, it cannot be read, or its schema is not this version's.
    """
    if not path.is_file():
        raise kind.error(f"there is no {kind.name} here", where=str(path), hint=kind.if_missing)
    with sqlite_errors(path, kind):
        connection = _connect(path, "mode=ro")
        try:
            _check_schema(connection, path, kind)
        except sqlite3.OperationalError as error:
            connection.close()
            if not _name(error).startswith(("SQLITE_CANTOPEN", "SQLITE_READONLY")) or _has_unmerged(path):
                raise
            # A WAL database needs a shared-memory file beside it, which nobody can make in a read-only folder; without
            # a log there is nothing to share.
            connection = _connect(path, "immutable=1")
            _check_schema(connection, path, kind)
        return connection


@contextmanager
def sqlite_errors(path: Path, kind: Kind) -> Iterator[None]:
    """Turns SQLite's errors into the kind's."""
    try:
        yield
    except sqlite3.Error as error:
        name = _name(error)
        for beginning, meaning, hint in _MEANINGS:
            if name.startswith(beginning):
                words = {"name": kind.name, "if_damaged": kind.if_damaged}
                raise kind.error(
                    meaning.format(**words), where=str(path), got=name, hint=hint.format(**words)
                ) from error
        raise kind.error("the database refuses", where=str(path), got=f"{name}: {error}") from error


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


def _open_for_writing(path: Path, kind: Kind, patience: float) -> sqlite3.Connection:
    connection = _connect(path, "mode=rwc", patience=patience)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(f"PRAGMA synchronous = {'FULL' if kind.is_precious else 'NORMAL'}")
        connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        migrate(connection, known_migrations(kind.folder), where=str(path), error=kind.error)
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


def _check_schema(connection: sqlite3.Connection, path: Path, kind: Kind) -> None:
    if pending_migrations(connection, known_migrations(kind.folder), where=str(path), error=kind.error):
        raise kind.error(
            f"the {kind.name} is older than this version of medlink, or empty",
            where=str(path),
            hint=f"What writes to it brings it up to date: {kind.if_missing}",
        )


def _has_unmerged(path: Path) -> bool:
    """Whether a log beside the file holds commits that the file does not have yet."""
    log = path.with_name(f"{path.name}-wal")
    return log.exists() and log.stat().st_size > 0


def _name(error: sqlite3.Error) -> str:
    return str(getattr(error, "sqlite_errorname", type(error).__name__))


class Store:
    """An open database; use it as a context manager, or close it.

    :cvar kind: what database it is.
    :param connection: what :func:`open_database` or :func:`open_read_only` gave.
    :param path: of the file, for errors.
    """

    kind: ClassVar[Kind]

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._connection = connection
        self.path = path

    @classmethod
    def open(cls, path: Path) -> Self:
        """The database at ``path``, made where there is none, for reading and writing.

        :raises StoreError: the kind's, when it cannot be written, is damaged, or was made by a newer version.
        """
        return cls(open_database(path, cls.kind), path)

    @classmethod
    def read(cls, path: Path) -> Self:
        """The database at ``path`` for reading only.

        :raises StoreError: the kind's, when there is none or it cannot be read.
        """
        return cls(open_read_only(path, cls.kind), path)

    def close(self) -> None:
        """Closes the file."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

"""Migrations: SQL files with a name, each applied once and in one transaction together with the record of it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from importlib import resources

from medlink.errors import StoreError

_APPLIED = "CREATE TABLE IF NOT EXISTS migrations (name TEXT PRIMARY KEY, sha256 TEXT NOT NULL) STRICT"


@dataclass(frozen=True, slots=True)
class Migration:
    """One step of the schema; once released it is never edited.

    :param name: what orders the steps and is recorded: ``0001_ledger``.
    :param sql: whole statements.
    """

    name: str
    sql: str

    @property
    def digest(self) -> str:
        """The sha256 of the statements, in hexadecimal."""
        return sha256(self.sql.encode()).hexdigest()


def known_migrations(database: str) -> tuple[Migration, ...]:
    """The steps that come with this version of medlink, in order.

    :param database: the kind of database, which is the folder of its steps: ``ledger``, ``link_log``, ``vectors``.
    """
    files = sorted(resources.files(__name__).joinpath(database).iterdir(), key=lambda file: file.name)
    return tuple(
        Migration(file.name.removesuffix(".sql"), file.read_text(encoding="utf-8"))
        for file in files
        if file.name.endswith(".sql")
    )


def migrate(
    connection: sqlite3.Connection,
    migrations: Iterable[Migration],
    *,
    where: str,
    error: type[StoreError] = StoreError,
) -> tuple[str, ...]:
    """Applies the steps that the database lacks, and returns their names; a step that fails leaves no trace.

    :param connection: without a transaction, in autocommit mode.
    :param where: the database's path, for errors.
    :param error: what is raised.
    :raises StoreError: when the database has a step that is not known here, or another one of that name.
    """
    connection.execute(_APPLIED)
    steps = tuple(migrations)
    pending = pending_migrations(connection, steps, where=where, error=error)
    for step in pending:
        connection.execute("BEGIN IMMEDIATE")
        try:
            for statement in _statements(step.sql):
                connection.execute(statement)
            connection.execute("INSERT INTO migrations VALUES (?, ?)", (step.name, step.digest))
            connection.execute("COMMIT")
        except BaseException:
            connection.execute("ROLLBACK")
            raise
    return tuple(step.name for step in pending)


def pending_migrations(
    connection: sqlite3.Connection,
    migrations: Iterable[Migration],
    *,
    where: str,
    error: type[StoreError] = StoreError,
) -> tuple[Migration, ...]:
    """The steps that the database lacks.

    :raises StoreError: as :func:`migrate` does.
    """
    steps = {step.name: step for step in migrations}
    has_record = connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'migrations'").fetchone()
    applied = dict(connection.execute("SELECT name, sha256 FROM migrations").fetchall()) if has_record else {}
    for name, digest in applied.items():
        if name not in steps or steps[name].digest != digest:
            raise error(
                "the file was made by another version of medlink",
                where=where,
                expected=f"the steps {', '.join(steps)}",
                got=f"{name} with sha256 {digest[:12]}",
                hint="Install the version of medlink that last wrote to it, or a newer one.",
            )
    return tuple(step for name, step in steps.items() if name not in applied)


def _statements(sql: str) -> Iterator[str]:
    """The statements one by one; those of a trigger's body stay together."""
    statement = ""
    for line in sql.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
    if statement.strip():
        raise ValueError("a migration ends within a statement")

"""The schema grows by named steps, each whole or absent."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from medlink.errors import LedgerError, StoreError
from medlink.store.ledger import Ledger
from medlink.store.migrations import Migration, known_migrations, migrate, pending_migrations

FIRST = Migration("0001_a", "CREATE TABLE a (x INTEGER) STRICT;\nINSERT INTO a VALUES (1);\n")
SECOND = Migration(
    "0002_b",
    "CREATE TABLE b (x INTEGER) STRICT;\nCREATE TRIGGER t AFTER INSERT ON b\nBEGIN\nSELECT 1;\nSELECT 2;\nEND;\n",
)
BROKEN = Migration("0002_b", "CREATE TABLE b (x INTEGER) STRICT;\nINSERT INTO nowhere VALUES (1);\n")


@pytest.fixture
def database() -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    yield connection
    connection.close()


def tables(connection: sqlite3.Connection) -> set[str]:
    return {name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}


def test_steps_are_applied_once_and_in_order(database: sqlite3.Connection) -> None:
    assert migrate(database, [FIRST], where="x") == ("0001_a",)
    assert migrate(database, [FIRST, SECOND], where="x") == ("0002_b",)
    assert migrate(database, [FIRST, SECOND], where="x") == ()
    assert tables(database) == {"migrations", "a", "b"}
    assert database.execute("SELECT count(*) FROM a").fetchone() == (1,)


def test_step_that_fails_half_way_leaves_no_trace_and_stays_pending(database: sqlite3.Connection) -> None:
    with pytest.raises(sqlite3.OperationalError, match="nowhere"):
        migrate(database, [FIRST, BROKEN], where="x")
    assert tables(database) == {"migrations", "a"}
    assert not database.in_transaction
    assert migrate(database, [FIRST, SECOND], where="x") == ("0002_b",)


@pytest.mark.parametrize("known", [[FIRST], [FIRST, BROKEN]], ids=["newer", "edited"])
def test_database_of_another_version_is_refused(database: sqlite3.Connection, known: list[Migration]) -> None:
    migrate(database, [FIRST, SECOND], where="x")
    with pytest.raises(StoreError, match="another version of medlink"):
        pending_migrations(database, known, where="x")


def test_step_that_ends_within_a_statement_is_refused(database: sqlite3.Connection) -> None:
    with pytest.raises(ValueError, match="ends within a statement"):
        migrate(database, [Migration("0001_a", "CREATE TABLE a (x")], where="x")
    assert tables(database) == {"migrations"}


def test_empty_file_becomes_a_ledger_and_is_none_before(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    path.touch()
    with pytest.raises(LedgerError, match="older than this version"):
        Ledger.read(path)
    Ledger.open(path).close()
    Ledger.read(path).close()


def test_released_steps_are_never_edited() -> None:
    assert {step.name: step.digest[:16] for step in known_migrations("ledger")} == {"0001_ledger": "4bddf4b69773ce14"}

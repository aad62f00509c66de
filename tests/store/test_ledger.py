"""The ledger: nothing lost, nothing doubled, nothing changed, and what held at any moment."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from medlink.errors import LedgerError
from medlink.records import Proposal, Source, Verdict
from medlink.store.database import open_database
from medlink.store.events import Event, from_row, text_hash, to_row
from medlink.store.ledger import LEDGER, Added, Ledger
from tests.store.said import START, after, event


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.sqlite"


def record(path: Path, events: Iterable[Event], *, now: datetime = START) -> list[Added]:
    """Adds events, each with its document, in a batch of their own."""
    with Ledger.open(path) as ledger, ledger.batch(now) as batch:
        added = []
        for one in events:
            if one.annotation.doc_hash:
                batch.add_document(one.annotation.doc_id, one.annotation.doc_hash)
            added.append(batch.add(one))
        return added


def concepts(path: Path, **when: Any) -> list[str | None]:
    with Ledger.read(path) as ledger:
        return [entry.event.annotation.concept_id for entry in ledger.current(**when)]


FULL = event(
    "HP:1",
    source=Source("a/b.json", 7, "T3"),
    expanded="febrile fit",
    section="History",
    proposed=(Proposal("HP:2", 0.5), Proposal("HP:3", None)),
    rejected=("HP:2", "HP:3"),
    release="base-1",
    ontology_version="2025-01-16",
    context=("the ", " was short"),
    adjudicator=True,
)


@pytest.mark.parametrize("one", [event(), event(None), event(time=None, annotator=""), FULL])
def test_event_survives_its_row(one: Event) -> None:
    file = one.annotation.source.file
    assert from_row(to_row(one), file=file, file_hash="") == one


def test_ledger_returns_what_was_recorded(path: Path) -> None:
    assert record(path, [FULL], now=after(1)) == [Added.NEW]
    with Ledger.read(path) as ledger:
        (entry,) = ledger.events()
        (batch,) = ledger.batches()
    assert entry.event == FULL
    assert (entry.seq, entry.batch, entry.recorded_at, entry.at) == (1, 1, after(1), START)
    assert (batch.n_events, batch.files, batch.recorded_at) == (1, ("a/b.json",), after(1))


def test_same_event_is_added_once_whatever_file_brings_it(path: Path) -> None:
    assert record(path, [event(), event()]) == [Added.NEW, Added.DUPLICATE]
    again = event(source=Source("other.json", 9, "x"), tool="brat", release="r2")
    assert record(path, [again]) == [Added.DUPLICATE]
    with Ledger.read(path) as ledger:
        assert len(ledger.batches()) == 1, "a batch without anything new leaves no trace"
        assert ledger.n_events() == 1


@pytest.mark.parametrize(
    "change",
    [
        {"doc_id": "d2"}, {"start": 3}, {"end": 8}, {"surface": "Fit"}, {"verdict": Verdict.ACCEPT},
        {"concept_id": "HP:2"}, {"annotator": "bob"}, {"time": after(1)}, {"time": None}, {"adjudicator": True},
    ],
    ids=str,
)  # fmt: skip
def test_events_that_differ_in_what_was_said_are_two(path: Path, change: dict[str, Any]) -> None:
    assert record(path, [event(), event(**change)]) == [Added.NEW, Added.NEW]


@pytest.mark.parametrize("hashes", [("", "h1"), ("h1", ""), ("", ""), ("h1", "h1")])
def test_same_event_with_and_without_the_text_is_one(path: Path, hashes: tuple[str, str]) -> None:
    first, second = (event(doc_hash=one) for one in hashes)
    assert record(path, [first]) == [Added.NEW]
    assert record(path, [second]) == [Added.DUPLICATE]


def test_document_id_used_for_two_texts_keeps_their_events_apart(path: Path) -> None:
    assert record(path, [event(doc_hash="h1"), event(doc_hash="h2")]) == [Added.NEW, Added.NEW]
    assert len(concepts(path)) == 2
    assert record(path, [event("HP:9", doc_hash="")]) == [Added.AMBIGUOUS]


def test_event_without_a_text_belongs_to_the_first_text_that_becomes_known(path: Path) -> None:
    record(path, [event(doc_hash="")])
    assert record(path, [event(doc_hash="h1"), event(doc_hash="h2")], now=after(1)) == [Added.DUPLICATE, Added.NEW]
    with Ledger.read(path) as ledger:
        assert [entry.event.annotation.doc_hash for entry in ledger.events()] == ["h1", "h2"]
        assert [entry.event.annotation.doc_hash for entry in ledger.events(as_of=START)] == [""]


def test_a_change_of_mind_is_a_new_event_and_the_last_one_said_holds(path: Path) -> None:
    record(path, [event("HP:2", time=after(2)), event("HP:1", time=after(1))])
    assert concepts(path) == ["HP:2"]
    record(path, [event("HP:1", time=after(3))])
    assert concepts(path) == ["HP:1"]
    with Ledger.read(path) as ledger:
        assert ledger.n_events() == 3


def test_without_times_the_order_of_recording_decides(path: Path) -> None:
    record(path, [event("HP:1", time=None), event("HP:2", time=None)])
    assert concepts(path) == ["HP:2"]


def test_without_times_a_verdict_that_comes_back_is_told_apart_from_a_new_one(path: Path) -> None:
    record(path, [event("HP:1", time=None)])
    assert record(path, [event("HP:1", time=None)], now=after(1)) == [Added.DUPLICATE]
    record(path, [event("HP:2", time=None)], now=after(2))
    assert record(path, [event("HP:1", time=None)], now=after(3)) == [Added.STALE]
    assert concepts(path) == ["HP:2"]


def test_each_annotator_and_each_span_has_a_current_event(path: Path) -> None:
    record(path, [event("HP:1"), event("HP:2", annotator="bob"), event("HP:3", start=3, end=6), event("HP:4", end=8)])
    assert concepts(path) == ["HP:3", "HP:1", "HP:2", "HP:4"]


def test_as_of_gives_what_the_ledger_knew_then(path: Path) -> None:
    record(path, [event("HP:1", time=after(1))], now=after(10))
    record(path, [event("HP:2", time=after(2))], now=after(20))
    assert concepts(path, as_of=after(9)) == []
    assert concepts(path, as_of=after(10)) == ["HP:1"]
    assert concepts(path, as_of=after(19.9)) == ["HP:1"]
    assert concepts(path, as_of=after(20)) == concepts(path) == ["HP:2"]


def test_a_clock_that_was_set_back_does_not_reorder_batches(path: Path) -> None:
    record(path, [event("HP:1", time=None)], now=after(10))
    record(path, [event("HP:2", time=None)], now=after(5))
    with Ledger.read(path) as ledger:
        assert [batch.recorded_at for batch in ledger.batches()] == [after(10), after(10)]
    assert concepts(path) == ["HP:2"]


def test_batch_that_raises_records_nothing(path: Path) -> None:
    record(path, [event()])
    with Ledger.open(path) as ledger, pytest.raises(KeyError), ledger.batch(START) as batch:
        batch.add(event("HP:2"))
        raise KeyError("stop")
    assert concepts(path) == ["HP:0001250"]


def test_text_is_kept_only_where_that_was_chosen(path: Path) -> None:
    text = "His fit was short."
    with Ledger.open(path) as ledger:
        with ledger.batch(START) as batch:
            batch.add_document("d1", text_hash(text))
        assert ledger.text(text_hash(text)) is None
        with ledger.batch(START) as batch:
            batch.add_document("d1", text_hash(text), text=text)
        assert ledger.text(text_hash(text)) == text


@pytest.mark.parametrize("table", ["batches", "files", "documents", "texts", "events"])
@pytest.mark.parametrize(
    "sql", ["DELETE FROM {}", "UPDATE {} SET rowid = rowid + 1", "REPLACE INTO {} SELECT * FROM {}"]
)
def test_rows_are_never_changed(path: Path, table: str, sql: str) -> None:
    with Ledger.open(path) as ledger, ledger.batch(START) as batch:
        batch.add_document("d1", "h1", text="x")
        batch.add(event())
    connection = sqlite3.connect(path)
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        connection.execute(sql.format(table, table))
    connection.close()


def test_event_without_its_batch_is_refused(path: Path) -> None:
    with Ledger.open(path) as ledger:
        ledger_batch = ledger.batch(START)
        batch = ledger_batch.__enter__()
        batch.add(event())
        batch.seal = lambda: None  # type: ignore[method-assign]
        with pytest.raises(LedgerError, match="FOREIGN KEY"):
            ledger_batch.__exit__(None, None, None)
        assert ledger.n_events() == 0


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE events SET concept_id = 'HP:7' WHERE seq = 2",
        "UPDATE events SET release = 'r9' WHERE seq = 1",
        "DELETE FROM events WHERE seq = 2",
        "UPDATE batches SET recorded_at = '2020-01-01T00:00:00.000000Z' WHERE id = 1",
        "UPDATE files SET name = 'x'",
        "UPDATE documents SET hash = 'h9'",
        "DELETE FROM documents",
    ],
)
def test_verify_finds_what_was_changed_behind_its_back(path: Path, sql: str) -> None:
    record(path, [event("HP:1"), event("HP:2", annotator="bob")])
    record(path, [event("HP:3", annotator="eve")])
    with Ledger.read(path) as ledger:
        ledger.verify()
    connection = sqlite3.connect(path)
    for (trigger,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'trigger'").fetchall():
        connection.execute(f"DROP TRIGGER {trigger}")
    connection.execute(sql)
    connection.commit()
    connection.close()
    with Ledger.read(path) as ledger, pytest.raises(LedgerError, match=r"recorded|its id"):
        ledger.verify()


def test_verify_finds_damaged_pages(path: Path) -> None:
    record(path, [event(doc_id=f"d{number}") for number in range(200)])
    data = bytearray(path.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 2000] = b"\x07" * 2000
    path.write_bytes(data)
    with (
        pytest.raises(LedgerError, match=r"damaged|not as it was recorded|another version"),
        Ledger.read(path) as ledger,
    ):
        ledger.verify()


def test_reading_where_there_is_none_says_how_to_make_one(path: Path) -> None:
    with pytest.raises(LedgerError, match="medlink ingest"):
        Ledger.read(path)
    assert not path.exists()


@pytest.mark.parametrize("open_it", [Ledger.open, Ledger.read], ids=["write", "read"])
def test_file_that_is_no_ledger_is_named(path: Path, open_it: Callable[[Path], Ledger]) -> None:
    path.write_text("this is a note, not a database " * 100, encoding="utf-8")
    with pytest.raises(LedgerError, match="no ledger"):
        open_it(path)


def test_disk_full_records_nothing_and_leaves_the_ledger_sound(path: Path) -> None:
    record(path, [event()])
    connection = open_database(path, LEDGER)
    n_pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count = {n_pages + 20}")
    with Ledger(connection, path) as ledger:
        with pytest.raises(LedgerError, match="disk is full") as caught, ledger.batch(after(1)) as batch:
            for number in range(5000):
                batch.add(event(doc_id=f"d{number}", surface="x" * 50))
        assert "Nothing of this run was recorded" in str(caught.value)
        assert ledger.n_events() == 1
        ledger.verify()
        connection.execute("PRAGMA max_page_count = 1000000")
        with ledger.batch(after(2)) as batch:
            assert batch.add(event("HP:2")) is Added.NEW


def test_readers_see_the_ledger_as_it_was_while_a_batch_is_written(path: Path) -> None:
    record(path, [event("HP:1")])
    with Ledger.open(path) as ledger, ledger.batch(after(1)) as batch:
        batch.add(event("HP:2", time=after(1)))
        assert concepts(path) == ["HP:1"]
    assert concepts(path) == ["HP:2"]


def test_second_writer_is_told_to_wait_when_the_first_takes_too_long(path: Path) -> None:
    with Ledger.open(path) as first, first.batch(START):
        second = Ledger(open_database(path, LEDGER, patience=0.05), path)
        with second, pytest.raises(LedgerError, match="another process is writing"), second.batch(START):
            pass


@pytest.mark.parametrize(
    ("copy", "is_same"),
    [("A fit\n today", True), ("A fit\t today \n", True), ("A fit\r\n today", False), (" A fit  today", False)],
)
def test_copies_with_the_same_offsets_have_the_same_hash(copy: str, is_same: bool) -> None:
    assert (text_hash(copy) == text_hash("A fit  today")) == is_same


def test_surfaces_that_differ_in_the_kind_of_white_space_are_the_same(path: Path) -> None:
    assert record(path, [event(surface="a\nb"), event(surface="a b", annotator="bob")]) == [Added.NEW, Added.NEW]
    assert record(path, [event(surface="a b"), event(surface="a\tb", annotator="bob")]) == [Added.DUPLICATE] * 2
    record(path, [event("HP:2", surface="a b", time=after(1))], now=after(1))
    assert concepts(path) == ["HP:0001250", "HP:2"]


def test_text_of_an_event_is_not_part_of_it() -> None:
    assert event(doc_hash="h2").id == event().id

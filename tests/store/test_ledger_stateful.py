"""The ledger against a dict: any order of batches, repeats, changes of mind, failures and reopenings."""

from __future__ import annotations

import shutil
import tempfile
from datetime import datetime
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from medlink.store.events import Event
from medlink.store.ledger import Added, Ledger
from tests.store.said import after, event

Key = tuple[str, int, str, bool]
State = dict[Key, str | None]

EVENTS = st.builds(
    lambda concept, doc, start, who, hours, judge, has_text: event(
        concept,
        doc_id=doc,
        start=start,
        end=start + 3,
        annotator=who,
        time=None if hours is None else after(hours),
        adjudicator=judge,
        doc_hash=f"text of {doc}" if has_text else "",
    ),
    st.sampled_from(["HP:1", "HP:2", None]),
    st.sampled_from(["d1", "d2"]),
    st.sampled_from([0, 4]),
    st.sampled_from(["ann", "bob"]),
    st.none() | st.integers(0, 3),
    st.booleans(),
    st.booleans(),
)


def key_of(one: Event) -> Key:
    said = one.annotation
    return said.doc_id, said.start, said.annotator, said.adjudicator


class LedgerMachine(RuleBasedStateMachine):
    """One text for each document, so that an event is known by its id."""

    @initialize()
    def start(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.path = self.folder / "ledger.sqlite"
        self.ledger = Ledger.open(self.path)
        self.seen: set[bytes] = set()
        self.said: dict[Key, list[tuple[datetime, int, str | None]]] = {}
        self.hours = 10
        self.snapshots: list[tuple[datetime, State]] = []

    def teardown(self) -> None:
        self.ledger.close()
        shutil.rmtree(self.folder)

    @rule(events=st.lists(EVENTS, max_size=6))
    def record(self, events: list[Event]) -> None:
        self.hours += 1
        now = after(self.hours)
        with self.ledger.batch(now) as batch:
            for one in events:
                if one.annotation.doc_hash:
                    batch.add_document(one.annotation.doc_id, one.annotation.doc_hash)
                is_new = batch.add(one) is Added.NEW
                assert is_new == (one.id not in self.seen)
                if is_new:
                    place = (one.annotation.time or now, len(self.seen), one.annotation.concept_id)
                    self.said.setdefault(key_of(one), []).append(place)
                    self.seen.add(one.id)
        self.snapshots.append((now, self.expected()))

    @rule(events=st.lists(EVENTS, min_size=1, max_size=3))
    def fail(self, events: list[Event]) -> None:
        try:
            with self.ledger.batch(after(self.hours)) as batch:
                for one in events:
                    batch.add(one)
                raise InterruptedError
        except InterruptedError:
            pass

    @rule()
    def reopen(self) -> None:
        self.ledger.close()
        self.ledger = Ledger.open(self.path)

    @rule(data=st.data())
    def look_back(self, data: st.DataObject) -> None:
        if self.snapshots:
            moment, state = data.draw(st.sampled_from(self.snapshots))
            assert self.current(as_of=moment) == state

    @invariant()
    def holds_what_was_said(self) -> None:
        assert self.current() == self.expected()
        assert self.ledger.n_events() == len(self.seen)
        self.ledger.verify()

    def expected(self) -> State:
        return {key: max(said)[2] for key, said in self.said.items()}

    def current(self, as_of: datetime | None = None) -> State:
        entries = list(self.ledger.current(as_of=as_of))
        state = {key_of(entry.event): entry.event.annotation.concept_id for entry in entries}
        assert len(state) == len(entries)
        return state


TestLedgerMachine = LedgerMachine.TestCase
TestLedgerMachine.settings = settings(max_examples=20, stateful_step_count=12, deadline=None)

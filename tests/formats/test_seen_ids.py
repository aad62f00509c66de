"""Ids that were there before, against a set of strings."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from medlink.formats.seen_ids import SeenIds


@given(st.lists(st.text("ab1\udc80", max_size=3)), st.integers(1, 5))
def test_it_is_a_set(ids: list[str], recent: int) -> None:
    seen, known = SeenIds(recent=recent), set[str]()
    for doc_id in ids:
        assert seen.add(doc_id) == (doc_id not in known)
        known.add(doc_id)
        assert len(seen) == len(known)


def test_runs_are_few_and_hold_everything() -> None:
    seen = SeenIds(recent=10)
    ids = [f"note {number}" for number in range(1234)]
    assert all(map(seen.add, ids))
    assert len(seen) == len(ids)
    assert not any(map(seen.add, ids))
    assert len(seen._runs) < 9

"""The link log: what goes in comes out, each note once, and relinking is whole or absent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medlink.errors import StoreError
from medlink.records import Candidate, Document, Link, LinkedDocument, Mention
from medlink.store.link_log import LinkLog
from medlink.store.logged import LoggedDocument, Outcome, Run, Target
from medlink.store.migrations import known_migrations
from tests.store.said import START

ROOT = Path(__file__).parents[2]
TARGET = Target("hp", ("HP:2", "HP:1"))
RUN = Run(TARGET, "", "2025", "abc", "", 0.4)
NEW = replace(RUN, release="r2", corrections="c2")


def link(doc_id: str, start: int, surface: str, *concepts: str, expanded: str = "", section: str = "") -> Link:
    mention = Mention(doc_id, start, start + len(surface), surface, expanded=expanded, section=section)
    candidates = tuple(Candidate(key, key, key, 0.5, None, 0.9) for key in concepts)
    return Link(mention, candidates, concepts[0] if concepts else None, "r1", "2025")


def linked(doc_id: str, *links: Link) -> LinkedDocument:
    return LinkedDocument(Document(doc_id, "never read"), links)


NOTES = (
    linked("b", link("b", 3, "Renal\ncyst", "HP:1", "HP:2", section="Past  History"), link("b", 20, "°")),
    linked("a", link("a", 0, "RC", "HP:1", expanded="renal cyst"), link("a", 5, "fits", "HP:3")),
    linked("c"),
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "links.sqlite"


def record(path: Path, *documents: LinkedDocument, run: Run = RUN) -> None:
    with LinkLog.open(path) as log:
        recorder = log.recorder(run, START)
        for document in documents:
            recorder.add(document)
        recorder.flush()


def stored(path: Path, target: Target = TARGET) -> list[LoggedDocument]:
    with LinkLog.read(path) as log:
        return list(log.documents(log.document_numbers(target)))


def places(path: Path, target: Target = TARGET) -> dict[str, list[tuple[int, str | None]]]:
    return {
        document.doc_id: [(link.mention.start, link.outcome.concept_id) for link in document.links]
        for document in stored(path, target)
    }


def test_links_come_back_with_all_that_rulings_are_found_by(path: Path) -> None:
    record(path, *NOTES)
    first, second, third = stored(path)
    assert [document.doc_id for document in (first, second, third)] == ["a", "b", "c"]
    assert first.links[0].mention == Mention("a", 0, 2, "RC", expanded="renal cyst")
    assert second.links[0].mention == Mention("b", 3, 13, "Renal\ncyst", section="past history")
    assert first.links[0].query_id == second.links[0].query_id
    assert second.links[0].outcome == Outcome("HP:1", 0.9, ("HP:1", "HP:2"))
    assert second.links[1].outcome == Outcome(None, 0.0, ())
    assert third.links == ()
    with LinkLog.read(path) as log:
        (run,) = log.runs().values()
        assert (run.kind, run.recorded_at) == ("link", START)
        assert run.run == replace(RUN, release="r1", target=Target("hp", ("HP:1", "HP:2")))
        assert [text for _, text in log.queries(TARGET)] == ["renal cyst", "fits"]


def test_note_that_is_linked_again_is_replaced_whole(path: Path) -> None:
    record(path, *NOTES)
    record(path, *NOTES)
    record(path, linked("a", link("a", 5, "fits", "HP:9")))
    assert places(path) == {"a": [(5, "HP:9")], "b": [(3, "HP:1"), (20, None)], "c": []}


def test_notes_linked_to_another_ontology_or_branch_stand_beside(path: Path) -> None:
    other = Target("hp")
    record(path, *NOTES)
    record(path, linked("a", link("a", 5, "fits", "HP:9")), run=replace(RUN, target=other))
    assert places(path, other) == {"a": [(5, "HP:9")]}
    assert len(places(path)["a"]) == 2
    with LinkLog.read(path) as log:
        assert log.targets() == {Target("hp", ("HP:1", "HP:2")): 3, other: 1}
        assert [text for _, text in log.queries(other)] == ["fits"]


WORDS = st.text("ab \n", min_size=1, max_size=3)


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("xyz"), st.lists(WORDS, max_size=4)), max_size=6))
def test_log_holds_the_last_links_of_each_note(
    tmp_path_factory: pytest.TempPathFactory, runs: list[tuple[str, list[str]]]
) -> None:
    path, expected = tmp_path_factory.mktemp("log") / "links.sqlite", dict[str, list[str]]()
    LinkLog.open(path).close()
    for doc_id, surfaces in runs:
        record(path, linked(doc_id, *(link(doc_id, 9 * i, text, "HP:1") for i, text in enumerate(surfaces))))
        expected[doc_id] = surfaces
    assert {d.doc_id: [one.mention.surface for one in d.links] for d in stored(path)} == expected


def relink(path: Path, concept: str | None, *, keep: str = "") -> int:
    """Gives every link but those to one concept another concept."""
    with LinkLog.open(path) as log:
        relinking = log.relinking()
        for document in stored(path):
            outcomes = [
                one.outcome if one.outcome.concept_id == keep else Outcome(concept, 0.7, ()) for one in document.links
            ]
            relinking.add([(document, outcomes)])
        return relinking.commit(NEW, START)


def test_relinking_replaces_links_and_keeps_the_old_ones_in_history(path: Path) -> None:
    record(path, *NOTES)
    assert relink(path, "HP:7", keep="HP:3") == 3
    assert places(path) == {"a": [(0, "HP:7"), (5, "HP:3")], "b": [(3, "HP:7"), (20, "HP:7")], "c": []}
    with LinkLog.read(path) as log:
        assert log.history("b") == (
            ((3, 13), 1, Outcome("HP:1", 0.9, ("HP:1", "HP:2"))),
            ((20, 21), 1, Outcome(None, 0.0, ())),
        )
        assert log.runs()[2].run.release == "r2"
        assert log.runs()[2].kind == "relink"


def test_links_keep_the_threshold_that_they_were_made_with(path: Path) -> None:
    record(path, NOTES[0])
    record(path, NOTES[1], run=replace(RUN, threshold=0.8))
    record(path, NOTES[2], run=replace(RUN, threshold=None))
    relink(path, None)
    with LinkLog.read(path) as log:
        runs = log.runs()
    assert {document.doc_id: runs[document.run_id].run.threshold for document in stored(path)} == {
        "a": 0.8,
        "b": 0.4,
        "c": None,
    }


def test_note_that_was_linked_meanwhile_stays_so(path: Path) -> None:
    record(path, *NOTES)
    with LinkLog.open(path) as log:
        relinking = log.relinking()
        for document in stored(path):
            relinking.add([(document, [Outcome("HP:7", 0.7, ())] * len(document.links))])
        record(path, NOTES[1])
        assert relinking.commit(NEW, START) == 2
    assert places(path)["a"] == [(0, "HP:1"), (5, "HP:3")]


def test_what_is_gathered_and_not_committed_is_nowhere(path: Path) -> None:
    record(path, *NOTES)
    before = places(path)
    with LinkLog.open(path) as log:
        relinking = log.relinking()
        for document in stored(path):
            relinking.add([(document, [Outcome(None, 0.0, ())] * len(document.links))])
    assert places(path) == before


RELINK = """
import sys
from pathlib import Path
from datetime import datetime, UTC
from medlink.store.link_log import LinkLog
from medlink.store.logged import Outcome, Run, Target
target = Target("hp")
with LinkLog.open(Path(sys.argv[1])) as log, LinkLog.read(Path(sys.argv[1])) as reader:
    relinking = log.relinking()
    for document in reader.documents(reader.document_numbers(target)):
        relinking.add([(document, [Outcome("HP:2", 0.7, ())] * len(document.links))])
    print("ready", flush=True)
    relinking.commit(Run(target, "r2", "", "", "", 0.4), datetime.now(UTC))
print("done", flush=True)
"""


@pytest.fixture
def big(path: Path) -> Iterator[Path]:
    run = replace(RUN, target=Target("hp"))
    notes = (linked(f"{n}", *(link(f"{n}", 9 * i, f"w{i}", "HP:1") for i in range(20))) for n in range(2000))
    record(path, *notes, run=run)
    yield path


@pytest.mark.slow
def test_kill_leaves_all_old_links_or_all_new_ones(big: Path) -> None:
    for delay in (0.0, 0.02, 0.05, 0.1, 0.2, 0.3):
        with subprocess.Popen([sys.executable, "-c", RELINK, str(big)], cwd=ROOT, stdout=subprocess.PIPE) as child:
            assert child.stdout is not None
            child.stdout.readline()
            time.sleep(delay)
            os.kill(child.pid, signal.SIGKILL)
            rest = child.stdout.read()
        found = {concept for links in places(big, Target("hp")).values() for _, concept in links}
        assert len(found) == 1
        assert found == {"HP:2"} or b"done" not in rest
        with LinkLog.read(big) as log:
            assert log.n_links() == 40_000
            assert len(log.history("0")) == (20 if found == {"HP:2"} else 0)
        if found == {"HP:2"}:
            return


def test_reading_where_there_is_none_says_how_to_make_one(path: Path) -> None:
    with pytest.raises(StoreError, match="medlink link"):
        LinkLog.read(path)
    assert not path.exists()


def test_released_steps_are_never_edited() -> None:
    assert {step.name: step.digest[:16] for step in known_migrations("link_log")} == {
        "0001_link_log": "881abc44128995b3"
    }

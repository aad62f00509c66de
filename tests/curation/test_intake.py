"""Files into the ledger: repeated, overlapping, broken, mended; and the report says what became of everything."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medlink.curation.checks import Checks, IntakeOptions, Keep
from medlink.curation.concepts import Resolver
from medlink.curation.intake import Incoming, IntakeMode, Report, ingest
from medlink.curation.sources import open_incoming
from medlink.errors import LedgerError
from medlink.ontology.lexicon import Lexicon
from medlink.records import Annotation, Proposal, Rejected, Source, Verdict
from medlink.store.events import Entry, text_hash
from medlink.store.ledger import Ledger
from tests.store.said import START, after, said

TEXT = "His fit 🧠 was short. Renal cyst."


class Desk:
    """A workspace that files are taken into."""

    def __init__(self, root: Path) -> None:
        self.ledger, self.quarantine = root / "ledger.sqlite", root / "quarantine"

    def take(
        self, records: Iterable[Annotation | Rejected], *, checks: Checks | None = None, hours: float = 0, **mode: bool
    ) -> Report:
        return self.take_files([Incoming("f.jsonl", "abc", records)], checks=checks, hours=hours, **mode)

    def take_files(
        self, files: Iterable[Incoming], *, checks: Checks | None = None, hours: float = 0, **mode: bool
    ) -> Report:
        with Ledger.open(self.ledger) as ledger:
            how = IntakeMode(self.quarantine, **mode)
            return ingest(files, ledger, checks=checks or Checks(), mode=how, now=after(hours))

    def entries(self) -> list[Entry]:
        with Ledger.read(self.ledger) as ledger:
            return list(ledger.events())


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def in_text(word: str, *, text: str | None = TEXT, **fields: Any) -> Annotation:
    start = TEXT.index(word)
    values: dict[str, Any] = {"start": start, "end": start + len(word), "surface": word, "text": text}
    return said(**(values | fields))


def test_report_counts_what_was_new(desk: Desk) -> None:
    corrected = in_text("fit", proposed=(Proposal("HP:9", 0.8), Proposal("HP:0001250", 0.1)), rejected=("HP:9",))
    report = desk.take([corrected, in_text("Renal cyst", concept_id=None, verdict=Verdict.NIL)])
    assert (report.n_records, report.n_new, report.n_duplicates, report.n_refused) == (2, 2, 0, 0)
    assert report.verdicts == {"correct": 1, "nil": 1}
    assert report.corrected == [("HP:9", "HP:0001250", 1)]
    assert report.recorded
    assert report.quarantine == ""
    assert not desk.quarantine.exists()


def test_event_holds_hashes_and_a_window_but_not_the_text(desk: Desk) -> None:
    desk.take([in_text("fit")], checks=Checks(IntakeOptions(window=4)))
    (entry,) = desk.entries()
    assert entry.event.annotation.context == ("His ", " 🧠 w")
    assert entry.event.annotation.doc_hash == text_hash(TEXT)
    assert entry.event.file_hash == "abc"
    assert b"short" not in desk.ledger.read_bytes()


@pytest.mark.parametrize(("keep", "context", "text"), [("nothing", ("", ""), None), ("text", ("His ", " 🧠"), TEXT)])
def test_what_is_kept_is_chosen(desk: Desk, keep: str, context: tuple[str, str], text: str | None) -> None:
    desk.take([in_text("fit")], checks=Checks(IntakeOptions(keep=Keep(keep))))
    (entry,) = desk.entries()
    assert entry.event.annotation.context[0] == context[0]
    assert entry.event.annotation.context[1].startswith(context[1])
    with Ledger.read(desk.ledger) as ledger:
        assert ledger.text(text_hash(TEXT)) == text


def test_again_and_overlapping_files_add_nothing_twice(desk: Desk) -> None:
    first, second, third = in_text("fit"), in_text("Renal cyst"), in_text("fit", annotator="bob")
    desk.take([first, second])
    report = desk.take([second, third, first, third])
    assert (report.n_new, report.n_duplicates) == (1, 3)
    assert len(desk.entries()) == 3


def test_an_older_verdict_without_time_is_reported_as_overtaken(desk: Desk) -> None:
    desk.take([in_text("fit", concept_id="HP:1", time=None)])
    desk.take([in_text("fit", concept_id="HP:2", time=None)], hours=1)
    report = desk.take([in_text("fit", concept_id="HP:1", time=None)], hours=2)
    assert (report.n_duplicates, report.n_stale) == (1, 1)


def test_offsets_are_repaired_and_reported(desk: Desk) -> None:
    start = TEXT.index("Renal")
    report = desk.take([in_text("Renal cyst", start=start + 1, end=start + 11)])
    assert report.repaired == {"UTF-16 units": 1}
    (entry,) = desk.entries()
    assert (entry.event.annotation.start, entry.event.annotation.surface) == (start, "Renal cyst")


def test_repaired_and_right_offsets_are_the_same_event(desk: Desk) -> None:
    start = TEXT.index("Renal")
    report = desk.take([in_text("Renal cyst", start=start + 1, end=start + 11), in_text("Renal cyst")])
    assert (report.n_new, report.n_duplicates) == (1, 1)


def test_notes_count_before_the_copies_in_the_files(desk: Desk) -> None:
    notes = {"d1": "\ufeff" + TEXT.replace(" was", "  was")}
    report = desk.take([in_text("Renal cyst"), in_text("fit", text=None)], checks=Checks(notes=notes))
    assert report.repaired == {"another spacing": 1, "shifted by -1": 1}
    for entry in desk.entries():
        annotation = entry.event.annotation
        assert notes["d1"][annotation.start : annotation.end] == annotation.surface
        assert entry.event.annotation.doc_hash == text_hash(notes["d1"])


def test_defaults_fill_only_what_a_record_does_not_say(desk: Desk) -> None:
    options = IntakeOptions(annotator="eve", time=after(5))
    desk.take([in_text("fit"), in_text("Renal cyst", annotator="", time=None)], checks=Checks(options))
    assert [(e.event.annotation.annotator, e.event.annotation.time) for e in desk.entries()] == [
        ("ann", START),
        ("eve", after(5)),
    ]


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (in_text("fit", surface="gout"), "does not stand at these offsets"),
        (in_text("fit", start=900, end=903), "does not stand at these offsets"),
        (in_text("fit", text=None, surface="fits"), "give the notes along"),
        (in_text("fit", text=None, surface=""), "give the notes along"),
        (in_text("fit", text=None, start=1 << 40, end=(1 << 40) + 3), "behind any document's end"),
        (in_text("fit", text="\ud800" + TEXT), "surrogate"),
        (in_text("fit", proposed=(Proposal("HP:1", float("nan")),)), "no finite number"),
        (in_text("fit", concept_id="HP:77"), "'HP:77' is no concept of tiny"),
        (in_text("fit", concept_id="HP:0009006"), "'HP:0009006' is obsolete in tiny"),
        (Rejected(Source("x.xml", 3, "T1"), "broken XML", "<a>"), "x.xml:3 (T1): broken XML"),
    ],
    ids=range(10),
)
def test_bad_records_go_to_quarantine_and_the_good_part_is_kept(
    desk: Desk, tiny_lexicon: Lexicon, bad: Annotation | Rejected, reason: str
) -> None:
    checks = Checks(resolver=Resolver(tiny_lexicon))
    report = desk.take([in_text("fit"), bad], checks=checks)
    assert (report.n_new, report.n_refused, report.recorded) == (1, 1, True)
    assert reason in report.examples[0]
    assert "fit" not in report.examples[0]
    (line,) = Path(report.quarantine).read_text(encoding="utf-8").splitlines()
    assert json.loads(line)["quarantine"] in report.examples[0]
    assert Path(report.quarantine).stat().st_mode & 0o077 == 0


def test_strict_records_all_or_nothing(desk: Desk) -> None:
    report = desk.take([in_text("fit"), in_text("fit", surface="gout")], strict=True)
    assert not report.recorded
    assert desk.entries() == []
    assert Path(report.quarantine).exists()
    assert desk.take([in_text("fit")], strict=True).recorded


def test_dry_run_leaves_no_trace(desk: Desk) -> None:
    report = desk.take(
        [in_text("fit"), in_text("fit", annotator="bob", concept_id="HP:2"), in_text("fit", surface="y")], dry_run=True
    )
    assert (report.n_new, report.n_conflicts, report.recorded) == (2, 1, False)
    assert desk.entries() == []
    assert not desk.quarantine.exists()


def test_mended_quarantine_file_is_taken_in_with_its_first_source(desk: Desk) -> None:
    bad = in_text("fit", surface="gout", source=Source("export.json", 12, "task 7"))
    report = desk.take([bad, Rejected(Source("b.json", 2), "broken", "{")])
    path = Path(report.quarantine)
    path.write_text(path.read_text(encoding="utf-8").replace('"surface":"gout"', '"surface":"fit"'), encoding="utf-8")
    again = desk.take_files(open_incoming([path]))
    assert (again.n_new, again.n_refused) == (1, 1)
    assert again.examples == ["b.json:2: broken"]
    (entry,) = desk.entries()
    assert entry.event.annotation.source == Source("export.json", 12, "task 7")


def test_quarantine_file_that_is_being_mended_is_not_written_over(desk: Desk) -> None:
    bad = in_text("fit", surface="gout")
    path = Path(desk.take([bad]).quarantine)
    path.write_text("half mended\n", encoding="utf-8")
    assert desk.take([bad]).quarantine == str(path)
    assert path.read_text(encoding="utf-8") == "half mended\n"
    assert [file.name for file in desk.quarantine.iterdir()] == [path.name]


def test_quarantine_that_cannot_be_written_stops_the_batch(desk: Desk) -> None:
    desk.quarantine.write_text("a file in the place of the folder", encoding="utf-8")
    with pytest.raises(LedgerError, match=r"quarantine file cannot be written.*Nothing of this run was recorded"):
        desk.take([in_text("fit"), in_text("fit", surface="gout")])
    assert desk.entries() == []


def test_two_texts_under_one_id_make_a_record_without_text_ambiguous(desk: Desk) -> None:
    desk.take([in_text("fit"), in_text("fit", text=TEXT + "!")])
    report = desk.take([in_text("fit", text=None)])
    assert "several texts" in report.examples[0]


def test_conflicts_of_the_batch_are_counted(desk: Desk) -> None:
    desk.take([in_text("fit"), in_text("Renal cyst", doc_id="d2", annotator="bob", concept_id="HP:1")])
    assert desk.take([in_text("fit", annotator="bob", concept_id="HP:2")]).n_conflicts == 1
    judged = Checks(IntakeOptions(adjudicator=True))
    assert desk.take([in_text("fit", annotator="judge", concept_id="HP:2")], checks=judged).n_conflicts == 0


def test_concepts_that_moved_are_recorded_as_said_and_reported(desk: Desk, tiny_lexicon: Lexicon) -> None:
    report = desk.take([in_text("Renal cyst", concept_id="HP:0004733")], checks=Checks(resolver=Resolver(tiny_lexicon)))
    assert report.moved == [("HP:0004733", "HP:0000107", 1)]
    assert desk.entries()[0].event.annotation.concept_id == "HP:0004733"


@pytest.mark.slow
@given(st.data())
@settings(max_examples=25, deadline=None)
def test_neither_order_nor_repetition_nor_batches_change_what_holds(data: st.DataObject) -> None:
    """The same verdicts in any order, any number of times, in any batches, some of the copies without the text."""
    verdicts = [
        in_text(word, doc_id=doc_id, annotator=who, concept_id=f"HP:{hour % 3}", time=after(hour))
        for hour, (word, doc_id, who) in enumerate(
            (word, doc_id, who)
            for word in ("fit", "Renal cyst")
            for doc_id in ("d1", "d2")
            for who in ("ann", "bob", "ann")
        )
    ]
    copies = [*verdicts, *data.draw(st.lists(st.sampled_from(verdicts), max_size=8))]
    ordered = data.draw(st.permutations(copies))
    with tempfile.TemporaryDirectory() as name:
        desk, records = Desk(Path(name)), list(ordered)
        n_new, hours = 0, 100
        while records:
            size = data.draw(st.integers(1, len(records)))
            part, records = records[:size], records[size:]
            bare = [replace(one, text=None) if data.draw(st.booleans()) else one for one in part]
            report = desk.take(bare, hours=hours)
            n_new, hours = n_new + report.n_new, hours + 1
            assert report.n_refused == 0
        assert n_new == len(verdicts)
        with Ledger.read(desk.ledger) as ledger:
            held = {
                (said.doc_id, said.surface, said.annotator): said.concept_id
                for said in (entry.event.annotation for entry in ledger.current())
            }
    last = {(one.doc_id, one.surface, one.annotator): one.concept_id for one in verdicts}
    assert held == last

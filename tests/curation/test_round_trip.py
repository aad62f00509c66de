"""Export for a tool, annotate (simulated), ingest: the ledger holds exactly that, however often and packed it comes."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from medlink.curation.adjudication import decide_spans
from medlink.curation.checks import Checks, IntakeOptions
from medlink.curation.intake import IntakeMode, Report, ingest
from medlink.curation.sources import open_incoming
from medlink.formats.writers import write_links
from medlink.store.ledger import Ledger
from medlink.text import flatten
from tests.formats.annotating import ANNOTATORS, ANSWERS, BASELINE, NOTE, OTHER, UNTOUCHED, said, zipped
from tests.store.said import START, after

FORMATS = list(ANNOTATORS)


def answer(folder: Path, format: str) -> Path:
    """A folder with an export that the simulated annotator has answered."""
    write_links([NOTE, OTHER], folder / format / "export", format=format)
    ANNOTATORS[format](folder / format / "export")
    return folder / format


def take(ledger: Ledger, *paths: Path) -> Report:
    checks = Checks(IntakeOptions(annotator="ann", time=after(1)))
    mode = IntakeMode(ledger.path.with_name("quarantine"))
    return ingest(open_incoming(paths, baseline=BASELINE), ledger, checks=checks, mode=mode, now=START)


@pytest.mark.parametrize("format", FORMATS)
def test_ledger_holds_what_was_annotated(tmp_path: Path, format: str) -> None:
    folder = answer(tmp_path, format)
    with Ledger.open(tmp_path / "ledger.sqlite") as ledger:
        report = take(ledger, folder)
        n_events = len(ANSWERS) + len(UNTOUCHED)
        assert (report.n_new, report.n_duplicates, report.n_refused, report.n_conflicts) == (n_events, 0, 0, 0)
        current = [entry.event.annotation for entry in ledger.current()]
        assert said(current) == ANSWERS
        assert said(current, "plain") == UNTOUCHED
        # doccano names the files of an archive for their annotators, so there it is another person's.
        again = take(ledger, folder if format == "doccano" else zipped(folder), folder)
        assert (again.n_new, again.n_duplicates, again.n_refused) == (0, 2 * n_events, 0)


def test_all_tools_together_twice_in_any_order_agree(tmp_path: Path) -> None:
    folders = [answer(tmp_path, format) for format in FORMATS] * 2
    random.Random(0).shuffle(folders)
    with Ledger.open(tmp_path / "ledger.sqlite") as ledger:
        for folder in folders:
            assert take(ledger, folder).n_conflicts == 0
        decided = {(d.span.surface, d.concept_id) for d in decide_spans(ledger.current()) if not d.is_open}
    assert decided == {(flatten(surface), concept_id) for surface, _, concept_id, _ in ANSWERS | UNTOUCHED}

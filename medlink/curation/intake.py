"""The intake: files of annotations into the ledger, in one batch, with a report of all that became of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from medlink.curation.adjudication import Basis, decide_spans
from medlink.curation.checks import Checked, Checks, Keep, Refused, check_annotation
from medlink.curation.quarantine import Quarantine
from medlink.records import Annotation, Rejected, Verdict
from medlink.store.events import Entry
from medlink.store.ledger import Added, Batch, Ledger

# Refused records that a report names; all of them are in the quarantine file.
N_EXAMPLES = 10
# Up to so many documents are asked for conflicts one by one, more in one pass over the ledger.
_FEW_DOCUMENTS = 1000


@dataclass(frozen=True, slots=True)
class Incoming:
    """A file to take in.

    :param sha256: of its content, in hexadecimal.
    :param records: what its reader finds, read as they are asked for.
    """

    name: str
    sha256: str
    records: Iterable[Annotation | Rejected]


@dataclass(frozen=True, slots=True)
class IntakeMode:
    """How a batch is taken in.

    :param strict: all or nothing: one refused record, and nothing is recorded.
    :param dry_run: nothing is recorded or written; the report says what would be.
    :param quarantine: the folder of quarantine files.
    """

    quarantine: Path
    strict: bool = False
    dry_run: bool = False


@dataclass(slots=True)
class Report:
    """What became of a batch.

    :param n_records: all that the files held.
    :param n_new: events that were recorded; with ``recorded`` false, that would have been.
    :param n_duplicates: events that the ledger had already, or the batch twice.
    :param n_stale: of these, events that a later one of the same annotator has overtaken: they do not count again.
    :param verdicts: of the new events.
    :param repaired: new events whose offsets had been counted differently, by the way of counting.
    :param moved: new events whose concept is called otherwise today: from, to, number.
    :param n_refused: records that went to quarantine.
    :param examples: the first of them with place and reason.
    :param corrected: what the new corrections changed: from, to, number; the most frequent first.
    :param n_conflicts: open conflicts on the documents of this batch.
    :param quarantine: the quarantine file, empty where there is none.
    :param recorded: whether the new events are in the ledger now.
    """

    files: list[str] = field(default_factory=list)
    n_records: int = 0
    n_new: int = 0
    n_duplicates: int = 0
    n_stale: int = 0
    verdicts: dict[str, int] = field(default_factory=dict)
    repaired: dict[str, int] = field(default_factory=dict)
    moved: list[tuple[str, str, int]] = field(default_factory=list)
    n_refused: int = 0
    examples: list[str] = field(default_factory=list)
    corrected: list[tuple[str, str, int]] = field(default_factory=list)
    n_conflicts: int = 0
    quarantine: str = ""
    recorded: bool = False


class _NotRecorded(Exception):  # noqa: N818 - no error, but the way out of a transaction that is to leave nothing
    """Rolls the batch back."""


def ingest(incoming: Iterable[Incoming], ledger: Ledger, *, checks: Checks, mode: IntakeMode, now: datetime) -> Report:
    """Takes files into the ledger as one batch: when this returns, it is on the disk, or there is no trace of it.

    Repeatable: what is in the ledger is not added again, so an import that was interrupted is simply run once more.

    :raises LedgerError: when the ledger cannot be written; nothing is then recorded.
    """
    tally = _Tally()
    with Quarantine(None if mode.dry_run else mode.quarantine) as quarantine:
        try:
            with ledger.batch(now) as batch:
                for checked in _sound(incoming, checks, quarantine, tally):
                    _record(checked, batch, checks.options.keep, quarantine, tally)
                batch.seal()
                tally.report.n_conflicts = _count_conflicts(ledger, tally.documents)
                # Before the commit: were it the other way round, a crash between both would lose the refused records.
                quarantine.finish()
                if mode.dry_run or (mode.strict and quarantine.n_records):
                    raise _NotRecorded
            tally.report.recorded = True
        except _NotRecorded:
            pass
        return tally.finish(quarantine)


class _Tally:
    """Counts what a report says."""

    def __init__(self) -> None:
        self.report = Report()
        self.documents: set[str] = set()
        self._verdicts = Counter[Verdict]()
        self._repaired = Counter[str]()
        self._moved = Counter[tuple[str, str]]()
        self._corrected = Counter[tuple[str, str]]()

    def count_new(self, checked: Checked) -> None:
        said = checked.event.annotation
        self.report.n_new += 1
        self._verdicts[said.verdict] += 1
        self.documents.add(said.doc_id)
        if checked.repair:
            self._repaired[checked.repair] += 1
        if checked.current_id:
            self._moved[said.concept_id or "", checked.current_id] += 1
        if said.verdict is Verdict.CORRECT and said.proposed:
            self._corrected[said.proposed[0].concept_id, said.concept_id or ""] += 1

    def name_refused(self, record: Refused | Rejected) -> None:
        if len(self.report.examples) < N_EXAMPLES:
            source = record.annotation.source if isinstance(record, Refused) else record.source
            self.report.examples.append(f"{source}: {record.reason}")

    def finish(self, quarantine: Quarantine) -> Report:
        report = self.report
        report.verdicts = {verdict.value: self._verdicts[verdict] for verdict in Verdict if self._verdicts[verdict]}
        report.repaired = dict(sorted(self._repaired.items()))
        report.moved = _most_common(self._moved)
        report.corrected = _most_common(self._corrected)
        report.n_refused = quarantine.n_records
        report.quarantine = str(quarantine.path or "")
        return report


def _most_common(counts: Counter[tuple[str, str]]) -> list[tuple[str, str, int]]:
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return [(before, after, n_events) for (before, after), n_events in ordered]


def _sound(incoming: Iterable[Incoming], checks: Checks, quarantine: Quarantine, tally: _Tally) -> Iterator[Checked]:
    """The sound records of all files; the others go to quarantine."""
    for file in incoming:
        tally.report.files.append(file.name)
        for record in file.records:
            tally.report.n_records += 1
            checked: Checked | Refused | Rejected
            if isinstance(record, Annotation):
                checked = check_annotation(record, checks, file_hash=file.sha256)
            else:
                checked = record
            if isinstance(checked, Checked):
                yield checked
            else:
                tally.name_refused(checked)
                quarantine.add(checked)


def _record(checked: Checked, batch: Batch, keep: Keep, quarantine: Quarantine, tally: _Tally) -> None:
    said = checked.event.annotation
    if said.doc_hash:
        batch.add_document(said.doc_id, said.doc_hash, text=checked.text if keep is Keep.TEXT else None)
    added = batch.add(checked.event)
    if added is Added.NEW:
        tally.count_new(checked)
    elif added is Added.AMBIGUOUS:
        refused = Refused(said, "its document's id stands for several texts; give the notes along")
        tally.name_refused(refused)
        quarantine.add(refused)
    else:
        tally.report.n_duplicates += 1
        tally.report.n_stale += added is Added.STALE


def _count_conflicts(ledger: Ledger, documents: set[str]) -> int:
    def current() -> Iterator[Entry]:
        if len(documents) > _FEW_DOCUMENTS:
            yield from (entry for entry in ledger.current() if entry.event.annotation.doc_id in documents)
        else:
            for doc_id in sorted(documents):
                yield from ledger.current(doc_id=doc_id)

    return sum(decision.basis is Basis.CONFLICT for decision in decide_spans(current()))

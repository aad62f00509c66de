"""The commands ``medlink ledger …``: what annotators said, where they differ, and whether the record of it is sound."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from dataclasses import asdict
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import click

from medlink.cli.options import workspace_option
from medlink.curation.adjudication import Basis, Decision, Policy, decide_spans
from medlink.curation.agreement import Agreement, measure_agreement
from medlink.curation.concepts import Resolver
from medlink.curation.migration import MigrationReport, migrate_concepts
from medlink.curation.quarantine import Quarantine
from medlink.formats.annotation_jsonl import write_annotation_csv, write_annotation_jsonl
from medlink.formats.atomic import new_file
from medlink.records import Annotation
from medlink.store.events import Entry
from medlink.store.ledger import Ledger
from medlink.store.workspace import Workspace, default_workspace_root

Command = TypeVar("Command", bound=Callable[..., Any])

WRITERS: dict[str, Callable[[Iterable[Annotation], BinaryIO], None]] = {
    "jsonl": write_annotation_jsonl,
    "csv": write_annotation_csv,
}


class Moment(click.ParamType[datetime]):
    """A date or time in ISO 8601; without a zone it is UTC, a date alone its first moment."""

    name = "moment"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:  # noqa: ANN401
        """The moment with its time zone."""
        try:
            moment = value if isinstance(value, datetime) else datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is no moment; write 2026-01-31 or 2026-01-31T09:30+01:00", param, ctx)
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


ontology_option = click.option(
    "--ontology",
    default="hpo",
    show_default=True,
    metavar="NAME|FILE",
    help="Ontology of the concepts: a name that `medlink ontology list` shows, or a file.",
)
_json = click.option("--json", "as_json", is_flag=True, help="Print JSON for other programs instead of text.")
_policy = click.option(
    "--policy",
    type=click.Choice([policy.value for policy in Policy]),
    default=Policy.ADJUDICATOR.value,
    show_default=True,
    help="Who decides where annotators differ: only an adjudicator, more than half of them, or who spoke last.",
)
_limit = click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True, help="How many to show.")


def load_resolver(workspace: Workspace, ontology: str) -> Resolver:
    """The resolver of an ontology by name or file, whatever branch of it is linked to."""
    from medlink.linking.assemble import load_whole_lexicon  # brings in spaCy and torch, which --help does not need
    from medlink.linking.recipe import Recipe

    return Resolver(load_whole_lexicon(Recipe(workspace.root, ontology=ontology), show_progress=sys.stderr.isatty()))


def describe(concept_id: str, resolver: Resolver | None) -> str:
    """The id with the concept's name, where it is known."""
    concept = resolver.lexicon.concepts.get(concept_id) if resolver else None
    return f"{concept_id} {concept.name}" if concept else concept_id


@click.group("ledger")
def ledger() -> None:
    """See what annotators said, where they differ, and get it out again.

    The ledger is one file in the workspace. Nothing in it is ever changed: who thinks again adds another event.
    """


@ledger.command()
@workspace_option
@_json
def status(workspace: Path | None, as_json: bool) -> None:
    """Show how much is in the ledger: events, documents, annotators, verdicts, open conflicts, the last import."""
    with _open(workspace) as book:
        facts = _facts(book)
    if as_json:
        _print_json(facts)
        return
    for name, value in facts.items():
        shown = ", ".join(f"{key} {count:,}" for key, count in value.items()) if isinstance(value, dict) else value
        click.echo(f"{name.replace('_', ' '):<15}  {shown}")


@ledger.command()
@click.option("--doc", "doc_id", metavar="ID", help="Only this document.")
@click.option("--history", is_flag=True, help="All events, not only what each annotator said last.")
@_limit
@workspace_option
@_json
def show(doc_id: str | None, history: bool, limit: int, workspace: Path | None, as_json: bool) -> None:
    """Show what annotators said, span by span."""
    with _open(workspace) as book:
        entries = book.events(doc_id=doc_id) if history else book.current(doc_id=doc_id)
        _show_entries(entries, limit=limit, as_json=as_json)


@ledger.command("as-of")
@click.argument("moment", type=Moment())
@click.option("--doc", "doc_id", metavar="ID", help="Only this document.")
@_limit
@workspace_option
@_json
def as_of(moment: datetime, doc_id: str | None, limit: int, workspace: Path | None, as_json: bool) -> None:
    """Show what held at a past MOMENT: what had been imported by then, such as 2026-01-31 or 2026-01-31T09:30+01:00."""
    with _open(workspace) as book:
        _show_entries(book.current(doc_id=doc_id, as_of=moment), limit=limit, as_json=as_json)


@ledger.command()
@_policy
@_limit
@workspace_option
@_json
def conflicts(policy: str, limit: int, workspace: Path | None, as_json: bool) -> None:
    """List the spans on which annotators differ and nobody has decided.

    To decide, annotate them once more and import the file with: medlink ingest FILE --adjudicator
    """
    with _open(workspace) as book:
        decisions = decide_spans(book.current(), policy=Policy(policy))
        found = [decision for decision in decisions if decision.basis is Basis.CONFLICT]
    if as_json:
        _print_json([_decision_row(decision) for decision in found])
        return
    for decision in found[:limit]:
        span = decision.span
        click.echo(f"{span.doc_id} [{span.start}, {span.end}) {span.surface!r}")
        for outcome, entry in decision.votes:
            click.echo(f"    {outcome}  {_who_and_when(entry)}")
    click.echo(_count_shown("open conflicts", min(limit, len(found)), len(found)))


@ledger.command()
@workspace_option
@_json
def agreement(workspace: Path | None, as_json: bool) -> None:
    """Show how far annotators agree beyond chance: Cohen's kappa for each pair, Fleiss' for all and for each concept.

    1 is full agreement, 0 what chance would give. Only spans that two or more annotators judged count; adjudicators
    do not.
    """
    with _open(workspace) as book:
        measured = measure_agreement(decide_spans(book.current()))
    if as_json:
        _print_json(asdict(measured))
        return
    for line in _agreement_lines(measured):
        click.echo(line)


@ledger.command()
@click.option("-o", "--out", type=click.Path(path_type=Path), help="File to write. [default: standard output]")
@click.option("-f", "--format", "format_", type=click.Choice(sorted(WRITERS)), default="jsonl", show_default=True,
              help="Format of the file; 'medlink ingest' reads both.")  # fmt: skip
@click.option(
    "--what",
    type=click.Choice(["current", "history", "decided"]),
    default="current",
    show_default=True,
    help="What each annotator said last, all that was ever said, or only what holds: no open conflicts, one event for "
    "each span.",
)
@_policy
@click.option("--as-of", "as_of_moment", type=Moment(), help="As the ledger stood at that moment.")
@workspace_option
@click.option("--json", "as_json", is_flag=True, help="Print what was written as JSON; needs --out.")
def export(what: str, policy: str, as_of_moment: datetime | None, workspace: Path | None, **to: Any) -> None:
    """Write the ledger's events as medlink's own JSON lines or CSV, for analysis or another ledger."""
    out: Path | None = to["out"]
    if out is None and to["as_json"]:
        raise click.UsageError("--json needs --out: without it the events go to standard output.")
    n_written = 0

    def counted(annotations: Iterable[Annotation]) -> Iterator[Annotation]:
        nonlocal n_written
        for annotation in annotations:
            n_written += 1
            yield annotation

    with _open(workspace) as book, new_file(out) if out else nullcontext(sys.stdout.buffer) as stream:
        WRITERS[to["format_"]](counted(_chosen(book, what, Policy(policy), as_of_moment)), stream)
    if to["as_json"]:
        _print_json({"n_events": n_written, "written": str(out)})
    elif out is not None:
        click.echo(f"Wrote {n_written:,} events to {out}", err=True)


@ledger.command()
@ontology_option
@workspace_option
@_json
def migrate(ontology: str, workspace: Path | None, as_json: bool) -> None:
    """Show what a release of an ontology does to the ledger's concepts: which ids moved, and which lead nowhere.

    Ids that moved need nothing: they are followed whenever the ledger is used. Events whose concept is gone are left
    out of everything that is learned, and are written to a quarantine file; give them a concept of today there, and
    ingest that file.
    """
    place = Workspace(workspace or default_workspace_root())
    with _open(workspace) as book, Quarantine(place.quarantine) as quarantine:
        report = migrate_concepts(book.current(), load_resolver(place, ontology), quarantine)
    if as_json:
        _print_json(asdict(report))
        return
    for line in _migration_lines(report):
        click.echo(line)


@ledger.command()
@workspace_option
@_json
def verify(workspace: Path | None, as_json: bool) -> None:
    """Read the whole ledger and check that everything in it is as it was recorded."""
    with _open(workspace) as book:
        book.verify()
        facts = {"sound": True, "n_events": book.n_events(), "n_batches": len(book.batches()), "file": str(book.path)}
    if as_json:
        _print_json(facts)
    else:
        click.echo(f"{facts['file']} is sound: {facts['n_events']:,} events in {facts['n_batches']:,} batches")


def _open(workspace: Path | None) -> Ledger:
    return Ledger.read(Workspace(workspace or default_workspace_root()).ledger)


def _facts(book: Ledger) -> dict[str, Any]:
    verdicts, annotators, bases = Counter[str](), Counter[str](), Counter[Basis]()

    def counted() -> Iterator[Entry]:
        for entry in book.current():
            said = entry.event.annotation
            verdicts[said.verdict.value.replace("_", " ")] += 1
            annotators[said.annotator or "(not named)"] += 1
            yield entry

    for decision in decide_spans(counted()):
        bases[decision.basis] += 1
    batches = book.batches()
    return {
        "file": str(book.path),
        "events": book.n_events(),
        "documents": book.n_documents(),
        "spans": bases.total(),
        "open_conflicts": bases[Basis.CONFLICT],
        "verdicts": dict(verdicts.most_common()),
        "annotators": dict(annotators.most_common()),
        "batches": len(batches),
        "last_batch": batches[-1].recorded_at.isoformat() if batches else "",
    }


def _chosen(book: Ledger, what: str, policy: Policy, moment: datetime | None) -> Iterator[Annotation]:
    if what == "history":
        yield from (entry.event.annotation for entry in book.events(as_of=moment))
    elif what == "current":
        yield from (entry.event.annotation for entry in book.current(as_of=moment))
    else:
        for decision in decide_spans(book.current(as_of=moment), policy=policy):
            if not decision.is_open:
                # The first that says what holds, in the order of recording.
                yield next(e.event.annotation for outcome, e in decision.votes if outcome == decision.outcome)


def _show_entries(entries: Iterator[Entry], *, limit: int, as_json: bool) -> None:
    if as_json:
        _print_json([_entry_row(entry) for entry in islice(entries, limit)])
        return
    n_shown = 0
    for entry in islice(entries, limit):
        said = entry.event.annotation
        n_shown += 1
        verdict = said.verdict.value.replace("_", " ")
        click.echo(
            f"{said.doc_id} [{said.start}, {said.end}) {said.surface!r}  {verdict}"
            f"{' ' + said.concept_id if said.concept_id else ''}  {_who_and_when(entry)}  {said.source}"
        )
    more = next(entries, None) is not None
    click.echo(f"{n_shown:,} events" + ("; there are more, see --limit and --doc" if more else ""))


def _who_and_when(entry: Entry) -> str:
    role = ", adjudicator" if entry.event.annotation.adjudicator else ""
    return f"{entry.event.annotation.annotator or '(not named)'}{role}, {entry.at:%Y-%m-%d %H:%M}"


def _entry_row(entry: Entry) -> dict[str, Any]:
    said = entry.event.annotation
    return {
        "seq": entry.seq,
        "batch": entry.batch,
        "recorded_at": entry.recorded_at.isoformat(),
        "doc_id": said.doc_id,
        "doc_hash": said.doc_hash,
        "start": said.start,
        "end": said.end,
        "surface": said.surface,
        "verdict": said.verdict.value,
        "concept_id": said.concept_id,
        "annotator": said.annotator,
        "adjudicator": said.adjudicator,
        "time": said.time and said.time.isoformat(),
        "proposed": [asdict(proposal) for proposal in said.proposed],
        "rejected": list(said.rejected),
        "release": said.release,
        "ontology_version": said.ontology_version,
        "tool": said.tool,
        "source": asdict(said.source),
    }


def _decision_row(decision: Decision) -> dict[str, Any]:
    votes = [_entry_row(entry) | {"outcome": outcome} for outcome, entry in decision.votes]
    return asdict(decision.span) | {"basis": decision.basis.value, "votes": votes}


def _agreement_lines(measured: Agreement) -> Iterator[str]:
    yield f"{measured.n_spans:,} spans judged by two or more annotators; Fleiss' kappa {_kappa(measured.kappa)}"
    for pair in measured.pairs:
        yield (
            f"{pair.first} and {pair.second}: Cohen's kappa {_kappa(pair.kappa)}, agree on {pair.observed:.1%} of "
            f"{pair.n_spans:,} spans"
        )
    for concept in measured.concepts[:20]:
        yield f"{concept.outcome}: Fleiss' kappa {_kappa(concept.kappa)}, {concept.n_spans:,} spans"
    if len(measured.concepts) > 20:
        yield f"… and {len(measured.concepts) - 20:,} more; --json has all"


def _migration_lines(report: MigrationReport) -> Iterator[str]:
    yield (
        f"{report.n_events:,} events name a concept; in {report.ontology} {sum(n for _, _, n in report.moved):,} "
        f"moved, {sum(n for _, _, n in report.gone):,} are gone"
    )
    yield from (f"{before} → {after}, {count:,} events" for before, after, count in report.moved)
    yield from (f"{reason}: {count:,} events" for _, reason, count in report.gone)
    if report.quarantine:
        yield f"Wrote {report.quarantine}: give the events there a concept of today and ingest that file."


def _kappa(kappa: float | None) -> str:
    return "undefined" if kappa is None else f"{kappa:.3f}"


def _count_shown(what: str, n_shown: int, n_all: int) -> str:
    return f"{n_all:,} {what}" + (f", the first {n_shown:,} shown" if n_shown < n_all else "")


def _print_json(value: object) -> None:
    click.echo(json.dumps(value, ensure_ascii=False))

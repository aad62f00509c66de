"""``medlink ingest``: what annotators made of the links, into the ledger."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from tqdm import tqdm

from medlink.cli.ledger import Moment, describe, load_resolver, ontology_option
from medlink.cli.options import workspace_option
from medlink.curation.checks import Checks, IntakeOptions, Keep
from medlink.curation.concepts import Resolver
from medlink.curation.intake import Incoming, IntakeMode, Report
from medlink.curation.intake import ingest as take_in
from medlink.curation.sources import open_incoming
from medlink.errors import NoteReadError
from medlink.formats.annotations import AUTO, READERS
from medlink.formats.note_files import NoteOptions
from medlink.formats.notes import read_notes
from medlink.formats.proposed import read_baseline
from medlink.records import Annotation, Rejected
from medlink.store.ledger import Ledger
from medlink.store.workspace import Workspace, default_workspace_root

EXIT_SOME_REFUSED = 3
_N_SHOWN = 5


@click.command(name="ingest", short_help="Take annotation files into the ledger.")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILES...")
@click.option(
    "-f",
    "--format",
    "format_",
    type=click.Choice([AUTO, *READERS]),
    default=AUTO,
    show_default=True,
    help="What wrote the files. By default their content tells.",
)
@click.option(
    "--links",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The links that the annotators were given, as 'medlink link --format jsonl' wrote them: for tools that keep "
    "no record of them.",
)
@ontology_option
@click.option("--any-concept", is_flag=True, help="Take every concept id as it is, without asking the ontology.")
@click.option(
    "--notes",
    multiple=True,
    metavar="NOTES",
    help="The untouched notes, as 'medlink link' takes them (may be given several times): offsets are checked against "
    "these before the copies in the files.",
)
@click.option("--annotator", default="", metavar="NAME", help="Who annotated, where a file does not say.")
@click.option("--time", type=Moment(), help="When, where a file does not say: 2026-01-31 or 2026-01-31T09:30+01:00.")
@click.option("--adjudicator", is_flag=True, help="These are decisions between annotators: they stand above theirs.")
@click.option(
    "--keep",
    type=click.Choice([keep.value for keep in Keep]),
    default=Keep.WINDOW.value,
    show_default=True,
    help="What to keep of a note beside the mentions: nothing, a window around each, or the whole text.",
)
@click.option("--strict", is_flag=True, help="All or nothing: with one bad record, record none.")
@click.option("--dry-run", is_flag=True, help="Only say what would be done.")
@workspace_option
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def ingest(files: tuple[Path, ...], **options: Any) -> None:
    """Take the annotations in FILES, folders or zip archives into the ledger of the workspace.

    What the ledger has already is not added again, so the same files can be given any number of times. Records that
    cannot be understood go to a quarantine file with the reason: mend them there and ingest that file; the exit status
    is then 3.
    """
    workspace = Workspace(options["workspace"] or default_workspace_root())
    resolver = None if options["any_concept"] else load_resolver(workspace, options["ontology"])
    baseline = read_baseline(options["links"]) if options["links"] else {}
    texts = {doc_id: linked.document.text for doc_id, linked in baseline.items() if linked.document.text}
    checks = Checks(
        IntakeOptions(
            annotator=options["annotator"],
            time=options["time"],
            adjudicator=options["adjudicator"],
            keep=Keep(options["keep"]),
        ),
        notes=texts | read_texts(options["notes"]),
        resolver=resolver,
    )
    incoming = open_incoming(files, format=options["format_"], baseline=baseline)
    mode = IntakeMode(workspace.quarantine, strict=options["strict"], dry_run=options["dry_run"])
    report = _take_in(incoming, workspace.ledger, checks, mode)
    if options["as_json"]:
        click.echo(json.dumps(asdict(report), ensure_ascii=False))
    else:
        _show(report, mode, resolver)
    if report.n_refused:
        raise SystemExit(EXIT_SOME_REFUSED)


def _take_in(incoming: Iterable[Incoming], path: Path, checks: Checks, mode: IntakeMode) -> Report:
    watched = _watched(incoming)
    if mode.dry_run and not path.exists():
        with tempfile.TemporaryDirectory() as folder, Ledger.open(Path(folder) / path.name) as ledger:
            return take_in(watched, ledger, checks=checks, mode=mode, now=datetime.now(UTC))
    with Ledger.open(path) as ledger:
        return take_in(watched, ledger, checks=checks, mode=mode, now=datetime.now(UTC))


def _watched(incoming: Iterable[Incoming]) -> Iterator[Incoming]:
    """The files, their records counted on one progress bar as they are read."""
    with tqdm(desc="reading", unit=" records", disable=None) as bar:

        def counted(records: Iterable[Annotation | Rejected]) -> Iterator[Annotation | Rejected]:
            for record in records:
                bar.update()
                yield record

        for file in incoming:
            bar.set_postfix_str(Path(file.name).name, refresh=False)
            yield replace(file, records=counted(file.records))


def read_texts(sources: Sequence[str]) -> dict[str, str]:
    """The texts of notes by id; each that cannot be read is named."""
    if not sources:
        return {}
    texts: dict[str, str] = {}
    for item in read_notes(sources, options=NoteOptions()):
        if isinstance(item, NoteReadError):
            click.echo(f"Skipped: {item}", err=True)
        else:
            texts[item.id] = item.text
    return texts


def _show(report: Report, mode: IntakeMode, resolver: Resolver | None) -> None:
    for line in _lines(report, mode, resolver):
        click.echo(line)


def _lines(report: Report, mode: IntakeMode, resolver: Resolver | None) -> Iterator[str]:
    """The report as a project lead reads it."""
    n_files = len(report.files)
    yield (
        f"{report.n_records:,} records in {n_files} {'file' if n_files == 1 else 'files'}: {report.n_new:,} new, "
        f"{report.n_duplicates:,} in the ledger already, {report.n_refused:,} in quarantine"
    )
    if report.verdicts:
        counts = (f"{verdict.replace('_', ' ')} {count:,}" for verdict, count in report.verdicts.items())
        yield f"Verdicts: {', '.join(counts)}"
    if report.n_stale:
        yield (
            f"{report.n_stale:,} of those in the ledger already have been overtaken by a later verdict, which stays. "
            "If they are the newer ones, give their --time."
        )
    if report.repaired:
        counts = (f"{name} {count:,}" for name, count in report.repaired.items())
        yield f"Offsets repaired: {', '.join(counts)}"
    yield from _changes("Called otherwise today", report.moved, resolver)
    yield from _changes("Most corrected", report.corrected, resolver)
    if report.n_conflicts:
        yield f"{report.n_conflicts:,} open conflicts in these documents; see them with: medlink ledger conflicts"
    yield from (f"Refused: {example}" for example in report.examples)
    if report.n_refused > len(report.examples):
        yield f"… and {report.n_refused - len(report.examples):,} more"
    if report.quarantine:
        yield f"Wrote {report.quarantine}: mend the lines there and ingest that file."
    if mode.dry_run:
        yield "A dry run: nothing was recorded."
    elif not report.recorded:
        yield "Nothing was recorded, as --strict asks."


def _changes(title: str, changes: Sequence[tuple[str, str, int]], resolver: Resolver | None) -> Iterator[str]:
    for before, after, count in changes[:_N_SHOWN]:
        yield f"{title}: {describe(before, resolver)} → {describe(after, resolver)}, {count:,} times"
    if len(changes) > _N_SHOWN:
        yield f"… and {len(changes) - _N_SHOWN:,} more"

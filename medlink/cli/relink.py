"""``medlink relink``: what was linked before, linked again."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from medlink.cli.corrections import OFF, corrections_option, load_corrections
from medlink.cli.lessons import load_precedents
from medlink.cli.options import linker_options, make_recipe, memory_option
from medlink.curation.adjudication import Policy
from medlink.formats.atomic import check_new_file, new_file
from medlink.refinement.change_files import WRITERS
from medlink.refinement.changes import Change, ReviewLimits, Tally
from medlink.store.link_log import LinkLog
from medlink.store.workspace import Workspace

if TYPE_CHECKING:
    from medlink.refinement.relink import Relinker


@click.command(short_help="Link again what was linked before, without the notes.")
@linker_options
@corrections_option
@click.option("-o", "--out", type=click.Path(path_type=Path), help="File to write the links that change to.")
@click.option(
    "-f",
    "--format",
    "format_",
    type=click.Choice(sorted(WRITERS)),
    default="jsonl",
    show_default=True,
    help="Format of that file.",
)
@click.option(
    "--review-below",
    default=ReviewLimits().below,
    show_default=True,
    type=click.FloatRange(0, 1),
    help="Mark a changed link for review when its new score is lower, or when it lost its concept.",
)
@click.option(
    "--review-margin",
    default=ReviewLimits().margin,
    show_default=True,
    type=click.FloatRange(0, 1),
    help="Mark a changed link for review when its second candidate is less than this behind.",
)
@click.option(
    "--apply/--dry-run",
    "is_applied",
    default=False,
    help="Record the new links in the link log, which keeps the old ones as history. [default: --dry-run]",
)
@memory_option
@click.option(
    "--workers",
    default=1,
    show_default=True,
    type=click.IntRange(1),
    help="Processes; the links are the same for any number.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON on standard output.")
def relink(**options: Any) -> None:
    """Link again all mentions that 'medlink link' recorded in the workspace, and write which links change, and why.

    No note is read: the link log holds what is looked up for each mention, and its place. Each document's mentions are
    decided together, and what annotators decided holds, just as 'medlink link' would do it now. The links that change
    are written to OUT, ordered by document and place: the old and the new concept with their scores and releases, and
    the annotators' decision behind it, or for what was learned the corrections that are nearest to the mention.

    Mentions that nobody had found then are not looked for: for these the notes are needed. Nothing else is written
    without --apply. Your files of links stay as they are: run 'medlink link' for new ones.
    """
    recipe = make_recipe(options)
    out, limits = options["out"], ReviewLimits(options["review_below"], options["review_margin"])
    if out is not None:
        check_new_file(out)
    log = Workspace(recipe.workspace).link_log
    LinkLog.read(log).close()  # one that is not there is told now
    from medlink.refinement.relink import Relinker  # brings in spaCy and torch, which --help does not need

    policy = options["corrections"]
    recipe = replace(recipe, corrections=load_corrections(recipe, policy))
    precedents = load_precedents(recipe, Policy.ADJUDICATOR if policy == OFF else Policy(policy))
    relinker = Relinker(recipe, precedents, limits, n_workers=options["workers"], show_progress=sys.stderr.isatty())
    tally, started = Tally(), time.monotonic()
    with ExitStack() as stack:
        relinking = stack.enter_context(LinkLog.open(log)).relinking() if options["is_applied"] else None
        _write(relinker.changes(tally, into=relinking), out, options["format_"], relinker)
        if relinking is not None:
            relinking.commit(relinker.run, datetime.now(UTC))
    _report(tally, relinker, out, seconds=time.monotonic() - started, options=options)


def _write(changes: Iterator[Change], out: Path | None, format: str, relinker: Relinker) -> None:
    if out is None:
        for _ in changes:
            pass
        return
    with new_file(out) as stream:
        WRITERS[format](changes, stream, relinker.lexicon)


def _report(tally: Tally, relinker: Relinker, out: Path | None, *, seconds: float, options: dict[str, Any]) -> None:
    if options["as_json"]:
        facts = {
            "release": relinker.run.release,
            "n_documents": tally.n_documents,
            "n_links": tally.n_links,
            "n_unchanged": tally.n_unchanged,
            "n_changed": tally.n_changed,
            "n_rescored": tally.n_rescored,
            "causes": tally.causes,
            "n_nil_gained": tally.n_nil_gained,
            "n_nil_lost": tally.n_nil_lost,
            "n_review": tally.n_review,
            "n_documents_elsewhere": relinker.n_elsewhere,
            "applied": options["is_applied"],
            "written": [] if out is None else [str(out)],
            "seconds": round(seconds, 2),
        }
        click.echo(json.dumps(facts))
        return
    click.echo(
        f"{tally.n_links:,} links in {tally.n_documents:,} notes, linked again with {relinker.run.release}: "
        f"{tally.n_unchanged:,} unchanged, {tally.n_changed:,} changed, {seconds:.1f} s"
    )
    if tally.n_changed:
        causes = ", ".join(f"{n:,} by {cause}" for cause, n in tally.causes.items() if n)
        click.echo(
            f"Changed: {causes}; {tally.n_nil_gained:,} lost their concept, {tally.n_nil_lost:,} got their first; "
            f"{tally.n_review:,} to review"
        )
    if relinker.n_elsewhere:
        click.echo(f"Left alone: {relinker.n_elsewhere:,} notes that were linked to something else")
    if out is not None:
        click.echo(f"Wrote {out}")
    if options["is_applied"]:
        click.echo(f"Recorded in {Workspace(relinker.recipe.workspace).link_log}")
    elif tally.n_changed:
        click.echo("Nothing is recorded: with --apply it is.")

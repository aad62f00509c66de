"""``medlink ontology diff``: what a new release of an ontology changes, and what it touches of the team's work."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

import click

from medlink.cli.catalogue import find_ontology, json_option, open_workspace, print_json, workspace_option
from medlink.curation.concepts import Resolver
from medlink.curation.touched import Touched, TouchedReport, corrected_concepts, count_touched, linked_concepts
from medlink.ontology.catalogue import load_ontology
from medlink.ontology.diff import Diff, Gone, compare
from medlink.ontology.lexicon import Lexicon
from medlink.ontology.source import Ontology
from medlink.store.ledger import Ledger
from medlink.store.link_log import LinkLog
from medlink.store.workspace import Workspace

Item = TypeVar("Item")


@click.command()
@click.argument("old")
@click.argument("new")
@click.option(
    "--limit", type=click.IntRange(min=0), default=20, show_default=True, help="How many of each list to show at most."
)
@workspace_option
@json_option
def diff(old: str, new: str, limit: int, workspace: Path | None, as_json: bool) -> None:
    """Show what changed from one release of an ontology to another, and what of your work that touches.

    OLD and NEW are files, folders, or names that "medlink ontology list" shows. Where the workspace has a ledger or a
    log of links, corrections and links are counted by the concepts that were renamed, merged or retired. What was said
    about a merged concept counts for the one that it was merged into; a retired one without a successor needs a person
    ("medlink ledger migrate" lists those). "medlink relink" links again what was linked before.
    """
    before, after = (load_ontology(find_ontology(text, workspace), show_progress=not as_json) for text in (old, new))
    found = compare(before, after)
    touched = _touched_work(found, before, open_workspace(workspace))
    if as_json:
        print_json(asdict(found) | {what: _row(report) for what, report in touched.items()})
        return
    for line in _lines(found, limit):
        click.echo(line)
    for what, report in touched.items():
        click.echo("")
        for line in _touched_lines(what, report, limit):
            click.echo(line)


def _touched_work(found: Diff, before: Ontology, workspace: Workspace) -> dict[str, TouchedReport]:
    """What of the workspace's ledger and of its log of links is touched; nothing of one that is not there."""
    reports: dict[str, TouchedReport] = {}
    if not (workspace.ledger.is_file() or workspace.link_log.is_file()):
        return reports
    resolver = Resolver(Lexicon(before))
    if workspace.ledger.is_file():
        with Ledger.read(workspace.ledger) as book:
            reports["corrections"] = count_touched(corrected_concepts(book.current()), found, resolver)
    if workspace.link_log.is_file():
        with LinkLog.read(workspace.link_log) as log:
            reports["links"] = count_touched(linked_concepts(log), found, resolver)
    return reports


def _row(report: TouchedReport) -> dict[str, Any]:
    return asdict(report) | {"n_touched": report.n_touched}


def _lines(found: Diff, limit: int) -> Iterator[str]:
    n_followed = sum(bool(gone.successors) for gone in found.retired)
    yield f"{found.old} → {found.new}"
    yield f"added    {len(found.added):,}"
    yield f"renamed  {len(found.renamed):,}"
    yield f"merged   {len(found.merged):,}"
    yield f"retired  {len(found.retired):,}, of them {n_followed:,} with a successor"
    yield (
        f"names    {found.n_names_added:,} added, {found.n_names_removed:,} removed, in "
        f"{found.n_concepts_with_other_names:,} concepts of both releases"
    )
    yield from _listed("merged", found.merged, limit, _gone)
    yield from _listed("retired", found.retired, limit, _gone)
    yield from _listed("renamed", found.renamed, limit, lambda one: f"{one.id}  {one.before} → {one.after}")
    yield from _listed("added", found.added, limit, "  ".join)


def _listed(title: str, items: Sequence[Item], limit: int, show: Callable[[Item], str]) -> Iterator[str]:
    if items and limit:
        yield ""
        yield f"{title}:"
        yield from (f"  {show(item)}" for item in items[:limit])
        if len(items) > limit:
            yield f"  … and {len(items) - limit:,} more; --limit or --json shows them"


def _gone(gone: Gone) -> str:
    return f"{gone.id}  {gone.name} → {' or '.join(gone.successors) or 'no successor'}"


def _touched_lines(what: str, report: TouchedReport, limit: int) -> Iterator[str]:
    yield f"{report.n_touched:,} of {report.n_uses:,} {what} name a concept that changed"
    yield from (f"  {_touched(one)}" for one in report.touched[:limit])


def _touched(one: Touched) -> str:
    if one.kind == "renamed":
        return f"{one.id}  renamed, {one.n_uses:,}"
    return f"{one.id}  {one.kind} → {' or '.join(one.successors) or 'no successor'}, {one.n_uses:,}"

"""``medlink ontology diff``: what a new release of an ontology changes, and what it touches of the team's work."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

import click

from medlink.cli.catalogue import find_ontology, json_option, open_workspace, print_json, workspace_option
from medlink.curation.concepts import Resolver
from medlink.curation.touched import Touched, TouchedReport, corrected_concepts, count_touched
from medlink.ontology.catalogue import load_ontology
from medlink.ontology.diff import Diff, Gone, compare
from medlink.ontology.lexicon import Lexicon
from medlink.ontology.source import Ontology
from medlink.store.ledger import Ledger

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
    """Show what changed from one release of an ontology to another, and which corrections that touches.

    OLD and NEW are files, folders, or names that "medlink ontology list" shows. Where the workspace has a ledger, its
    corrections are counted by the concepts that were renamed, merged or retired: what was said about a merged concept
    counts for the one that it was merged into, a retired one without a successor needs a person ("medlink ledger
    migrate" lists those).
    """
    before, after = (load_ontology(find_ontology(text, workspace), show_progress=not as_json) for text in (old, new))
    found = compare(before, after)
    corrections = _corrections(found, before, workspace)
    if as_json:
        print_json(asdict(found) | {"corrections": corrections and _row(corrections)})
        return
    for line in _lines(found, limit):
        click.echo(line)
    if corrections:
        click.echo("")
        for line in _touched_lines("corrections", corrections, limit):
            click.echo(line)


def _corrections(found: Diff, before: Ontology, workspace: Path | None) -> TouchedReport | None:
    """What of the workspace's ledger is touched; ``None`` where there is no ledger."""
    path = open_workspace(workspace).ledger
    if not path.is_file():
        return None
    with Ledger.read(path) as book:
        return count_touched(corrected_concepts(book.current()), found, Resolver(Lexicon(before)))


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

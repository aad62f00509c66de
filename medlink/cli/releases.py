"""The commands ``medlink releases …``: what was learned, which of it is in use, and how to go back."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from medlink.cli.options import workspace_option
from medlink.cli.release_diff import diff, open_store, show_value
from medlink.errors import ArtifactError, SettingError
from medlink.store.pointer import Pointer
from medlink.store.release import BASE, Release
from medlink.store.releases import ReleaseStore

_json = click.option("--json", "as_json", is_flag=True, help="Print JSON for other programs instead of text.")


@click.group("releases")
def releases() -> None:
    """See what was learned from annotators, choose what is used, and go back.

    A release is a folder in the workspace with everything that links depend on. None is ever changed. One of them is
    current: medlink links with it unless told otherwise. 'base' stands for what ships with medlink.
    """


releases.add_command(diff)


@releases.command("list")
@workspace_option
@_json
def list_releases(workspace: Path | None, as_json: bool) -> None:
    """List all releases with their parent, what was trained, on how many lessons, and their headline figures.

    The current one has a star.
    """
    store = open_store(workspace)
    survey, pointer = store.survey(), _pointer_or_warning(store)
    current = pointer.current if pointer else ""
    if as_json:
        sound = [_facts(release, current) for release in survey.sound]
        damaged = {name: str(error) for name, error in survey.damaged.items()}
        _print_json({"current": current, "releases": sound, "damaged": damaged})
        return
    rows = [("id", "parent", "mode", "created", "lessons", "figures"), (BASE, "", "", "", "", "")]
    rows += map(_cells, survey.sound)
    for line in _columns([("*" if row[0] == current else "", *row) for row in rows]):
        click.echo(line)
    for error in survey.damaged.values():
        click.echo(f"Damaged: {error}", err=True)
    if current not in {BASE, "", *survey.damaged, *(release.id for release in survey.sound)}:
        click.echo(f"Missing: {current}, which is current. See: medlink releases promote --help", err=True)


@releases.command()
@click.argument("name", metavar="ID")
@workspace_option
@_json
def show(name: str, workspace: Path | None, as_json: bool) -> None:
    """Show one release: where it comes from, what it learned from, and what it holds. ID may be cut short."""
    from medlink.linking.parts import read_parts  # brings in scipy and spaCy, which --help does not need

    store = open_store(workspace)
    release = _get(store, name)
    parts, pointer = read_parts(release.folder), _pointer_or_warning(store)
    adapter = f"{parts.adapter.width} to {parts.adapter.w_in.shape[1]} numbers" if parts.adapter else "none"
    facts = _facts(release, pointer.current if pointer else "") | {
        "lineage": list(store.lineage(release.id)),
        **asdict(parts.settings),
        "adapter": adapter,
        "context": asdict(parts.context),
        "files": len(release.files),
        "bytes": sum(entry.size for entry in release.files.values()),
        "folder": str(release.folder),
    }
    if as_json:
        _print_json(facts)
        return
    for key, value in facts.items():
        click.echo(f"{key.replace('_', ' '):<16}  {show_value(value)}")


@releases.command()
@click.argument("name", metavar="ID|base")
@workspace_option
@_json
def promote(name: str, workspace: Path | None, as_json: bool) -> None:
    """Make a release current: medlink links with it from the next run on. ID may be cut short; 'base' is what ships."""
    from medlink.linking.parts import read_parts  # as above

    store = open_store(workspace)
    if name != BASE:
        read_parts(_get(store, name).folder)  # one that this version cannot link with is refused
    before = _pointer_or_warning(store)
    promoted = store.promote(name)
    _report_move(promoted, before.current if before else "", as_json=as_json)


@releases.command()
@workspace_option
@_json
def rollback(workspace: Path | None, as_json: bool) -> None:
    """Make that release current again which was before the current one. Nothing is deleted."""
    store = open_store(workspace)
    before = store.pointer().current
    _report_move(store.rollback(), before, as_json=as_json)


@releases.command()
@click.argument("name", metavar="[ID]", required=False)
@click.option("--png", is_flag=True, help="Print the path of the card's picture instead.")
@workspace_option
@_json
def card(name: str | None, png: bool, workspace: Path | None, as_json: bool) -> None:
    """Print the report card of a release, by default of the current one: what it learned, gained and lost."""
    store = open_store(workspace)
    release = _get(store, name) if name else store.current()
    wanted = None if release is None else release.card_chart if png else release.card
    if release is None or wanted is None:
        raise SettingError(
            "there is no report card",
            where=release.id if release else BASE,
            hint="Refined releases have one; see: medlink releases list",
        )
    if as_json:
        _print_json({"id": release.id, "card": release.figures(), "page": str(release.card), "chart": str(wanted)})
    else:
        click.echo(str(wanted) if png else wanted.read_text(encoding="utf-8").rstrip())


def _get(store: ReleaseStore, name: str) -> Release:
    if name == BASE:
        raise SettingError("base is no release: it is what ships with medlink", where=name, expected="the id of one")
    return store.get(name)


def _pointer_or_warning(store: ReleaseStore) -> Pointer | None:
    """The pointer; a damaged one is told and does not stop what can go on without."""
    try:
        return store.pointer()
    except ArtifactError as error:
        click.echo(f"Damaged: {error}", err=True)
        return None


def _facts(release: Release, current: str) -> dict[str, Any]:
    facts = release.facts
    return {
        "id": release.id,
        "current": release.id == current,
        **asdict(facts),
        "created": facts.created.isoformat(),
        "headline": _headline(release),
    }


def _headline(release: Release) -> dict[str, Any]:
    """The figures that a report card puts first."""
    found = release.figures().get("headline", {})
    return found if isinstance(found, dict) else {}


def _cells(release: Release) -> tuple[str, str, str, str, str, str]:
    facts = release.facts
    figures = ", ".join(f"{name} {show_value(value)}" for name, value in _headline(release).items())
    created = f"{facts.created:%Y-%m-%d %H:%M}"
    return release.id, facts.parent, facts.mode, created, f"{facts.n_lessons:,}", figures


def _columns(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def _report_move(release: Release | None, before: str, *, as_json: bool) -> None:
    now = release.id if release else BASE
    if as_json:
        _print_json({"current": now, "before": before})
    elif now == before:
        click.echo(f"{now} is current, as it was")
    else:
        click.echo(f"{now} is current" + (f"; before it was {before}" if before else ""))


def _print_json(value: object) -> None:
    click.echo(json.dumps(value, ensure_ascii=False, indent=2))

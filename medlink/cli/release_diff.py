"""``medlink releases diff``: what differs between two releases."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from medlink.cli.ledger import ontology_option
from medlink.cli.options import workspace_option
from medlink.store.release import BASE
from medlink.store.releases import ReleaseStore
from medlink.store.workspace import Workspace, default_workspace_root

if TYPE_CHECKING:
    from medlink.encoder.protocol import Encoder
    from medlink.linking.differences import Change, Drift, RowShift
    from medlink.linking.parts import Parts
    from medlink.linking.ranker import Ranker

# Weights of the ranker that text names; JSON has all.
_N_WEIGHTS = 10


@click.command(short_help="Show what differs between two releases.")
@click.argument("before", metavar="A")
@click.argument("after", metavar="B")
@click.option(
    "--names",
    "n_names",
    default=1000,
    show_default=True,
    type=click.IntRange(0),
    help="Names of the ontology by which the drift of vectors is measured; 0 leaves it out.",
)
@ontology_option
@workspace_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON for other programs instead of text.")
def diff(before: str, after: str, n_names: int, ontology: str, workspace: Path | None, as_json: bool) -> None:
    """Show what differs from release A to release B, each an id or 'base'.

    Settings, weights of the ranker, figures of the report cards, how many rows of the surface tower moved and how
    far, and how far the vectors of names and of queries drifted: cosine distances, 0 where nothing moved.
    """
    store = open_store(workspace)
    found = _compare(_read(store, before), _read(store, after), _sample(n_names, ontology, workspace))
    if as_json:
        click.echo(json.dumps(asdict(found), ensure_ascii=False, indent=2))
        return
    for line in _diff_lines(found):
        click.echo(line)


def open_store(workspace: Path | None) -> ReleaseStore:
    """The releases of a workspace, the default one where none is given."""
    return ReleaseStore(Workspace(workspace or default_workspace_root()).releases)


@dataclass(frozen=True, slots=True)
class _Side:
    """One side of a comparison."""

    id: str
    parts: Parts
    encoder: Encoder
    ranker: Ranker
    figures: dict[str, Any]

    @property
    def query_encoder(self) -> Encoder:
        from medlink.encoder.adapter import AdaptedEncoder

        return AdaptedEncoder(self.encoder, self.parts.adapter) if self.parts.adapter else self.encoder


def _read(store: ReleaseStore, name: str) -> _Side:
    from medlink.encoder.loading import load_encoder
    from medlink.encoder.transformer import EncoderSettings
    from medlink.linking.parts import parts_of
    from medlink.linking.ranker import default_ranker
    from medlink.linking.recipe import Recipe

    release = None if name == BASE else store.get(name)
    parts = parts_of(Recipe(store.folder.parent, release=str(release.folder) if release else ""))
    encoder = load_encoder(parts.encoder, EncoderSettings(pooling=parts.settings.pooling))
    ranker = parts.ranker or default_ranker(len(encoder.towers))
    return _Side(release.id if release else BASE, parts, encoder, ranker, release.figures() if release else {})


def _sample(n_names: int, ontology: str, workspace: Path | None) -> list[str]:
    if not n_names:
        return []
    from medlink.linking.assemble import load_lexicon
    from medlink.linking.differences import sample_names
    from medlink.linking.recipe import Recipe

    recipe = Recipe(workspace or default_workspace_root(), ontology=ontology)
    return sample_names(load_lexicon(recipe, show_progress=sys.stderr.isatty()).names, n_names)


@dataclass(frozen=True, slots=True)
class _Diff:
    """What differs; ``None`` where two encoders do not compare, or no name was asked for."""

    before: str
    after: str
    settings: tuple[Change, ...]
    context: tuple[Change, ...]
    ranker: tuple[Change, ...]
    adapter: str
    surface_rows: RowShift | None
    names: Drift | None
    queries: Drift | None
    figures: tuple[Change, ...]


def _compare(before: _Side, after: _Side, names: Sequence[str]) -> _Diff:
    from medlink.linking.differences import (
        compare_context,
        compare_figures,
        compare_rankers,
        compare_settings,
        compare_tables,
        measure_drift,
    )

    show_progress = sys.stderr.isatty()
    adapters = [side.parts.adapter.fingerprint if side.parts.adapter else "" for side in (before, after)]
    return _Diff(
        before.id,
        after.id,
        settings=compare_settings(before.parts.settings, after.parts.settings),
        context=compare_context(before.parts.context, after.parts.context),
        ranker=compare_rankers(before.ranker, after.ranker),
        adapter=_describe_adapters(*adapters),
        surface_rows=compare_tables(before.encoder, after.encoder),
        names=measure_drift(names, before.encoder, after.encoder, show_progress=show_progress),
        queries=measure_drift(names, before.query_encoder, after.query_encoder, show_progress=show_progress),
        figures=compare_figures(before.figures, after.figures),
    )


def _describe_adapters(before: str, after: str) -> str:
    if before == after:
        return "the same" if before else "none"
    return "changed" if before and after else "removed" if before else "added"


def _diff_lines(found: _Diff) -> Iterator[str]:
    yield f"from {found.before} to {found.after}"
    for title, changes in (("settings", found.settings), ("context", found.context)):
        yield f"{title}: " + (", ".join(map(_change, changes)) or "the same")
    yield f"query adapter: {found.adapter}"
    yield f"ranker: {len(found.ranker):,} weights differ" if found.ranker else "ranker: the same"
    yield from (f"    {_change(change)}" for change in found.ranker[:_N_WEIGHTS])
    if len(found.ranker) > _N_WEIGHTS:
        yield f"    … and {len(found.ranker) - _N_WEIGHTS:,} less; --json has all"
    yield f"surface tower: {_rows(found.surface_rows)}"
    yield f"names: {_drift(found.names)}"
    yield f"queries: {_drift(found.queries)}"
    yield f"report cards: {len(found.figures):,} figures differ" if found.figures else "report cards: the same"
    yield from (f"    {_change(change)}" for change in found.figures)


def _change(change: Change) -> str:
    sides = ["–" if value is None else show_value(value) for value in (change.before, change.after)]
    return f"{change.name} {sides[0]} → {sides[1]}"


def _rows(shift: RowShift | None) -> str:
    if shift is None:
        return "not comparable"
    if not shift.n_moved:
        return "the same"
    share = shift.n_moved / shift.n_rows
    return (
        f"{share:.1%} of {shift.n_rows:,} rows moved, by {shift.mean:.3f} of their length, at most {shift.largest:.3f}"
    )


def _drift(drift: Drift | None) -> str:
    if drift is None:
        return "not measured"
    if not drift.largest:
        return f"none of {drift.n_texts:,} vectors moved"
    return (
        f"cosine distance {drift.mean:.4f} on average, {drift.percentile_95:.4f} at the 95th percentile, "
        f"{drift.largest:.4f} at most, over {drift.n_texts:,} names"
    )


def show_value(value: object) -> str:
    """A value as text: a figure in four digits, an ancestry with arrows."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, dict):
        return ", ".join(f"{key} {show_value(one)}" for key, one in value.items()) or "none"
    return " ← ".join(map(str, value)) if isinstance(value, list) else str(value)

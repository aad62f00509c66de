"""``medlink refine``: learn from what annotators decided, and keep it only where nothing got worse."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from medlink.cli.options import linker_options, make_recipe
from medlink.curation.adjudication import Policy
from medlink.errors import SettingError

if TYPE_CHECKING:
    from medlink.evaluation.annotations import Corpus
    from medlink.refinement.session import Result
    from medlink.refinement.settings import RefineSettings

#: Of a refinement that was refused by the gate.
EXIT_REFUSED = 4
# What differs between the modes, where no recipe is given.
_BY_MODE: dict[str, dict[str, Any]] = {
    "surface": {},
    "adapter": {"learning_rate": 0.002},
    "full": {
        "start": "parent",
        "learning_rate": 1e-4,
        "n_lessons": 96,
        "n_replay": 96,
        "max_steps": 200,
        "trained_layers": 6,
        "max_drift": 0.002,
    },
}


@click.command(short_help="Learn from corrections: a new release, if it passes the gate.")
@linker_options
@click.option(
    "--mode",
    type=click.Choice(list(_BY_MODE)),
    help="How deep to learn: surface (the quick half of the encoder, under a minute), adapter (queries alone, for very "
    "large indexes), full (the transformer, better on a GPU). [default: surface]",
)
@click.option(
    "--recipe",
    "recipe_path",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="All settings in a TOML file, such as pipelines/recipes/refine/surface.toml; instead of --mode.",
)
@click.option("--since", type=click.IntRange(0), help="Learn what came behind this event of the ledger. [default: all "
              "that the current release has not seen]")  # fmt: skip
@click.option(
    "--policy",
    type=click.Choice([policy.value for policy in Policy]),
    default=Policy.ADJUDICATOR.value,
    show_default=True,
    help="Where annotators differ, let an adjudicator, more than half of them, or the latest decide.",
)
@click.option(
    "--guard",
    "guards",
    multiple=True,
    metavar="FORMAT:PATH",
    help="Annotated notes on which nothing may get worse, such as pubtator:dev.txt; may be given several times.",
)
@click.option("--max-loss", default=0.002, show_default=True, type=click.FloatRange(0, 1),
              help="Accuracy that may be lost on any part of the guard set.")  # fmt: skip
@click.option("--min-fixed", default=0.5, show_default=True, type=click.FloatRange(0, 1),
              help="Share of the new corrections that must be right afterwards.")  # fmt: skip
@click.option("--believe-all", is_flag=True, help="Learn a batch that looks poisoned all the same.")
@click.option("--dry-run", is_flag=True, help="Train and judge, but make no release.")
@click.option("--resume", is_flag=True, help="Go on with a training of the transformer (--mode full) that was cut off.")
@click.option("--no-promote", is_flag=True, help="Make the release, but leave the current one in use.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def refine(**options: Any) -> None:
    """Learn from what annotators decided since the current release was made.

    The encoder and the ranker are refined on the new corrections, with earlier ones and the ontology's own names
    against forgetting. A tenth of the annotated notes is never trained on: if the refined system is worse on them, or
    on the ontology's names, nothing changes, the report says why, and the exit status is 4. Otherwise it becomes the
    release that `medlink link` uses; `medlink releases rollback` takes it back, `medlink relink` brings what was linked
    before up to date.

    Several GPUs, or machines, share --mode full under `accelerate launch --no_python medlink refine …`.
    """
    from medlink.refinement.gate import Budgets  # brings in torch, which --help does not need
    from medlink.refinement.session import Wishes, run_refinement, share_refinement
    from medlink.training.accelerator import find_processes

    wishes = Wishes(
        since=options["since"],
        policy=Policy(options["policy"]),
        budgets=Budgets(max_loss=options["max_loss"], min_fixed=options["min_fixed"]),
        corpora=dict(map(_read_guard, options["guards"])),
        believe_all=options["believe_all"],
        dry_run=options["dry_run"],
        promote=not options["no_promote"],
        resume=options["resume"],
    )
    settings = _settings(options["mode"], options["recipe_path"])
    recipe = replace(make_recipe(options), remembers=True)
    processes = find_processes(recipe.device)
    if not processes.is_first:
        share_refinement(recipe, settings, wishes, processes)
        processes.leave()
        return
    show_progress = sys.stderr.isatty() and not options["as_json"]
    result = run_refinement(
        recipe, settings, wishes, now=datetime.now(UTC), processes=processes, show_progress=show_progress
    )
    processes.leave()
    _report(result, as_json=options["as_json"], dry_run=options["dry_run"])
    if result.refusals:
        raise SystemExit(EXIT_REFUSED)


def _settings(mode: str | None, path: Path | None) -> RefineSettings:
    from medlink.refinement.settings import Mode, RefineSettings, read_settings

    if path is not None and mode is not None:
        raise SettingError("the recipe says the mode", where="--mode", expected="--mode or --recipe", got="both")
    chosen = mode or Mode.SURFACE.value
    return read_settings(path) if path else RefineSettings(mode=Mode(chosen), **_BY_MODE[chosen])


def _read_guard(text: str) -> tuple[str, Corpus]:
    from medlink.evaluation.corpora import read_corpus

    format_, colon, path = text.partition(":")
    if not colon:
        raise SettingError("a guard corpus needs its format", where="--guard", expected="FORMAT:PATH", got=repr(text))
    return Path(path).name, read_corpus([Path(path)], format_)


def _report(result: Result, *, as_json: bool, dry_run: bool) -> None:
    release = result.release.id if result.release else None
    if as_json:
        facts = {
            "release": release,
            "refusals": result.refusals,
            "n_new": result.n_new,
            "report": [str(path) for path in result.report],
            "seconds": dict(result.card.cost.seconds),
        }
        click.echo(json.dumps(facts, ensure_ascii=False))
        return
    click.echo(f"{result.n_new} lessons were new, {result.card.facts.n_trained} were learned from in all.")
    for standing in result.card.standings:
        click.echo(
            f"{standing.part}: {standing.before.value:.3f} before, {standing.after.value:.3f} after (n {standing.n})"
        )
    for reason in result.refusals:
        click.echo(f"Refused: {reason}")
    if release:
        click.echo(f"Release {release}")
    elif not result.refusals and dry_run:
        click.echo("It passed; no release was made, as this was a dry run.")
    for path in result.report:
        click.echo(f"Wrote {path}", err=True)

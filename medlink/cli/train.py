"""``medlink train``: an encoder of one's own, from a recipe."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click

from medlink.cli.catalogue import open_catalogue


@click.command(short_help="Train an encoder on the synonyms of ontologies.")
@click.option(
    "--recipe",
    "recipe_path",
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The settings, a TOML file such as pipelines/recipes/simclr.toml.",
)
@click.option(
    "--out", required=True, type=click.Path(file_okay=False, path_type=Path), help="A new folder for the results."
)
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Replace a setting: train.batch_size=64.")
@click.option("--resume", is_flag=True, help="Go on from the last checkpoint in the folder.")
@click.option(
    "--device",
    type=click.Choice(["cpu", "cuda", "mps"]),
    default="cpu",
    show_default=True,
    help="Where the encoder is trained.",
)
@click.option(
    "--workspace",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder of your team's ontologies. Without it, the default workspace.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
def train(
    recipe_path: Path, out: Path, overrides: tuple[str, ...], *, workspace: Path | None, **how: bool | str
) -> None:
    """Train an encoder on the synonyms of ontologies.

    The folder then holds encoder/ (use it with --encoder), steps.jsonl, curves.png and recipe.json. Some of the
    ontologies' synonyms are held out; how many of them find their concept chooses the encoder that is kept.
    """
    from medlink.training.accelerator import join_processes
    from medlink.training.recipe import read_recipe
    from medlink.training.run import RunOptions, load_lexicons  # brings in torch, which --help does not need
    from medlink.training.run import train as run_training

    recipe = read_recipe(recipe_path, overrides)
    is_first = join_processes(str(how["device"])).is_first  # of several, one speaks
    shown = is_first and not how["as_json"]
    lexicons = load_lexicons(recipe.data.ontologies, open_catalogue(workspace), show_progress=shown)
    options = RunOptions(device=str(how["device"]), resume=bool(how["resume"]), show_progress=shown)
    summary = run_training(recipe, lexicons, out, options)
    if is_first and how["as_json"]:
        click.echo(json.dumps(asdict(summary), ensure_ascii=False))
    elif is_first:
        click.echo(
            f"{summary.outcome} after {summary.n_steps} steps: {summary.best_accuracy:.3f} of {summary.n_dev} held-out "
            f"names find their concept, {summary.first_accuracy:.3f} before\n{summary.encoder}"
        )

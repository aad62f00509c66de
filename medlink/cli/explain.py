"""``medlink explain``: why a text links to a concept."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from typing import Any

import click

from medlink.cli.corrections import corrections_option, load_corrections
from medlink.cli.options import linker_options, make_recipe
from medlink.cli.render import show_candidates
from medlink.linking.settings import LinkerSettings


@click.command(short_help="Show why a text links to a concept.")
@click.argument("text")
@linker_options
@corrections_option
@click.option("--top-k", default=5, show_default=True, type=click.IntRange(1, 100), help="Candidates to show.")
@click.option("--json", "as_json", is_flag=True, help="Print the explanation as JSON.")
def explain(text: str, **options: Any) -> None:
    """Show what TEXT links to: which names matched, the scores behind it, the nearest rivals, and why this one won."""
    from medlink.linking.assemble import load_linker  # brings in spaCy and torch, which --help does not need
    from medlink.linking.explain import explain_query

    recipe = make_recipe(options, linking=LinkerSettings(top_k=options["top_k"]))
    recipe = replace(recipe, corrections=load_corrections(recipe, options["corrections"]))
    linker = load_linker(recipe, show_progress=True)
    explanation = explain_query(text, linker)
    if options["as_json"]:
        click.echo(json.dumps(asdict(explanation), ensure_ascii=False))
        return
    show_candidates(explanation.candidates)
    for reason in explanation.reasons:
        click.echo(reason)

"""``medlink explain``: why a text links to a concept."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import click

from medlink.cli.corrections import OFF, corrections_option, load_corrections
from medlink.cli.lessons import load_precedents
from medlink.cli.options import linker_options, make_recipe
from medlink.cli.render import show_candidates, show_near
from medlink.curation.adjudication import Policy
from medlink.linking.settings import LinkerSettings
from medlink.refinement.change_files import near_facts
from medlink.refinement.precedents import Near, Precedent, Precedents, Shift

if TYPE_CHECKING:
    from medlink.linking.explain import Explanation
    from medlink.linking.linker import Linker


@click.command(short_help="Show why a text links to a concept.")
@click.argument("text")
@linker_options
@corrections_option
@click.option("--top-k", default=5, show_default=True, type=click.IntRange(1, 100), help="Candidates to show.")
@click.option("--json", "as_json", is_flag=True, help="Print the explanation as JSON.")
def explain(text: str, **options: Any) -> None:
    """Show what TEXT links to: which names matched, the scores behind it, the nearest rivals, and why this one won.

    Beside that it shows the corrections in the ledger whose texts are nearest to TEXT, those that speak for its concept
    or against the nearest rival first: what a release has learned from, and draws TEXT to its concept.
    """
    from medlink.linking.assemble import load_linker  # brings in spaCy and torch, which --help does not need
    from medlink.linking.explain import explain_query

    recipe = make_recipe(options, linking=LinkerSettings(top_k=options["top_k"]))
    recipe = replace(recipe, corrections=load_corrections(recipe, options["corrections"]))
    linker = load_linker(recipe, show_progress=True)
    explanation = explain_query(text, linker)
    policy = options["corrections"]
    precedents = load_precedents(recipe, Policy.ADJUDICATOR if policy == OFF else Policy(policy))
    near = _find_near(explanation, precedents, linker)
    if options["as_json"]:
        facts = asdict(explanation) | {"corrections": list(map(near_facts, near))}
        click.echo(json.dumps(facts, ensure_ascii=False))
        return
    show_candidates(explanation.candidates)
    for reason in explanation.reasons:
        click.echo(reason)
    show_near(near)


def _find_near(explanation: Explanation, precedents: tuple[Precedent, ...], linker: Linker) -> tuple[Near, ...]:
    """The corrections that are nearest to what is explained."""
    if not explanation.normalised:
        return ()
    rivals = (c.concept_id for c in explanation.candidates if c.concept_id != explanation.concept_id)
    shift = Shift(explanation.normalised, explanation.concept_id, next(rivals, None))
    (near,) = Precedents(precedents, linker.query_encoder).find([shift])
    return near

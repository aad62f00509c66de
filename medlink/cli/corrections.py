"""The ledger's corrections for commands that link."""

from __future__ import annotations

from pathlib import Path

import click

from medlink.curation.adjudication import Policy, decide_spans
from medlink.curation.rulings import make_rulings
from medlink.linking.corrections import Corrections
from medlink.linking.recipe import Recipe
from medlink.store.ledger import Ledger
from medlink.store.workspace import Workspace

OFF = "off"

corrections_option = click.option(
    "--corrections",
    type=click.Choice([*(policy.value for policy in Policy), OFF]),
    default=Policy.ADJUDICATOR.value,
    show_default=True,
    help="Let what annotators decided stand above the ranker: where they differ, only if an adjudicator, more than "
    "half of them, or the latest decides; or off.",
)


def load_corrections(recipe: Recipe, policy: str) -> Corrections:
    """What the annotators of the recipe's workspace decided about concepts of its ontology; none without a ledger.

    :param policy: a :class:`Policy`, or :data:`OFF`.
    """
    path: Path = Workspace(recipe.workspace).ledger
    if policy == OFF or not path.exists():
        return Corrections()
    from medlink.curation.concepts import Resolver
    from medlink.linking.assemble import load_whole_lexicon  # brings in spaCy and torch, which --help does not need

    resolve = Resolver(load_whole_lexicon(recipe)).current
    with Ledger.read(path) as ledger:
        decisions = decide_spans(ledger.current(), policy=Policy(policy), resolve=resolve)
        return Corrections(make_rulings(decisions, resolve=resolve))

"""The ledger's lessons for commands that trace links to corrections."""

from __future__ import annotations

from medlink.curation.adjudication import Policy, decide_spans
from medlink.linking.recipe import Recipe
from medlink.refinement.lessons import take_lessons
from medlink.refinement.precedents import Precedent, group_lessons
from medlink.store.ledger import Ledger
from medlink.store.workspace import Workspace


def load_precedents(recipe: Recipe, policy: Policy = Policy.ADJUDICATOR) -> tuple[Precedent, ...]:
    """What the annotators of the recipe's workspace taught about concepts of its ontology; nothing without a ledger."""
    path = Workspace(recipe.workspace).ledger
    if not path.exists():
        return ()
    from medlink.curation.concepts import Resolver
    from medlink.linking.assemble import load_whole_lexicon  # brings in spaCy and torch, which --help does not need

    resolve = Resolver(load_whole_lexicon(recipe)).current
    with Ledger.read(path) as ledger:
        decisions = decide_spans(ledger.current(), policy=policy, resolve=resolve)
        return group_lessons(take_lessons(decisions, resolve=resolve))

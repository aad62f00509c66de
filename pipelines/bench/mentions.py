"""Annotated mentions as names, by the recipe of BioSyn's "test dictionary": what a training set adds to an ontology."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from medlink.evaluation.biosyn import Query, ids_of
from medlink.ontology.lexicon import Lexicon
from medlink.text import normalise


def write_mentions(queries: Sequence[Query], lexicon: Lexicon, path: Path) -> None:
    """Writes lines ``ids||mention``: each mention once, with all ids that it is annotated with.

    A mention that is a name already is left out where one of its concepts has all those ids; else the ids of its
    concepts stand in the line too, before its own.
    """
    gold: dict[str, set[str]] = {}
    for query in queries:
        gold.setdefault(normalise(query.mention), set()).update(query.gold)
    lines = []
    for mention, ids in sorted(gold.items()):
        known = [ids_of(posting.concept_id) for posting in lexicon.lookup(mention)]
        if mention and not any(ids <= borne for borne in known):
            named = set[str]().union(*known)
            lines.append(f"{'|'.join([*sorted(named), *sorted(ids - named)])}||{mention}\n")
    path.write_text("".join(lines), encoding="utf-8")

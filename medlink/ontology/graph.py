"""The ids around the current concepts of an ontology: parents, children, and where retired ids lead."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass

from medlink.ontology.columns import Edges
from medlink.ontology.source import Ontology


@dataclass(frozen=True, slots=True, eq=False)
class Graph:
    """The ids around the current concepts, which are named by their places.

    :param parents: from each concept to its current parents.
    :param children: the other way round.
    :param moved: where alternative and obsolete ids lead.
    """

    parents: Edges
    children: Edges
    moved: Mapping[str, Sequence[str]]


def make_graph(ontology: Ontology, ids: Sequence[str]) -> Graph:
    """The graph of an ontology.

    :param ids: of its current concepts, sorted.
    """
    alternatives = ((alt_id, c.id) for c in ontology.concepts for alt_id in c.alt_ids)
    replacements = ((c.id, successor) for c in ontology.concepts for successor in c.replaced_by)
    moved = group_pairs([*alternatives, *replacements])
    places = {concept_id: place for place, concept_id in enumerate(ids)}
    edges = (
        (places[concept.id], places[parent])
        for concept in ontology.concepts
        if not concept.obsolete
        for written in concept.parents
        if (parent := resolve_id(written, places, moved)) is not None
    )
    parents = Edges.of(edges)
    return Graph(parents, parents.reversed(), moved)


def resolve_id(concept_id: str, current: Container[str], moved: Mapping[str, Sequence[str]]) -> str | None:
    """The one current id that an id leads to; ``None`` where there is none, or several."""
    found, seen, waiting = set[str](), set[str](), [concept_id]
    while waiting:
        step = waiting.pop()
        if step in current:
            found.add(step)
        elif step not in seen:
            seen.add(step)
            waiting.extend(moved.get(step, ()))
    return found.pop() if len(found) == 1 else None


def group_pairs(pairs: Iterable[tuple[str, str]]) -> Mapping[str, Sequence[str]]:
    """The second of each pair by the first, in their order."""
    grouped = defaultdict[str, list[str]](list)
    for key, value in pairs:
        grouped[key].append(value)
    return dict(grouped)

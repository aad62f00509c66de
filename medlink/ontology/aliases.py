"""Names that annotators gave, behind a lexicon's own: rows stay in their places, and nothing is built again."""

from __future__ import annotations

import hashlib
import json
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from operator import attrgetter

from medlink.ontology.columns import find_sorted
from medlink.ontology.graph import group_pairs
from medlink.ontology.lexicon import Lexicon, Prepared
from medlink.ontology.stored import overlay
from medlink.records import Concept, Name
from medlink.text import normalise

#: The kind of names that annotators gave.
ALIAS = "alias"


def extended_lexicon(lexicon: Lexicon, names: Iterable[tuple[str, str]]) -> Lexicon:
    """The lexicon with more exact synonyms, of kind "alias", that leave its rows in their places.

    What is new among the names follows the others, sorted, so an index of the old names is extended, not built again.
    The lexicon itself where nothing is added. Its ``content_hash`` is that of the old one and the aliases.

    :param names: each a text and the id of a current concept that it is to be a name of; their order does not matter,
        and texts that normalise to nothing are left out.
    :raises UnknownNameError: when an id is no current concept's.
    """
    added = group_pairs((concept_id, text) for text, concept_id in sorted(set(names)) if normalise(text))
    if not added:
        return lexicon
    if unknown := sorted(key for key in added if key not in lexicon.concepts):
        raise lexicon.unknown(unknown[0])
    old = lexicon.prepared
    changed = {concept_id: _with_aliases(lexicon.concepts[concept_id], texts) for concept_id, texts in added.items()}
    places = {concept_id: _place_of(concept_id, old.ids) for concept_id in added}
    entries = _alias_entries(old, {places[key]: (concept, len(added[key])) for key, concept in changed.items()})
    content_hash = hashlib.sha256(json.dumps([lexicon.content_hash, added], sort_keys=True).encode()).hexdigest()
    prepared = replace(
        old,
        content_hash=content_hash,
        table=old.table.extended(entries),
        concepts=overlay(old.concepts, {places[key]: concept for key, concept in changed.items()}),
        graph=lexicon.graph,
    )
    whole = lexicon.ontology.concepts
    by_place = {_place_among(key, whole): concept for key, concept in changed.items()}
    return Lexicon(replace(lexicon.ontology, concepts=overlay(whole, by_place)), prepared=prepared)


def _alias_entries(old: Prepared, changed: Mapping[int, tuple[Concept, int]]) -> dict[str, list[tuple[int, int]]]:
    """All entries of each name that is an alias, as :func:`medlink.ontology.name_table.tabulate` would order them.

    :param changed: by place the concepts with their aliases, and how many of their last names these are.
    """
    found: dict[str, dict[int, int]] = {}
    for place, (concept, n_aliases) in changed.items():
        names = concept.names
        for spelling in range(len(names) - n_aliases, len(names)):
            key = normalise(names[spelling].text)
            if key not in found:
                row = old.table.row_of(key)
                found[key] = {} if row is None else dict(old.table.entries(row))
            rivals = [spelling, found[key].get(place, spelling)]
            found[key][place] = min(rivals, key=lambda s: (names[s].scope.rank, names[s].text, names[s].kind))

    def rank(bearer: tuple[int, int]) -> tuple[int, int]:
        place, spelling = bearer
        concept = changed[place][0] if place in changed else old.concepts[place]
        return concept.names[spelling].scope.rank, place

    return {key: sorted(bearers.items(), key=rank) for key, bearers in found.items()}


def _place_of(concept_id: str, ids: Sequence[str]) -> int:
    place = find_sorted(ids, concept_id)
    assert place is not None, "the id of a concept that is there"  # noqa: S101
    return place


def _place_among(concept_id: str, concepts: Sequence[Concept]) -> int:
    return bisect_left(concepts, concept_id, key=attrgetter("id"))


def _with_aliases(concept: Concept, texts: Sequence[str]) -> Concept:
    aliases = tuple(Name(text, kind=ALIAS) for text in texts)
    return replace(concept, synonyms=(*concept.synonyms, *aliases)) if aliases else concept

"""Concepts as JSON, one to a line: what is hashed and what is stored."""

from __future__ import annotations

import json
import sys
from dataclasses import replace

from medlink.records import Concept, Name, Scope

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def concept_line(concept: Concept) -> str:
    """The concept as one line of JSON, its fields in order, without the line's end.

    >>> concept_line(Concept("HP:1", "Fit", (Name("Spell"),)))
    '["HP:1","Fit",[["Spell","EXACT",""]],"",[],"",[],[],false,[]]'
    """
    return _encode(
        (
            concept.id,
            concept.name,
            [(name.text, name.scope, name.kind) for name in concept.synonyms],
            concept.definition,
            concept.parents,
            concept.semantic_type,
            concept.alt_ids,
            concept.xrefs,
            concept.obsolete,
            concept.replaced_by,
        )
    )


def parse_concept(line: str) -> Concept:
    """The concept of a line, the inverse of :func:`concept_line`.

    :raises ValueError: when the line is no such JSON.
    """
    fields = json.loads(line)
    concept_id, name, synonyms, definition, parents, semantic_type, alt_ids, xrefs, obsolete, replaced_by = fields
    return Concept(
        id=concept_id,
        name=name,
        synonyms=tuple(Name(text, Scope(scope), sys.intern(kind)) for text, scope, kind in synonyms),
        definition=definition,
        parents=tuple(parents),
        semantic_type=sys.intern(semantic_type),
        alt_ids=tuple(alt_ids),
        xrefs=tuple(xrefs),
        obsolete=obsolete,
        replaced_by=tuple(replaced_by),
    )


def canonical_line(concept: Concept) -> str:
    """The same for two concepts that differ in nothing but the order inside their fields."""
    return concept_line(
        replace(
            concept,
            synonyms=tuple(sorted(concept.synonyms, key=lambda n: (n.scope.rank, n.text, n.kind))),
            parents=tuple(sorted(concept.parents)),
            alt_ids=tuple(sorted(concept.alt_ids)),
            xrefs=tuple(sorted(concept.xrefs)),
            replaced_by=tuple(sorted(concept.replaced_by)),
        )
    )

"""Concepts while the files that speak of them are read, one file after the other."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any, Final

from medlink.ontology.parts import Release
from medlink.ontology.source import Ontology, distinct_synonyms, sort_concepts
from medlink.records import TYPE_SEPARATOR, Concept, Name, Scope

_WORST: Final = (sys.maxunicode,)


@dataclass(slots=True)
class Draft:
    """What is known of a concept so far; small, as there may be millions.

    :param rank: how well the name serves as the preferred one; the smallest of (rank, text) wins.
    """

    id: str
    name: str = ""
    rank: tuple[Any, ...] = _WORST
    synonyms: tuple[Name, ...] = ()
    definition: str = ""
    definition_rank: tuple[Any, ...] = _WORST
    parents: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    alt_ids: tuple[str, ...] = ()
    xrefs: tuple[str, ...] = ()
    obsolete: bool = False
    replaced_by: tuple[str, ...] = ()

    def name_it(self, text: str, rank: tuple[Any, ...], *, scope: Scope = Scope.EXACT, kind: str = "") -> None:
        """Takes a name, and makes it the preferred one where none better is known."""
        if not text:
            return
        if (rank, text) < (self.rank, self.name) or not self.name:
            self.name, self.rank = text, rank
        name = Name(text, scope, sys.intern(kind))
        if name not in self.synonyms:
            self.synonyms += (name,)

    def define(self, text: str, rank: tuple[Any, ...]) -> None:
        """Takes a definition where none better is known."""
        if text and ((rank, text) < (self.definition_rank, self.definition) or not self.definition):
            self.definition, self.definition_rank = text, rank

    def refer(self, other: str) -> None:
        """Takes the id of the same thing in another system, unless it is empty."""
        if other and other not in self.xrefs:
            self.xrefs += (other,)

    def put_below(self, parent: str) -> None:
        """Takes the id of a parent."""
        if parent not in self.parents:
            self.parents += (parent,)

    def stand_for(self, retired: str) -> None:
        """Takes the id of a concept that was merged into this one."""
        if retired not in self.alt_ids:
            self.alt_ids += (retired,)

    def finish(self) -> Concept:
        """The concept; one without a name, which can only be an obsolete one, gets its id for a name."""
        name = self.name or self.id
        return Concept(
            id=self.id,
            name=name,
            synonyms=distinct_synonyms(name, self.synonyms),
            definition=self.definition,
            parents=_sorted(self.parents, self.id),
            semantic_type=sys.intern(TYPE_SEPARATOR.join(_sorted(self.types))),
            alt_ids=_sorted(self.alt_ids, self.id),
            xrefs=_sorted(self.xrefs),
            obsolete=self.obsolete,
            replaced_by=_sorted(self.replaced_by, self.id),
        )


class Drafts(dict[str, Draft]):
    """Drafts by what the files call a concept."""

    def collect(self, release: Release, *, name: str, title: str, version: str, licence: str = "") -> Ontology:
        """The ontology of all drafts; they are gone afterwards.

        :param name: its key in the catalogue.
        :param version: its release; empty where the files do not say.
        :raises OntologyFormatError: when there is none.
        """
        sha256 = release.sha256
        concepts = {}
        for key in list(self):
            concept = self.pop(key).finish()
            concepts[concept.id] = concept
        return Ontology(
            name=name,
            title=title,
            version=version or f"sha256:{sha256[:12]}",
            licence=licence,
            sha256=sha256,
            concepts=sort_concepts(concepts, release.path),
        )


def _sorted(ids: tuple[str, ...], own: str = "") -> tuple[str, ...]:
    return tuple(sorted(set(ids) - {own})) if ids else ()

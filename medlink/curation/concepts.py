"""Concept ids of other days: what an annotator's id means in the ontology at hand."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from medlink.ontology.lexicon import Lexicon


@dataclass(frozen=True)
class Resolver:
    """Finds the current concept of an id through alternative ids and replacements.

    :param lexicon: of the whole ontology, not of a branch.
    """

    lexicon: Lexicon

    def current(self, concept_id: str) -> str | None:
        """The concept that the id means today; ``None`` where it means none, or several."""
        if concept_id not in self._known:
            self._known[concept_id] = self.lexicon.resolve(concept_id)
        return self._known[concept_id]

    def problem(self, concept_id: str) -> str:
        """Why an id has no current concept, in words."""
        name = f"{self.lexicon.ontology_name} {self.lexicon.version}"
        if concept_id not in self._obsolete:
            return f"{concept_id!r} is no concept of {name}"
        successors = self._obsolete[concept_id]
        if successors:
            return f"{concept_id!r} is obsolete in {name} and leads to no single concept: {', '.join(successors)}"
        return f"{concept_id!r} is obsolete in {name} without a replacement"

    @cached_property
    def _known(self) -> dict[str, str | None]:
        return {}

    @cached_property
    def _obsolete(self) -> dict[str, tuple[str, ...]]:
        return {concept.id: concept.replaced_by for concept in self.lexicon.ontology.concepts if concept.obsolete}

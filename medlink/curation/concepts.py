"""Concept ids of other days: what an annotator's id means in the ontology at hand."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from medlink.ontology.lexicon import Lexicon


@dataclass(frozen=True)
class Resolver:
    """Finds the current concept of an id through alternative ids and replacements.

    Corpora write ``D003924`` for ``MESH:D003924`` and the reverse: where all ids of the ontology have one prefix, an id
    without any has that one; where they have none, an id's prefix does not count.

    :param lexicon: of the whole ontology, not of a branch.
    """

    lexicon: Lexicon

    def current(self, concept_id: str) -> str | None:
        """The concept that the id means today; ``None`` where it means none, or several."""
        if concept_id not in self._known:
            self._known[concept_id] = self.lexicon.resolve(concept_id) or self._otherwise_written(concept_id)
        return self._known[concept_id]

    def _otherwise_written(self, concept_id: str) -> str | None:
        prefix, _, local = concept_id.rpartition(":")
        if self._prefix is None or bool(prefix) == bool(self._prefix):
            return None
        return self.lexicon.resolve(local if prefix else f"{self._prefix}:{local}")

    @cached_property
    def _prefix(self) -> str | None:
        """The prefix of all current ids, empty where they have none; ``None`` where they differ."""
        prefixes = {concept_id.rpartition(":")[0] for concept_id in self.lexicon.concepts}
        return prefixes.pop() if len(prefixes) == 1 else None

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

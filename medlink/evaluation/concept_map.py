"""Written ids as concepts, so that ids of two sources compare."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

from medlink.evaluation.annotations import Annotation
from medlink.evaluation.biosyn import ids_of
from medlink.ontology.lexicon import Lexicon

_SEPARATOR = re.compile(r"[:_]")


class ConceptMap:
    """Which concept an id means, and which concepts count.

    - An alternative or replaced id means the concept that the ontology says.
    - Concepts that share an alternative id, as two rows of MEDIC do, are the same, so that any of their ids is right;
      so are those whose own id is a list of ids, such as ``D010190|260350``, that have one in common.
    - Case and the prefix do not matter where the ontology leaves no doubt: ``MESH:D003924``, ``D003924`` and
      ``d003924`` are the same, and so are ``HPO:0001250``, ``HP_0001250`` and ``HP:0001250``.
    - An id that the ontology does not know stands for itself, without its prefix.

    :param whole: the ontology.
    :param kept: the branch of it that counts; by default all of it.
    """

    def __init__(self, whole: Lexicon, kept: Lexicon | None = None) -> None:
        self.whole = whole
        leaders = _merge(whole)
        self._exact = {_fold(written): concept for written, concept in _known(whole, leaders)}
        self._local = _unique((_fold(_local(written)), concept) for written, concept in _known(whole, leaders))
        self._prefixes = {_fold(_prefix(written)) for written in self._exact}
        concepts = set(self._exact.values())
        self._outside = concepts - {self._exact[_fold(c)] for c in kept.concepts} if kept is not None else set()

    def concept(self, written: str) -> str:
        """The concept that an id means; the id without its prefix, in capitals, where the ontology does not know it."""
        found = self._exact.get(_fold(written))
        if found is None and _fold(_prefix(written)) not in self._prefixes - {""}:
            found = self._local.get(_fold(_local(written)))
        return found if found is not None else _local(written).upper()

    def knows(self, concept: str) -> bool:
        """Whether it is a concept of the ontology, as :meth:`concept` returns them."""
        return concept in self.whole.concepts

    def are_related(self, one: str, other: str) -> bool:
        """Whether one concept of the ontology is a direct parent of the other."""
        return one in self._parents_of(other) or other in self._parents_of(one)

    def _parents_of(self, concept: str) -> set[str]:
        found = self.whole.concepts.get(concept)
        return {self.concept(parent) for parent in found.parents} if found else set()

    def resolve(self, annotation: Annotation) -> Annotation | None:
        """The annotation with today's concepts, those outside of what counts left out.

        :returns: ``None`` where all of its concepts are outside; one that had no concept from the start stays.
        """
        concepts = {self.concept(written) for written in annotation.concepts}
        kept = frozenset(concepts - self._outside)
        return replace(annotation, concepts=kept) if kept or not concepts else None

    def resolve_all(self, annotations: Iterable[Annotation]) -> tuple[Annotation, ...]:
        """Those annotations of which :meth:`resolve` leaves something."""
        resolved = (self.resolve(annotation) for annotation in annotations)
        return tuple(annotation for annotation in resolved if annotation is not None)


def _known(lexicon: Lexicon, leaders: dict[str, str]) -> Iterator[tuple[str, str]]:
    """Every id that leads to a current concept, with that concept; current ids last, as they decide."""
    for concept in lexicon.ontology.concepts:
        current = lexicon.resolve(concept.id)
        if current is not None:
            yield concept.id, leaders[current]
    yield from leaders.items()


def _merge(lexicon: Lexicon) -> dict[str, str]:
    """The ids of all current concepts, each with the one that stands for all concepts that share an id."""
    members: dict[str, set[str]] = {}
    for concept in lexicon.concepts.values():
        group = {concept.id, *ids_of(concept.id), *concept.alt_ids}
        joined = group.union(*(members[written] for written in group if written in members))
        members |= dict.fromkeys(joined, joined)
    leaders: dict[str, str] = {}
    for concept_id in lexicon.concepts:  # in the order of the ids, so the first of a group comes first
        if concept_id not in leaders:
            leaders |= dict.fromkeys(members[concept_id], concept_id)
    return leaders


def _unique(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """The pairs whose first part goes with one second part only."""
    found: dict[str, set[str]] = {}
    for key, value in pairs:
        found.setdefault(key, set()).add(value)
    return {key: values.pop() for key, values in found.items() if len(values) == 1}


def _fold(written: str) -> str:
    return _SEPARATOR.sub(":", written.strip().casefold(), count=1)


def _prefix(written: str) -> str:
    return "" if not _SEPARATOR.search(written) else _SEPARATOR.split(written, maxsplit=1)[0]


def _local(written: str) -> str:
    return _SEPARATOR.split(written.strip())[-1]

"""What changed between two releases of an ontology."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from medlink.ontology.source import Ontology
from medlink.records import Concept


@dataclass(frozen=True, slots=True)
class Renamed:
    """A concept with another preferred name."""

    id: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Gone:
    """A concept that is none any more.

    :param successors: the current concepts of the new release that stand for it, as that release says; sorted.
    """

    id: str
    name: str
    successors: tuple[str, ...]


@dataclass(frozen=True)
class Diff:
    """What changed; each list is sorted by id.

    :param old: name and version of the old release; ``new`` likewise.
    :param added: id and name of concepts that the old release does not have, or not any more.
    :param renamed: concepts of both releases with another preferred name.
    :param merged: concepts whose id is now an alternative id of another one.
    :param retired: concepts that are obsolete now, or that the new release does not know.
    :param n_names_added: names, preferred ones included, that concepts of both releases gained; ``n_names_removed``:
        that they lost.
    :param n_concepts_with_other_names: concepts of both releases that gained or lost a name.
    """

    old: str
    new: str
    added: tuple[tuple[str, str], ...]
    renamed: tuple[Renamed, ...]
    merged: tuple[Gone, ...]
    retired: tuple[Gone, ...]
    n_names_added: int
    n_names_removed: int
    n_concepts_with_other_names: int

    @cached_property
    def changed_ids(self) -> Mapping[str, str]:
        """What became of a concept, by the id it had: ``renamed``, ``merged`` or ``retired``."""
        lists: dict[str, Sequence[Renamed | Gone]] = {
            "renamed": self.renamed,
            "merged": self.merged,
            "retired": self.retired,
        }
        return {change.id: kind for kind, changes in lists.items() for change in changes}


def compare(old: Ontology, new: Ontology) -> Diff:
    """What changed from one release to another; obsolete concepts of the old one do not count."""
    before = {concept.id: concept for concept in old.concepts if not concept.obsolete}
    release = _Release(new)
    after = release.current
    both = [(before[i], after[i]) for i in sorted(before.keys() & after.keys())]
    gone = [release.trace(before[i]) for i in sorted(before.keys() - after.keys())]
    gained = [len(_texts(late) - _texts(early)) for early, late in both]
    lost = [len(_texts(early) - _texts(late)) for early, late in both]
    return Diff(
        old=f"{old.name} {old.version}",
        new=f"{new.name} {new.version}",
        added=tuple((i, after[i].name) for i in sorted(after.keys() - before.keys())),
        renamed=tuple(Renamed(a.id, a.name, b.name) for a, b in both if a.name != b.name),
        merged=tuple(change for is_merged, change in gone if is_merged),
        retired=tuple(change for is_merged, change in gone if not is_merged),
        n_names_added=sum(gained),
        n_names_removed=sum(lost),
        n_concepts_with_other_names=sum(bool(g or n) for g, n in zip(gained, lost, strict=True)),
    )


class _Release:
    """Where ids of other days lead in a release."""

    def __init__(self, ontology: Ontology) -> None:
        self.current = {concept.id: concept for concept in ontology.concepts if not concept.obsolete}
        self._replaced = {concept.id: concept.replaced_by for concept in ontology.concepts if concept.obsolete}
        self._bearers: dict[str, list[str]] = defaultdict(list)
        for concept in ontology.concepts:
            for alt_id in concept.alt_ids:
                self._bearers[alt_id].append(concept.id)

    def trace(self, concept: Concept) -> tuple[bool, Gone]:
        """Whether a concept that is not current was merged, and what became of it."""
        found, seen, waiting = set[str](), set[str](), [concept.id]
        while waiting:
            step = waiting.pop()
            if step in self.current:
                found.add(step)
            elif step not in seen:
                seen.add(step)
                waiting += [*self._replaced.get(step, ()), *self._bearers.get(step, ())]
        is_merged = bool(found) and concept.id in self._bearers
        return is_merged, Gone(concept.id, concept.name, tuple(sorted(found)))


def _texts(concept: Concept) -> set[str]:
    return {name.text for name in concept.names}

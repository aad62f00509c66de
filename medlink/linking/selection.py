"""Which links of a note are wanted: by what the note says of the mention, by branch, by semantic type."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from medlink.errors import SettingError, UnknownNameError
from medlink.ontology.lexicon import Lexicon
from medlink.records import Assertion, Link, LinkedDocument


@dataclass(frozen=True, slots=True)
class Selection:
    """What a user wants to see of the links; by default all.

    The choice comes after linking: what is not wanted has still been there to tell what the rest means.

    :param drop: mentions with one of these labels of :attr:`medlink.records.Assertion.labels` are left out.
    :param branches: ids; only links to these concepts and to those below them stay.
    :param types: only links to concepts of these semantic types stay.
    """

    drop: tuple[str, ...] = ()
    branches: tuple[str, ...] = ()
    types: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for label in self.drop:
            if label not in Assertion.__slots__:
                raise SettingError(
                    "a mention cannot be dropped for this",
                    where="drop",
                    expected=" or ".join(Assertion.__slots__),
                    got=repr(label),
                )


@dataclass(frozen=True, slots=True)
class LinkFilter:
    """A selection made ready for one ontology.

    :param drop: labels of mentions that are left out.
    :param inside: the concepts that are wanted; ``None`` for all.
    """

    drop: frozenset[str]
    inside: frozenset[str] | None

    def keeps(self, link: Link) -> bool:
        """Whether a link is wanted; one without a concept is in no branch and of no type."""
        if not self.drop.isdisjoint(link.mention.assertion.labels):
            return False
        return self.inside is None or link.concept_id in self.inside

    def apply(self, linked: LinkedDocument) -> LinkedDocument:
        """The document with the links that are wanted."""
        return replace(linked, links=tuple(filter(self.keeps, linked.links)))


def make_filter(selection: Selection, lexicon: Callable[[], Lexicon]) -> LinkFilter:
    """The filter of a selection.

    :param lexicon: gives the ontology that is linked to; asked only where the selection names branches or types.
    :raises UnknownNameError: when a branch or a type is none of the ontology's.
    """
    inside: set[str] | None = None
    if selection.branches or selection.types:
        inside = _inside(selection, lexicon())
    return LinkFilter(frozenset(selection.drop), None if inside is None else frozenset(inside))


def _inside(selection: Selection, lexicon: Lexicon) -> set[str]:
    concepts = lexicon.concepts
    below = lexicon.within(*selection.branches) if selection.branches else concepts
    types = (kind for concept in concepts.values() for kind in concept.semantic_types) if selection.types else ()
    known = set(types)
    for name in selection.types:
        if name not in known:
            raise UnknownNameError(
                "no concept is of this semantic type",
                where=f"{lexicon.ontology_name} {lexicon.version}",
                expected=" or ".join(sorted(known)) or "no type at all, as this ontology has none",
                got=repr(name),
            )
    return {i for i in below if not selection.types or not set(selection.types).isdisjoint(concepts[i].semantic_types)}

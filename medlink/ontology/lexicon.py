"""An ontology made searchable: normalised name → concepts, and the graph of ids around them."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache, partial
from pathlib import Path

from medlink.errors import UnknownNameError
from medlink.ontology.columns import Edges, find_sorted
from medlink.ontology.concept_json import canonical_line
from medlink.ontology.graph import Graph, make_graph, resolve_id
from medlink.ontology.name_table import NameTable, tabulate
from medlink.ontology.source import Ontology
from medlink.ontology.stored import ConceptsById
from medlink.records import Concept, Name, Scope
from medlink.text import content_words, normalise

# Names whose rows are remembered.
_REMEMBERED = 1 << 16


@dataclass(frozen=True, slots=True)
class Posting:
    """A concept that bears a name.

    :param name: the name as the ontology writes it; the most trusted one where several are the same when normalised.
    :param concept: the concept itself.
    """

    concept_id: str
    name: Name
    concept: Concept = field(repr=False, compare=False)


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """What is costly to work out from an ontology, as stored beside it.

    :param content_hash: of all its concepts.
    :param table: of the names of its current concepts.
    :param ids: of its current concepts, sorted.
    :param concepts: the current ones, in that order.
    :param graph: ``None`` where it is to be worked out.
    :param folder: of the files that hold all this.
    """

    content_hash: str
    table: NameTable
    ids: Sequence[str]
    concepts: Sequence[Concept]
    graph: Graph | None = None
    folder: Path | None = None


class Lexicon:
    """The searchable form of an ontology.

    Everything in it is a function of the set of concepts: the order of the file changes nothing.

    :param ontology: where the concepts come from.
    :param prepared: what :attr:`prepared` was for the same ontology; worked out where it is not given.
    """

    def __init__(self, ontology: Ontology, *, prepared: Prepared | None = None) -> None:
        self.ontology = ontology
        self.prepared = prepared or _prepare(ontology)
        ids, concepts = self.prepared.ids, self.prepared.concepts
        #: Current concepts by id, in the order of their ids.
        self.concepts: Mapping[str, Concept] = (
            dict(zip(ids, concepts, strict=True)) if isinstance(concepts, tuple) else ConceptsById(ids, concepts)
        )
        self._current = concepts
        self._row_of = lru_cache(_REMEMBERED)(self.prepared.table.row_of)

    def __reduce__(self) -> tuple[partial[Lexicon], tuple[Ontology]]:
        return partial(Lexicon, prepared=self.prepared), (self.ontology,)

    @property
    def ontology_name(self) -> str:
        """The ontology's key in the catalogue."""
        return self.ontology.name

    @property
    def version(self) -> str:
        """The ontology's release date or version."""
        return self.ontology.version

    @property
    def licence(self) -> str:
        """The ontology's licence, as its file states it."""
        return self.ontology.licence

    @property
    def content_hash(self) -> str:
        """The sha256 of all concepts, obsolete ones included, in hexadecimal; see :func:`hash_concepts`."""
        return self.prepared.content_hash

    @property
    def folder(self) -> Path | None:
        """Of the files from which it was read, names that were added later not among them."""
        return self.prepared.folder

    @property
    def changed_rows(self) -> Collection[int]:
        """The rows that are otherwise than in ``folder``, or behind those there."""
        return self.prepared.table.changed.keys()

    @property
    def names(self) -> Sequence[str]:
        """The unique normalised names of the current concepts; a row is a place in here.

        They are sorted, but for those that :func:`extended_lexicon` added, which follow the others.
        """
        return self.prepared.table.names

    def postings(self, row: int) -> tuple[Posting, ...]:
        """Who bears ``names[row]``, by (scope rank, concept id); more than one where the name is a homonym."""
        entries = self.prepared.table.entries(row)
        return tuple(_posting(self._current[place], spelling) for place, spelling in entries)

    def row_of(self, name: str) -> int | None:
        """The place of a normalised name in ``names``."""
        return self._row_of(name)

    def lookup(self, text: str) -> tuple[Posting, ...]:
        """Who bears a text as a name, exactly after normalisation; empty where nobody does."""
        row = self.row_of(normalise(text))
        return () if row is None else self.postings(row)

    def sample(self, n: int) -> tuple[Concept, ...]:
        """Some ``n`` of the current concepts, evenly from all; all where there are fewer."""
        return tuple(self._current[:: max(1, len(self._current) // n)])

    def resolve(self, concept_id: str) -> str | None:
        """The current concept that an id means today, through alternative ids and replacements.

        :returns: ``None`` where the id is unknown, gone without replacement, or leads to several concepts.
        """
        return concept_id if concept_id in self.concepts else resolve_id(concept_id, self.concepts, self.graph.moved)

    def ancestors(self, concept_id: str) -> frozenset[str]:
        """All current concepts above one, without itself.

        :raises UnknownNameError: when the id is no current concept's.
        """
        return self._reach(concept_id, self.graph.parents)

    def descendants(self, concept_id: str) -> frozenset[str]:
        """All current concepts below one, without itself.

        :raises UnknownNameError: when the id is no current concept's.
        """
        return self._reach(concept_id, self.graph.children)

    def branch(self, *roots: str) -> Lexicon:
        """The lexicon of the roots and all below them; the lexicon itself where no root is named.

        Retired ids that lead into the branch stay resolvable.

        :param roots: ids; an alternative or replaced one counts as the concept it means today.
        :raises UnknownNameError: when a root is nobody's id.
        """
        if not roots:
            return self
        kept = self.within(*roots)
        return Lexicon(
            replace(self.ontology, concepts=tuple(c for c in self.ontology.concepts if self.resolve(c.id) in kept))
        )

    def within(self, *roots: str) -> set[str]:
        """The ids of the roots' current concepts and of all below them.

        :raises UnknownNameError: when a root is nobody's id.
        """
        kept = set[str]()
        for root in roots:
            current = self.resolve(root)
            if current is None:
                raise self.unknown(root)
            kept |= {current} | self.descendants(current)
        return kept

    def search(self, text: str, limit: int) -> tuple[Posting, ...]:
        """The concepts that a person may mean, each with its best name.

        The concept with that id comes first, then exact names, names with all the words in any order, names with all
        the words' beginnings, and names that hold the words anywhere; among equals by scope, then shorter names, then
        concept id.

        :param limit: how many at most, 1 or more.
        """
        best: dict[str, tuple[tuple[int, int, int, str], Posting]] = {}
        for tier, posting in self._matches(text):
            key = (tier, posting.name.scope.rank, len(posting.name.text), posting.concept_id)
            if posting.concept_id not in best or key < best[posting.concept_id][0]:
                best[posting.concept_id] = (key, posting)
        return tuple(posting for _, posting in sorted(best.values(), key=lambda scored: scored[0])[:limit])

    def _matches(self, text: str) -> Iterator[tuple[int, Posting]]:
        """Matching names with their tier, 0 the best."""
        current = self.resolve(text.strip())
        if current is not None:
            yield 0, _posting(self.concepts[current], 0)
        exact = normalise(text)
        wanted = frozenset(content_words(text) or exact.split())
        pieces = [word.removesuffix("y") for word in wanted]  # "biopsy" is to be found in "biopsies"
        for row, name in enumerate(self.names if pieces else ()):
            if not all(piece in name for piece in pieces):
                continue
            if name == exact:
                tier = 1
            elif wanted <= set(content_words(name)):
                tier = 2
            else:
                tier = 3 if all(f" {piece}" in f" {name}" for piece in pieces) else 4
            yield from ((tier, posting) for posting in self.postings(row))

    def _reach(self, concept_id: str, edges: Edges) -> frozenset[str]:
        place = find_sorted(self.prepared.ids, concept_id)
        if place is None:
            raise self.unknown(concept_id)
        return frozenset(self.prepared.ids[other] for other in edges.reached(place))

    def unknown(self, concept_id: str) -> UnknownNameError:
        """What to raise of an id that is no current concept's."""
        return UnknownNameError(
            "no current concept has this id",
            where=f"{self.ontology_name} {self.version}",
            got=repr(concept_id),
            hint="'medlink ontology search' finds concepts by name.",
        )

    @cached_property
    def graph(self) -> Graph:
        """The ids around its concepts."""
        return self.prepared.graph or make_graph(self.ontology, self.prepared.ids)


def _prepare(ontology: Ontology) -> Prepared:
    current = tuple(concept for concept in ontology.concepts if not concept.obsolete)
    ids = tuple(concept.id for concept in current)
    return Prepared(hash_concepts(ontology.concepts), tabulate(current), ids, current)


def hash_concepts(concepts: Iterable[Concept]) -> str:
    """The sha256 of the concepts in hexadecimal; no order in the file changes it, and no other field is left out."""
    digest = hashlib.sha256()
    for concept in sorted(concepts, key=lambda c: c.id):
        digest.update(f"{canonical_line(concept)}\n".encode())
    return digest.hexdigest()


def _posting(concept: Concept, spelling: int) -> Posting:
    name = concept.synonyms[spelling - 1] if spelling else Name(concept.name, Scope.PREFERRED)
    return Posting(concept.id, name, concept)

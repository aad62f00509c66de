"""An ontology made searchable: normalised name → concepts, and the graph of ids around them."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from medlink.errors import UnknownNameError
from medlink.ontology.concept_json import canonical_line
from medlink.ontology.name_table import NameTable, tabulate
from medlink.ontology.source import Ontology
from medlink.records import Concept, Name
from medlink.text import content_words, normalise

#: The kind of names that annotators gave.
ALIAS = "alias"


@dataclass(frozen=True, slots=True)
class Posting:
    """A concept that bears a name.

    :param name: the name as the ontology writes it; the most trusted one where several are the same when normalised.
    """

    concept_id: str
    name: Name


@dataclass(frozen=True, slots=True)
class Prepared:
    """What is costly to work out from an ontology, as stored beside it.

    :param content_hash: of all its concepts.
    :param table: of the names of its current concepts.
    """

    content_hash: str
    table: NameTable


class Lexicon:
    """The searchable form of an ontology.

    Everything in it is a function of the set of concepts: the order of the file changes nothing.

    :param ontology: where the concepts come from.
    :param prepared: what :attr:`prepared` was for the same ontology; worked out where it is not given.
    """

    def __init__(self, ontology: Ontology, *, prepared: Prepared | None = None) -> None:
        self.ontology = ontology
        #: Current concepts by id, in the order of their ids.
        self.concepts: Mapping[str, Concept] = {c.id: c for c in ontology.concepts if not c.obsolete}
        self._current = tuple(self.concepts.values())
        self.prepared = prepared or Prepared(hash_concepts(ontology.concepts), tabulate(self._current))

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
    def names(self) -> tuple[str, ...]:
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
        return self.prepared.table.row_of(name)

    def lookup(self, text: str) -> tuple[Posting, ...]:
        """Who bears a text as a name, exactly after normalisation; empty where nobody does."""
        row = self.row_of(normalise(text))
        return () if row is None else self.postings(row)

    def resolve(self, concept_id: str) -> str | None:
        """The current concept that an id means today, through alternative ids and replacements.

        :returns: ``None`` where the id is unknown, gone without replacement, or leads to several concepts.
        """
        found, seen, waiting = set[str](), set[str](), [concept_id]
        while waiting:
            step = waiting.pop()
            if step in self.concepts:
                found.add(step)
            elif step not in seen:
                seen.add(step)
                waiting.extend(self._moved.get(step, ()))
        return found.pop() if len(found) == 1 else None

    def ancestors(self, concept_id: str) -> frozenset[str]:
        """All current concepts above one, without itself.

        :raises UnknownNameError: when the id is no current concept's.
        """
        return self._reach(concept_id, self._parents)

    def descendants(self, concept_id: str) -> frozenset[str]:
        """All current concepts below one, without itself.

        :raises UnknownNameError: when the id is no current concept's.
        """
        return self._reach(concept_id, self._children)

    def branch(self, *roots: str) -> Lexicon:
        """The lexicon of the roots and all below them; the lexicon itself where no root is named.

        Retired ids that lead into the branch stay resolvable.

        :param roots: ids; an alternative or replaced one counts as the concept it means today.
        :raises UnknownNameError: when a root is nobody's id.
        """
        if not roots:
            return self
        kept = set[str]()
        for root in roots:
            current = self.resolve(root)
            if current is None:
                raise self.unknown(root)
            kept |= {current} | self.descendants(current)
        return Lexicon(
            replace(self.ontology, concepts=tuple(c for c in self.ontology.concepts if self.resolve(c.id) in kept))
        )

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

    def _reach(self, concept_id: str, edges: Mapping[str, Sequence[str]]) -> frozenset[str]:
        if concept_id not in self.concepts:
            raise self.unknown(concept_id)
        reached, waiting = set[str](), [concept_id]
        while waiting:
            for neighbour in edges.get(waiting.pop(), ()):
                if neighbour not in reached:
                    reached.add(neighbour)
                    waiting.append(neighbour)
        return frozenset(reached - {concept_id})

    def unknown(self, concept_id: str) -> UnknownNameError:
        """What to raise of an id that is no current concept's."""
        return UnknownNameError(
            "no current concept has this id",
            where=f"{self.ontology_name} {self.version}",
            got=repr(concept_id),
            hint="'medlink ontology search' finds concepts by name.",
        )

    @cached_property
    def _moved(self) -> Mapping[str, Sequence[str]]:
        """Where alternative and obsolete ids lead."""
        alternatives = ((alt_id, c.id) for c in self.ontology.concepts for alt_id in c.alt_ids)
        replacements = ((c.id, successor) for c in self.ontology.concepts for successor in c.replaced_by)
        return _group([*alternatives, *replacements])

    @cached_property
    def _parents(self) -> Mapping[str, Sequence[str]]:
        """The current parents of those current concepts that have some."""
        edges = ((concept.id, self.resolve(parent)) for concept in self._current for parent in concept.parents)
        return _group((child, parent) for child, parent in edges if parent is not None)

    @cached_property
    def _children(self) -> Mapping[str, Sequence[str]]:
        return _group((parent, child) for child, parents in self._parents.items() for parent in parents)


def with_names(lexicon: Lexicon, names: Iterable[tuple[str, str]]) -> Lexicon:
    """The lexicon with more exact synonyms; the lexicon itself where none is given.

    :param names: each a text and the id of a current concept that it is to be a name of.
    """
    added = _group((concept_id, text) for text, concept_id in names)
    if not added:
        return lexicon
    ontology = lexicon.ontology
    concepts = (
        replace(concept, synonyms=(*concept.synonyms, *map(Name, added.get(concept.id, ()))))
        for concept in ontology.concepts
    )
    return Lexicon(replace(ontology, concepts=tuple(concepts)))


def extended_lexicon(lexicon: Lexicon, names: Iterable[tuple[str, str]]) -> Lexicon:
    """The lexicon with more exact synonyms, of kind "alias", that leave its rows in their places.

    What is new among the names follows the others, sorted, so an index of the old names is extended, not built again.
    The lexicon itself where nothing is added. Its ``content_hash`` is that of the old one and the aliases.

    :param names: each a text and the id of a current concept that it is to be a name of; their order does not matter,
        and texts that normalise to nothing are left out.
    :raises UnknownNameError: when an id is no current concept's.
    """
    added = _group((concept_id, text) for text, concept_id in sorted(set(names)) if normalise(text))
    if unknown := sorted(added.keys() - lexicon.concepts.keys()):
        raise lexicon.unknown(unknown[0])
    if not added:
        return lexicon
    concepts = tuple(_with_aliases(concept, added.get(concept.id, ())) for concept in lexicon.ontology.concepts)
    table = lexicon.prepared.table
    entries = _alias_entries(table, tuple(c for c in concepts if not c.obsolete), added)
    content_hash = hashlib.sha256(json.dumps([lexicon.content_hash, added], sort_keys=True).encode()).hexdigest()
    prepared = Prepared(content_hash, table.extended(entries))
    return Lexicon(replace(lexicon.ontology, concepts=concepts), prepared=prepared)


def _alias_entries(
    table: NameTable, concepts: Sequence[Concept], added: Mapping[str, Sequence[str]]
) -> dict[str, list[tuple[int, int]]]:
    """All entries of each name that is an alias, as :func:`medlink.ontology.name_table.tabulate` would order them.

    :param concepts: current ones, with their aliases, which are the last of their names.
    """
    found: dict[str, dict[int, int]] = {}
    for place, concept in enumerate(concepts):
        n_aliases = len(added.get(concept.id, ()))
        names = concept.names
        for spelling in range(len(names) - n_aliases, len(names)):
            key = normalise(names[spelling].text)
            if key not in found:
                row = table.row_of(key)
                found[key] = {} if row is None else dict(table.entries(row))
            rivals = [spelling, found[key].get(place, spelling)]
            found[key][place] = min(rivals, key=lambda s: (names[s].scope.rank, names[s].text, names[s].kind))
    return {
        key: sorted(bearers.items(), key=lambda bearer: (concepts[bearer[0]].names[bearer[1]].scope.rank, bearer[0]))
        for key, bearers in found.items()
    }


def hash_concepts(concepts: Iterable[Concept]) -> str:
    """The sha256 of the concepts in hexadecimal; no order in the file changes it, and no other field is left out."""
    digest = hashlib.sha256()
    for concept in sorted(concepts, key=lambda c: c.id):
        digest.update(f"{canonical_line(concept)}\n".encode())
    return digest.hexdigest()


def _with_aliases(concept: Concept, texts: Sequence[str]) -> Concept:
    aliases = tuple(Name(text, kind=ALIAS) for text in texts)
    return replace(concept, synonyms=(*concept.synonyms, *aliases)) if aliases else concept


def _posting(concept: Concept, spelling: int) -> Posting:
    return Posting(concept.id, concept.names[spelling])


def _group(pairs: Iterable[tuple[str, str]]) -> Mapping[str, Sequence[str]]:
    grouped = defaultdict[str, list[str]](list)
    for key, value in pairs:
        grouped[key].append(value)
    return dict(grouped)

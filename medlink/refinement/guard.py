"""The guard: documents that are frozen out of training, and what a linker is asked on them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from medlink.evaluation.annotations import Corpus
from medlink.evaluation.concept_map import ConceptMap
from medlink.linking.ranker import LONGEST_ACRONYM
from medlink.ontology.lexicon import Lexicon
from medlink.refinement.lessons import Lesson, Place
from medlink.text import content_words, normalise

#: The share of documents that is guarded. Neither it nor the salt may change: what was trained on would be guarded.
SHARE, SALT = 0.1, "medlink.guard.v1"
LEDGER, ONTOLOGY, BATCH = "ledger", "ontology", "corrections"
# Looking one up takes 10 to 25 ms on one core, and parent and child are asked all of them.
N_NAMES = 1000


def is_guarded(doc_id: str, *, share: float = SHARE, salt: str = SALT) -> bool:
    """Whether a document is frozen out of training: by its id alone, so that it is for ever.

    Whole documents are, as mentions of one document are near-copies of each other. A larger share holds all documents
    of a smaller one.

    :param share: of all documents, in [0, 1].
    """
    return _position(doc_id, salt) < share


def split_lessons(lessons: Iterable[Lesson], *, share: float = SHARE) -> tuple[tuple[Lesson, ...], tuple[Lesson, ...]]:
    """The lessons to train on and those of guarded documents, each in the order given."""
    training: list[Lesson] = []
    guard: list[Lesson] = []
    for lesson in lessons:
        (guard if is_guarded(lesson.place[0], share=share) else training).append(lesson)
    return tuple(training), tuple(guard)


class Way(StrEnum):
    """How a linker is asked."""

    DOCUMENT = "document"
    """The mentions of a document together, as notes are linked."""
    NAME_HIDDEN = "name hidden"
    """Each query by itself, as if the ontology lacked the name that it is."""


@dataclass(frozen=True, slots=True)
class Case:
    """Something to ask with the right answer.

    :param query: normalised, not empty; it never leaves this record.
    :param gold: concepts any of which is right; none where NIL is.
    :param place: where it stands; for a name of the ontology its concept's id, 0 and 0.
    """

    query: str
    gold: frozenset[str]
    place: Place


@dataclass(frozen=True, slots=True)
class CaseSet:
    """A part of the guard set, which is judged by itself.

    :param name: what tables call it.
    """

    name: str
    way: Way
    cases: tuple[Case, ...]


def lesson_cases(lessons: Iterable[Lesson], *, name: str = LEDGER) -> CaseSet:
    """What annotators decided, to be asked as notes are linked; what they call no mention is not about linking."""
    cases = (
        Case(one.query, frozenset({one.concept_id} if one.concept_id else ()), one.place)
        for one in lessons
        if one.is_mention
    )
    return CaseSet(name, Way.DOCUMENT, tuple(cases))


def correction_cases(lessons: Iterable[Lesson]) -> CaseSet:
    """The lessons that changed what the system had said."""
    return lesson_cases((lesson for lesson in lessons if lesson.changed), name=BATCH)


def corpus_cases(name: str, corpus: Corpus, lexicon: Lexicon) -> CaseSet:
    """The annotations of a corpus, as far as they mean a concept of the lexicon; any part of a composite is right."""
    concepts = ConceptMap(lexicon)
    members: dict[str, set[str]] = {}
    for concept_id in lexicon.concepts:
        members.setdefault(concepts.concept(concept_id), set()).add(concept_id)
    cases = []
    for one in concepts.resolve_all(corpus.annotations):
        query, gold = normalise(one.surface), frozenset().union(*(members.get(key, ()) for key in one.concepts))
        if query and gold:
            cases.append(Case(query, gold, (one.doc_id, one.start, one.end)))
    return CaseSet(name, Way.DOCUMENT, tuple(cases))


def ontology_cases(lexicon: Lexicon, *, n_names: int = N_NAMES) -> CaseSet:
    """Names of the ontology, each to be found as if the ontology lacked it, by the other names of its concept.

    That a name finds itself says nothing, as the linker puts a text's own concepts first whatever the encoder; for the
    same reason nor does a name with its words in another order. Misspelt names say little: the n-grams find them
    without the encoder. Measured with noise on the surface tower's weights (MEDIC, 1,000 names hidden, 500 misspelt):
    noise of 0.3, 1 and 2 of their standard deviations loses 2.1, 8.6 and 11.7 points of the hidden names, and 0.2, 0.6
    and -1.4 of the misspelt ones.

    The names are chosen by hash, so those of another release of the ontology are nearly the same. Acronyms are left
    out, and names with the very words of another one of their concept's.

    :param n_names: at most.
    """
    cases: list[Case] = []
    for row in sorted(range(len(lexicon.names)), key=lambda row: _position(lexicon.names[row], SALT)):
        if len(cases) >= n_names:
            break
        name = lexicon.names[row]
        gold = frozenset(posting.concept_id for posting in lexicon.postings(row))
        if len(name) > LONGEST_ACRONYM and _has_other_name(name, gold, lexicon):
            cases.append(Case(name, gold, (min(gold), 0, 0)))
    return CaseSet(ONTOLOGY, Way.NAME_HIDDEN, tuple(cases))


def _has_other_name(name: str, gold: frozenset[str], lexicon: Lexicon) -> bool:
    """Whether one of the concepts has another name, and none has one of the same words."""
    words = sorted(content_words(name))
    others = {normalise(other.text) for key in gold for other in lexicon.concepts[key].names} - {name, ""}
    return bool(others) and all(sorted(content_words(other)) != words for other in others)


def _position(key: str, salt: str) -> float:
    """Where a key falls in [0, 1), evenly and for ever."""
    digest = hashlib.sha256(f"{salt}\0{key}".encode(errors="surrogatepass")).digest()
    return int.from_bytes(digest[:8], "big") / 2**64

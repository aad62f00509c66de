"""The guard: documents that are frozen out of training, and what a linker is asked on them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from random import Random

from medlink.contrastive.augmentation import add_typo, augment
from medlink.evaluation.annotations import Corpus
from medlink.evaluation.concept_map import ConceptMap
from medlink.linking.ranker import LONGEST_ACRONYM
from medlink.ontology.lexicon import Lexicon
from medlink.refinement.lessons import Lesson, Place
from medlink.text import content_words, normalise

#: The share of documents that is guarded. Neither it nor the salt may change: what was trained on would be guarded.
SHARE, SALT = 0.1, "medlink.guard.v1"
LEDGER, HIDDEN, MISSPELT, BATCH = "ledger", "names hidden", "names misspelt", "corrections"
N_NAMES = 4000


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
    ALONE = "alone"
    """Each query by itself."""
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


def ontology_cases(lexicon: Lexicon, *, n_names: int = N_NAMES) -> tuple[CaseSet, CaseSet]:
    """Names of the ontology, each to be found without itself, and each with a slip of the keyboard.

    That a name finds itself says nothing: the linker puts a text's own concepts first whatever the encoder. So either
    the name is hidden, and its concept must be found by its other names, as with a wording that the ontology lacks; or
    it is misspelt, and must be found all the same. Damage to what an encoder knows shows in the first, damage to how
    it reads letters in the second. Words in another order would say nothing either: the linker puts those first, too.

    The names are chosen by hash, so those of another release of the ontology are nearly the same. Acronyms are left
    out, and from the hidden ones names with the very words of another one of their concept's.

    :param n_names: in each of the two at most.
    """
    hidden: list[Case] = []
    misspelt: list[Case] = []
    for row in sorted(range(len(lexicon.names)), key=lambda row: _position(lexicon.names[row], SALT)):
        if len(hidden) >= n_names and len(misspelt) >= n_names:
            break
        name = lexicon.names[row]
        if len(name) <= LONGEST_ACRONYM:
            continue
        gold = frozenset(posting.concept_id for posting in lexicon.postings(row))
        place = (min(gold), 0, 0)
        if len(hidden) < n_names and _has_other_name(name, gold, lexicon):
            hidden.append(Case(name, gold, place))
        if len(misspelt) < n_names and (variant := _misspell(name, lexicon)):
            misspelt.append(Case(variant, gold, place))
    return CaseSet(HIDDEN, Way.NAME_HIDDEN, tuple(hidden)), CaseSet(MISSPELT, Way.ALONE, tuple(misspelt))


def _has_other_name(name: str, gold: frozenset[str], lexicon: Lexicon) -> bool:
    """Whether one of the concepts has another name, and none has one of the same words."""
    words = sorted(content_words(name))
    others = {normalise(other.text) for key in gold for other in lexicon.concepts[key].names} - {name, ""}
    return bool(others) and all(sorted(content_words(other)) != words for other in others)


def _misspell(name: str, lexicon: Lexicon) -> str:
    """The name with a slip, the same each time; empty where it has no long word, or the slip makes another name."""
    variant = normalise(
        augment(
            name,
            Random(f"{SALT} {name}"),  # noqa: S311 - a sample, no secret
            is_taken=lambda text: lexicon.row_of(normalise(text)) is not None,
            operations=(add_typo,),
        )
    )
    return variant if variant != name else ""


def _position(key: str, salt: str) -> float:
    """Where a key falls in [0, 1), evenly and for ever."""
    digest = hashlib.sha256(f"{salt}\0{key}".encode(errors="surrogatepass")).digest()
    return int.from_bytes(digest[:8], "big") / 2**64

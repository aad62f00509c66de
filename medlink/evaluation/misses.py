"""What is wrong at mention level, each by its kind: pure functions on gold and predicted annotations."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from medlink.evaluation.annotation_scores import group_by_document
from medlink.evaluation.annotations import Annotation

_LONGEST_ABBREVIATION = 6
_COORDINATOR = re.compile(r"\b(?:and|or|nor|and/or)\b|[/,]", re.IGNORECASE)


class Kind(StrEnum):
    """The kinds of misses, in the order of precedence: the first that holds is the kind of a miss."""

    ABBREVIATION = "abbreviation"
    COORDINATION = "coordination"
    BOUNDARY = "boundary"
    PARENT_OR_CHILD = "parent or child"
    WRONG_CONCEPT = "wrong concept"
    MISSED = "missed"
    SPURIOUS = "spurious"


MEANINGS = {
    Kind.ABBREVIATION: "the gold mention, or the prediction where there is none, is one word of at most "
    f"{_LONGEST_ABBREVIATION} characters with more capitals than small letters, two or more",
    Kind.COORDINATION: "its text holds and, or, nor, a comma or a slash",
    Kind.BOUNDARY: "the right concept at a span that overlaps the right one",
    Kind.PARENT_OR_CHILD: "at a span that overlaps, a direct parent or child of the right concept",
    Kind.WRONG_CONCEPT: "at a span that overlaps, any other concept",
    Kind.MISSED: "nothing predicted there that does not belong to another gold mention",
    Kind.SPURIOUS: "predicted where no gold mention is that does not belong to another prediction",
}

# Whether one concept is a direct parent or child of another.
Related = Callable[[str, str], bool]


@dataclass(frozen=True, slots=True)
class Mark:
    """A span with one of its concepts."""

    start: int
    end: int
    concept: str
    surface: str


@dataclass(frozen=True, slots=True)
class Miss:
    """A gold mention that was not found, a prediction that is wrong, or one of each that belong together.

    :param gold: ``None`` where there is none.
    :param predicted: ``None`` where there is none.
    """

    kind: Kind
    doc_id: str
    gold: Mark | None
    predicted: Mark | None


def find_misses(
    gold: Iterable[Annotation], predicted: Iterable[Annotation], doc_ids: Collection[str], *, related: Related
) -> tuple[Miss, ...]:
    """Every gold mention without and every prediction with a fault at mention level, each once, by document and place.

    Those of the same span and concept are right and go first. Of the rest one gold mention and one prediction that
    overlap belong together, at most one each: the same concept before a related one before any other, then the same
    span, then the larger overlap, then the earlier.

    :param related: of concepts, as the annotations name them.
    """
    gold_of, predicted_of = group_by_document(gold), group_by_document(predicted)
    found: list[Miss] = []
    for doc_id in sorted(set(doc_ids)):
        left, right = _marks(gold_of.get(doc_id, ())), _marks(predicted_of.get(doc_id, ()))
        missed = [mark for key, mark in left.items() if key not in right]
        wrong = [mark for key, mark in right.items() if key not in left]
        pairs = [Miss(_kind(one, other, related), doc_id, one, other) for one, other in _pair(missed, wrong, related)]
        found += sorted(pairs, key=_place)
    return tuple(found)


def count_kinds(misses: Iterable[Miss]) -> Mapping[Kind, tuple[int, int]]:
    """Of every kind, how many gold mentions and how many predictions are in it."""
    misses = tuple(misses)
    n_gold = Counter(miss.kind for miss in misses if miss.gold)
    n_predicted = Counter(miss.kind for miss in misses if miss.predicted)
    return {kind: (n_gold[kind], n_predicted[kind]) for kind in Kind}


def is_abbreviation(surface: str) -> bool:
    """Whether a surface has the form of one.

    >>> [is_abbreviation(text) for text in ("MJD", "TdP", "NSAIDs", "Ataxia", "K", "SEIZURES")]
    [True, True, True, False, False, False]
    """
    capitals, small = sum(map(str.isupper, surface)), sum(map(str.islower, surface))
    return len(surface.split()) == 1 and len(surface) <= _LONGEST_ABBREVIATION and capitals >= 2 and capitals > small


def _marks(annotations: Iterable[Annotation]) -> dict[tuple[int, int, str], Mark]:
    marks = (Mark(one.start, one.end, concept, one.surface) for one in annotations for concept in sorted(one.concepts))
    return {(mark.start, mark.end, mark.concept): mark for mark in marks}


def _pair(
    missed: Sequence[Mark], wrong: Sequence[Mark], related: Related
) -> Iterator[tuple[Mark, Mark] | tuple[Mark, None] | tuple[None, Mark]]:
    """The pairs, then what is left of the gold mentions, then of the predictions."""
    touching = [(one, other) for one in missed for other in wrong if _overlap(one, other) > 0]
    free_gold, free_wrong = dict.fromkeys(missed), dict.fromkeys(wrong)
    for one, other in sorted(touching, key=lambda pair: _distance(pair[0], pair[1], related)):
        if one in free_gold and other in free_wrong:
            del free_gold[one], free_wrong[other]
            yield one, other
    yield from ((one, None) for one in free_gold)
    yield from ((None, other) for other in free_wrong)


def _distance(one: Mark, other: Mark, related: Related) -> tuple[int | str, ...]:
    closeness = 0 if one.concept == other.concept else 1 if related(one.concept, other.concept) else 2
    same_span = (one.start, one.end) == (other.start, other.end)
    places = (one.start, one.end, other.start, other.end, one.concept, other.concept)
    return (closeness, not same_span, -_overlap(one, other), *places)


def _overlap(one: Mark, other: Mark) -> int:
    return min(one.end, other.end) - max(one.start, other.start)


def _kind(gold: Mark | None, predicted: Mark | None, related: Related) -> Kind:
    told = gold or predicted
    if told and is_abbreviation(told.surface):
        return Kind.ABBREVIATION
    if told and _COORDINATOR.search(told.surface):
        return Kind.COORDINATION
    if gold is None:
        return Kind.SPURIOUS
    if predicted is None:
        return Kind.MISSED
    if gold.concept == predicted.concept:
        return Kind.BOUNDARY
    return Kind.PARENT_OR_CHILD if related(gold.concept, predicted.concept) else Kind.WRONG_CONCEPT


def _place(miss: Miss) -> tuple[int, int, str]:
    mark = miss.gold or miss.predicted
    return (mark.start, mark.end, mark.concept) if mark else (0, 0, "")

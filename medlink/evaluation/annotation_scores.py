"""Gold annotations against predicted ones: precision, recall and F, pure functions on records."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

from medlink.evaluation.annotations import Annotation
from medlink.evaluation.metrics import Interval, Retrieval, compare_counts, score_counts

# Right predictions, predictions, gold things that are found, gold things.
Counts = tuple[int, int, int, int]
# What is counted of the gold and the predicted annotations of one document.
Count = Callable[[Sequence[Annotation], Sequence[Annotation]], Counts]


@dataclass(frozen=True, slots=True)
class AnnotationScores:
    """The same predictions, judged four ways, each micro-averaged over all documents.

    :param document: pairs of document and concept, wherever the concept stands in it and however often.
    :param mention: triples of document, span and concept; both span and concept must be the same.
    :param span: pairs of document and span, whatever the concept.
    :param overlap: as ``span``, but a span counts as found, or right, when it shares a character with one of the other
        side.
    """

    document: Retrieval
    mention: Retrieval
    span: Retrieval
    overlap: Retrieval


def score_annotations(
    gold: Iterable[Annotation], predicted: Iterable[Annotation], doc_ids: Collection[str], *, seed: int = 0
) -> AnnotationScores:
    """The scores of some predictions.

    A gold annotation without concept counts as a span alone; a prediction without concept counts as none at all.
    What is annotated twice counts once. The concepts are compared as they are, so they are resolved before.

    :param doc_ids: the documents that were looked at, not empty; annotations of others do not count.
    :param seed: of the bootstrap over documents.
    """
    counts = _count_levels(gold, predicted, doc_ids)
    return AnnotationScores(**{level: score_counts(rows, seed=seed) for level, rows in counts.items()})


def compare_annotations(
    gold: Sequence[Annotation],
    predicted: Iterable[Annotation],
    others: Iterable[Annotation],
    doc_ids: Collection[str],
    *,
    seed: int = 0,
) -> Mapping[str, Interval]:
    """By level of :class:`AnnotationScores`, the F of some predictions minus that of others, paired by document."""
    counts, other_counts = _count_levels(gold, predicted, doc_ids), _count_levels(gold, others, doc_ids)
    return {level: compare_counts(rows, other_counts[level], seed=seed) for level, rows in counts.items()}


def _count_levels(
    gold: Iterable[Annotation], predicted: Iterable[Annotation], doc_ids: Collection[str]
) -> dict[str, list[Counts]]:
    """The counts of each document, in the order of the ids, by level."""
    gold_of = group_by_document(gold)
    predicted_of = group_by_document(annotation for annotation in predicted if annotation.concepts)
    pairs = [(gold_of.get(doc_id, ()), predicted_of.get(doc_id, ())) for doc_id in sorted(set(doc_ids))]
    return {level: [count(*pair) for pair in pairs] for level, count in _COUNTS.items()}


def mentions_of(annotations: Iterable[Annotation]) -> set[tuple[int, int, str]]:
    """Start, end and concept: a span with several concepts is as many mentions."""
    return {(one.start, one.end, concept) for one in annotations for concept in one.concepts}


def _concepts(annotations: Iterable[Annotation]) -> set[str]:
    return {concept for annotation in annotations for concept in annotation.concepts}


def _spans(annotations: Iterable[Annotation]) -> set[tuple[int, int]]:
    return {(annotation.start, annotation.end) for annotation in annotations}


def group_by_document(annotations: Iterable[Annotation]) -> Mapping[str, Sequence[Annotation]]:
    """The annotations of each document that has some."""
    grouped = defaultdict[str, list[Annotation]](list)
    for annotation in annotations:
        grouped[annotation.doc_id].append(annotation)
    return grouped


def _count_same(gold: Collection[Hashable], predicted: Collection[Hashable]) -> Counts:
    n_right = len(set(gold) & set(predicted))
    return n_right, len(predicted), n_right, len(gold)


def _count_overlapping(gold: Collection[tuple[int, int]], predicted: Collection[tuple[int, int]]) -> Counts:
    return _n_touching(predicted, gold), len(predicted), _n_touching(gold, predicted), len(gold)


def _n_touching(spans: Collection[tuple[int, int]], others: Collection[tuple[int, int]]) -> int:
    """How many spans share a character with one of the others."""
    ordered = sorted(others)
    starts = [start for start, _ in ordered]
    furthest = [0, *accumulate((end for _, end in ordered), max)]  # the last end among the first k others
    return sum(furthest[bisect_left(starts, end)] > start for start, end in spans)


# How each field of AnnotationScores is counted.
_COUNTS: Mapping[str, Count] = {
    "document": lambda gold, predicted: _count_same(_concepts(gold), _concepts(predicted)),
    "mention": lambda gold, predicted: _count_same(mentions_of(gold), mentions_of(predicted)),
    "span": lambda gold, predicted: _count_same(_spans(gold), _spans(predicted)),
    "overlap": lambda gold, predicted: _count_overlapping(_spans(gold), _spans(predicted)),
}

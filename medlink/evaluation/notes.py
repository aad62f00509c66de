"""One evaluation of whole notes: a gold corpus and predictions in, figures and misses out."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from medlink.evaluation.annotation_scores import AnnotationScores, score_annotations
from medlink.evaluation.annotations import Annotation, Corpus
from medlink.evaluation.concept_map import ConceptMap
from medlink.evaluation.misses import Miss, find_misses


@dataclass(frozen=True, slots=True)
class NotesEvaluation:
    """What came out.

    :param n_unknown: gold mentions with a concept that the ontology does not know; they count as misses.
    :param n_no_concept: gold mentions that have no concept; they count as spans alone.
    """

    scores: AnnotationScores
    misses: tuple[Miss, ...]
    n_documents: int
    n_unknown: int
    n_no_concept: int


def evaluate_notes(
    corpus: Corpus, predicted: Iterable[Annotation], concepts: ConceptMap, *, seed: int = 0
) -> NotesEvaluation:
    """The figures of some predictions for a corpus; those for other documents do not count.

    :param concepts: what the ids of both sides mean, and which of them count.
    :param seed: of the bootstrap over documents.
    """
    gold, found = concepts.resolve_all(corpus.annotations), concepts.resolve_all(predicted)
    doc_ids = [document.id for document in corpus.documents]
    return NotesEvaluation(
        scores=score_annotations(gold, found, doc_ids, seed=seed),
        misses=find_misses(gold, found, doc_ids, related=concepts.are_related),
        n_documents=len(doc_ids),
        n_unknown=sum(not all(map(concepts.knows, annotation.concepts)) for annotation in gold),
        n_no_concept=sum(not annotation.concepts for annotation in gold),
    )


def of_kinds(predicted: Iterable[Annotation], kinds: Collection[str], corpus: Corpus) -> tuple[Annotation, ...]:
    """The predictions less those of a type that the corpus has and that is not asked for.

    A type that the corpus does not know, such as another tool's or none, says nothing: those stay.

    :param kinds: the types that are asked for; none asks for all.
    :param corpus: with the annotations of all types.
    """
    others = {annotation.kind for annotation in corpus.annotations} - set(kinds) if kinds else set()
    return tuple(annotation for annotation in predicted if annotation.kind not in others)

"""Poisoned batches: whether wrong labels are seen, whose they are, and that honest annotators are left in peace.

Usage: python -m pipelines.bench.poison [--sets ncbi-disease …] [--sizes 200 1000 5000] [--seeds 5]
Corpora, below $MEDLINK_BENCH_DATA: the training splits of NCBI Disease (Dogan et al. 2014) in ``ncbi-disease`` and of
BC5CDR (Li et al. 2016), its diseases, in ``bc5cdr``, linked to MEDIC of July 2012 in ``medic-2012``; HPO GSC-2024 (Groza
et al. 2015 and 2024) in ``hpo-gsc2024``, linked to the Human Phenotype Ontology.

The gold mentions are linked, and annotators who say what the gold says judge the links: that is an honest batch. Some of
its documents, drawn by chance, are then poisoned in one of the ways of ``KINDS``, and plausibility says what it sees.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from random import Random

from medlink.refinement.lessons import Lesson

HONEST, SLIPS, TENTH, THIRD, ONE, SHIFTED = (
    "honest", "slips 5 %", "random 10 %", "random 30 %", "one of three", "shifted",
)  # fmt: skip
KINDS = (HONEST, SLIPS, TENTH, THIRD, ONE, SHIFTED)
#: The annotator who errs where one does.
LIAR = "cat"
ANNOTATORS = ("ann", "bob", LIAR)


def poison(
    lessons: Sequence[Lesson], kind: str, seed: int, *, concepts: Sequence[str] | None = None
) -> tuple[Lesson, ...]:
    """The lessons as annotators of some kind would have given them.

    :param kind: one of :data:`KINDS`. ``random`` replaces that share of the labels by others drawn by chance; ``one of
        three`` those of the annotator :data:`LIAR`, all of them; ``shifted`` gives every mention the label of the one
        before it, as a slipped column does; ``slips`` is random, but what an honest annotator may do.
    :param concepts: wrong labels are drawn from these; by default from the labels of the lessons, which are closer.
    """
    random = Random(f"{kind} {seed}")
    drawn_from = sorted({one.concept_id for one in lessons if one.concept_id}) if concepts is None else concepts
    if kind == SHIFTED:
        before = [lessons[-1], *lessons[:-1]]
        return tuple(_relabel(one, other.concept_id) for one, other in zip(lessons, before, strict=True))
    share = {HONEST: 0.0, SLIPS: 0.05, TENTH: 0.1, THIRD: 0.3, ONE: 0.0}[kind]
    return tuple(
        _relabel(lesson, _another(lesson, drawn_from, random))
        if random.random() < share or (kind == ONE and lesson.annotators == (LIAR,))
        else lesson
        for lesson in lessons
    )


def _another(lesson: Lesson, concepts: Sequence[str], random: Random) -> str:
    while (drawn := random.choice(concepts)) == lesson.concept_id:
        continue
    return drawn


def _relabel(lesson: Lesson, concept_id: str | None) -> Lesson:
    """The lesson with another label; what the annotator now says the mention does not mean is the right one."""
    if concept_id == lesson.concept_id:
        return lesson
    refuted = {*lesson.refuted, lesson.concept_id} if not lesson.changed and lesson.concept_id else {*lesson.refuted}
    return replace(
        lesson,
        concept_id=concept_id,
        changed=True,
        is_mention=True,
        refuted=tuple(sorted(refuted - {concept_id or ""})),
    )

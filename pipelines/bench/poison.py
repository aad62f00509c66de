"""Poisoned batches: whether wrong labels are seen, whose they are, and that honest annotators are left in peace.

Usage: python -m pipelines.bench.poison [--sets ncbi-disease …] [--sizes 300 1500] [--seeds 5]
Corpora, below $MEDLINK_BENCH_DATA: the training splits of NCBI Disease (Dogan et al. 2014) in ``ncbi-disease`` and of
BC5CDR (Li et al. 2016), its diseases, in ``bc5cdr``, linked to MEDIC of July 2012 in ``medic-2012``; HPO GSC-2024
(Groza et al. 2015 and 2024) in ``hpo-gsc2024``, linked to the Human Phenotype Ontology.

The gold mentions are linked, and three annotators, each with documents of their own, say of the links what the gold
says: that is an honest batch. Batches of some documents, drawn by chance, are then poisoned in each of the ways of
``KINDS``, and judged: is the batch suspicious, who is, and how much is a lesson trusted that is right, and one that is
wrong? ``all lessons`` holds accepted links too, ``corrections`` only what the annotators changed.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random
from statistics import mean
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from medlink import __version__
from medlink.curation.adjudication import decide_spans
from medlink.evaluation.concept_map import ConceptMap
from medlink.evaluation.corpora import read_corpus
from medlink.linking.assemble import link_to, load_lexicon
from medlink.linking.linker import DEPTH, Linker
from medlink.linking.recipe import Recipe
from medlink.linking.settings import LinkerSettings
from medlink.refinement.lessons import Lesson, take_lessons
from medlink.refinement.suspects import Suspicion, weigh_lessons
from medlink.store.events import Entry, Event
from medlink.store.workspace import default_workspace_root
from pipelines.bench.queue import CORPUS, NOW, ONTOLOGY, Case, mentions_of
from pipelines.bench.results import append_result, bench_data

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
    proposed = lesson.overruled if lesson.changed else lesson.concept_id or ""
    return replace(
        lesson,
        concept_id=concept_id,
        is_mention=True,
        refuted=tuple(sorted({*lesson.refuted, proposed} - {concept_id or "", ""})),
        overruled="" if proposed == concept_id else proposed,
        changed=proposed != (concept_id or ""),
    )


class Corpus(NamedTuple):
    """Where a set comes from.

    :param kinds: of the annotations that count; all where none is named.
    """

    path: str
    form: str
    ontology: str
    kinds: tuple[str, ...] = ()


HPO = "hpo"
SETS = {
    "ncbi-disease": Corpus(CORPUS, "pubtator", ONTOLOGY),
    "bc5cdr-disease": Corpus("bc5cdr/CDR_TrainingSet.PubTator.txt", "pubtator", ONTOLOGY, ("Disease",)),
    "hpo-gsc2024": Corpus("hpo-gsc2024", "gsc", HPO),
}
ALL, CORRECTIONS = "all lessons", "corrections"


def load_lessons(name: str, *, show_progress: bool = True) -> tuple[Linker, tuple[Lesson, ...]]:
    """A linker, and the lessons of an honest annotator who has judged all of its links to a corpus."""
    source = SETS[name]
    corpus = read_corpus([bench_data() / source.path], source.form).of_kinds(source.kinds)
    ontology = source.ontology if source.ontology == HPO else str(bench_data() / source.ontology)
    recipe = Recipe(default_workspace_root(), ontology=ontology, linking=LinkerSettings(top_k=DEPTH), remembers=True)
    lexicon = load_lexicon(recipe, show_progress=show_progress)
    linker = link_to(recipe, lexicon, show_progress=show_progress)
    concepts = ConceptMap(lexicon)
    gold = {(one.doc_id, one.start, one.end): one.concepts for one in concepts.resolve_all(corpus.annotations)}
    mentions = [one for one in mentions_of(corpus) if gold.get((one.doc_id, one.start, one.end))]
    case = Case(tuple(linker.link(mentions)), gold, lexicon, concepts)
    events = [Entry(seq, 1, NOW, Event(case.answer(link))) for seq, link in enumerate(case.links, start=1)]
    return linker, tuple(take_lessons(decide_spans(events)))


def draw_batch(lessons: Sequence[Lesson], size: int, seed: int) -> tuple[Lesson, ...]:
    """The lessons of documents drawn by chance, as many documents as hold that many, each with an annotator."""
    random = Random(seed)
    documents: dict[str, list[Lesson]] = {}
    for lesson in lessons:
        documents.setdefault(lesson.place[0], []).append(lesson)
    batch: list[Lesson] = []
    for place, key in enumerate(random.sample(sorted(documents), len(documents))):
        if len(batch) >= size:
            break
        batch += (replace(one, annotators=(ANNOTATORS[place % len(ANNOTATORS)],)) for one in documents[key])
    return tuple(batch)


@dataclass(frozen=True, slots=True)
class Seen:
    """What came of one batch.

    :param n_wrong: labels that were poisoned.
    :param accused: annotators who are suspicious.
    :param caught: share of the wrong lessons that are trusted by less than a half; ``spared`` of the right ones by no
        less.
    """

    n: int
    n_wrong: int
    is_suspicious: bool
    accused: tuple[str, ...]
    trust_right: float
    trust_wrong: float
    caught: float
    spared: float


def look_at(linker: Linker, honest: Sequence[Lesson], poisoned: Sequence[Lesson], composition: str) -> Seen:
    """Judges a batch."""
    pairs = [(one, other) for one, other in zip(honest, poisoned, strict=True) if composition == ALL or other.changed]
    suspicion = weigh_lessons(linker, [other for _, other in pairs])
    wrong = np.array([one.concept_id != other.concept_id for one, other in pairs], np.bool_)
    return _sum_up(suspicion, wrong)


def _sum_up(suspicion: Suspicion, wrong: NDArray[np.bool_]) -> Seen:
    believed = suspicion.trust >= 0.5
    return Seen(
        len(wrong),
        int(wrong.sum()),
        suspicion.batch.is_suspicious,
        tuple(one.annotator for one in suspicion.suspects),
        float(suspicion.trust[~wrong].mean()) if not wrong.all() else 1.0,
        float(suspicion.trust[wrong].mean()) if wrong.any() else 0.0,
        float((~believed)[wrong].mean()) if wrong.any() else 1.0,
        float(believed[~wrong].mean()) if not wrong.all() else 1.0,
    )


def report(name: str, kind: str, composition: str, size: int, seen: Sequence[Seen]) -> None:
    """Prints and appends what came of some batches."""
    n_accused = {annotator: sum(annotator in one.accused for one in seen) for annotator in ANNOTATORS}
    figures = {
        "n_lessons": round(mean(one.n for one in seen)),
        "n_wrong": round(mean(one.n_wrong for one in seen)),
        "batch_suspicious": mean(float(one.is_suspicious) for one in seen),
        "liar_named": n_accused[LIAR] / len(seen),
        "others_named": mean(n_accused[annotator] / len(seen) for annotator in ANNOTATORS if annotator != LIAR),
        "trust_right": round(mean(one.trust_right for one in seen), 3),
        "trust_wrong": round(mean(one.trust_wrong for one in seen), 3),
        "wrong_distrusted": round(mean(one.caught for one in seen), 3),
        "right_trusted": round(mean(one.spared for one in seen), 3),
    }
    cells = "".join(f"{value:>9.2f}" if isinstance(value, float) else f"{value:>9,}" for value in figures.values())
    print(f"{name:15}{composition:12}{kind:14}{cells}", flush=True)
    append_result(
        "poison", set=name, kind=kind, lessons=composition, size=size, n_seeds=len(seen), **figures, medlink=__version__
    )


def main() -> None:
    """Judges batches of every kind."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    parser.add_argument("--sizes", nargs="+", type=int, default=[300, 1500], help="lessons a batch")
    parser.add_argument("--seeds", type=int, default=5, help="batches of each kind")
    options = parser.parse_args()
    columns = ("lessons", "wrong", "batch", "cat", "others", "right", "wrong", "caught", "spared")
    print(f"{'set':15}{'lessons':12}{'kind':14}" + "".join(f"{column:>9}" for column in columns))
    for name in options.sets:
        linker, lessons = load_lessons(name)
        for size in options.sizes:
            for kind, composition in ((kind, composition) for composition in (ALL, CORRECTIONS) for kind in KINDS):
                batches = (draw_batch(lessons, size, seed) for seed in range(options.seeds))
                seen = [
                    look_at(linker, batch, poison(batch, kind, seed), composition) for seed, batch in enumerate(batches)
                ]
                report(name, kind, composition, size, seen)


if __name__ == "__main__":
    main()

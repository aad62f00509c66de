"""What a poisoned batch does to a linker: whether its refinement is refused or survived, and who is named.

Usage: python -m pipelines.bench.poisoned_refinement [--size 1500] [--kinds honest 'random 10 %' …] [--believe-all]
Corpus, below $MEDLINK_BENCH_DATA: NCBI Disease (Dogan et al. 2014) in ``ncbi-disease``, linked to MEDIC of July 2012.

A batch of the training split is drawn and poisoned as in :mod:`pipelines.bench.poison`, taken into the ledger of a
workspace of its own, and learned by ``medlink refine``. Accuracy is that of the development split's gold mentions with
the release that holds afterwards, and with the ledger's corrections, which count at once whatever the gate says.
``--believe-all`` leaves the weighing of lessons out, so that only the gate stands between the batch and the release.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from medlink import __version__
from medlink.curation.adjudication import decide_spans
from medlink.curation.queue import place_of
from medlink.curation.rulings import make_rulings
from medlink.evaluation.concept_map import ConceptMap
from medlink.evaluation.corpora import read_corpus
from medlink.linking.assemble import load_linker
from medlink.linking.corrections import Corrections
from medlink.linking.recipe import Recipe
from medlink.linking.settings import LinkerSettings
from medlink.records import Annotation, Mention, Proposal, Source, Verdict
from medlink.refinement.lessons import Lesson
from medlink.refinement.session import Wishes, run_refinement
from medlink.refinement.settings import RefineSettings
from medlink.store.events import Event
from medlink.store.ledger import Ledger
from medlink.store.workspace import Workspace, default_workspace_root
from pipelines.bench.poison import KINDS, draw_batch, load_lessons, poison
from pipelines.bench.queue import NOW, ONTOLOGY, mentions_of
from pipelines.bench.results import append_result, bench_data

SET = "ncbi-disease"
DEV = "ncbi-disease/NCBIdevelopset_corpus.txt"


def to_event(lesson: Lesson) -> Event:
    """The annotation behind a lesson."""
    doc_id, start, end = lesson.place
    verdict = (Verdict.CORRECT if lesson.changed else Verdict.ACCEPT) if lesson.concept_id else Verdict.NIL
    proposed = lesson.overruled or lesson.concept_id
    annotation = Annotation(
        doc_id,
        start,
        end,
        lesson.query,
        verdict,
        Source("batch"),
        "bench",
        concept_id=lesson.concept_id,
        proposed=(Proposal(proposed),) if proposed else (),
        annotator=lesson.annotators[0] if lesson.annotators else "",
    )
    return Event(annotation)


def make_workspace(root: Path, lessons: Sequence[Lesson]) -> Recipe:
    """A workspace with the batch in its ledger, and the indexes of the default one."""
    for name in ("indexes", "lexicons"):
        (root / name).symlink_to(default_workspace_root() / name)
    with Ledger.open(Workspace(root).ledger) as ledger, ledger.batch(NOW) as batch:
        for lesson in lessons:
            batch.add(to_event(lesson))
    return Recipe(root, ontology=str(bench_data() / ONTOLOGY), remembers=True)


Gold = Mapping[tuple[str, int, int], frozenset[str]]


def measure_dev(recipe: Recipe, mentions: Sequence[Mention], gold: Gold, concepts: ConceptMap) -> float:
    """Accuracy at 1 on the development split with a release and the ledger's corrections."""
    with Ledger.read(Workspace(recipe.workspace).ledger) as ledger:
        corrections = Corrections(make_rulings(decide_spans(ledger.current())))
    linking = LinkerSettings(threshold=0.0)
    linker = load_linker(replace(recipe, corrections=corrections, linking=linking))
    links = linker.link(mentions)
    right = [link.concept_id and concepts.concept(link.concept_id) in gold[place_of(link.mention)] for link in links]
    return sum(map(bool, right)) / len(right)


def main() -> None:
    """Tries each kind of batch."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=1500, help="lessons in the batch, about")
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS, metavar="KIND")
    parser.add_argument("--believe-all", action="store_true", help="do not weigh lessons")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    linker, lessons = load_lessons(SET)
    concepts = ConceptMap(linker.lexicon)
    corpus = read_corpus([bench_data() / DEV], "pubtator")
    gold = {(o.doc_id, o.start, o.end): o.concepts for o in concepts.resolve_all(corpus.annotations) if o.concepts}
    mentions = [mention for mention in mentions_of(corpus) if place_of(mention) in gold]
    batch = draw_batch(lessons, options.size, options.seed)
    print(f"{'batch':14} {'outcome':10} {'named':16} {'before':>7} {'after':>7} {'seconds':>7}")
    for kind in options.kinds:
        with tempfile.TemporaryDirectory() as folder:
            recipe = make_workspace(Path(folder), poison(batch, kind, options.seed))
            before = measure_dev(recipe, mentions, gold, concepts)
            started = time.monotonic()
            result = run_refinement(recipe, RefineSettings(), Wishes(believe_all=options.believe_all), now=NOW)
            seconds = time.monotonic() - started
            release = str(result.release.folder) if result.release else ""
            after = measure_dev(replace(recipe, release=release), mentions, gold, concepts)
        suspects = result.card.suspicion.suspects if result.card.suspicion else ()
        named = ", ".join(suspect.annotator for suspect in suspects)
        outcome = "refused" if result.refusals else "released"
        print(f"{kind:14} {outcome:10} {named:16} {before:7.3f} {after:7.3f} {seconds:7.0f}", flush=True)
        append_result(
            "poisoned_refinement",
            set=SET,
            split="train, measured on dev",
            kind=kind,
            believe_all=options.believe_all,
            n=len(batch),
            n_dev=len(mentions),
            outcome=outcome,
            refusals="; ".join(result.refusals),
            named=named,
            before=round(before, 4),
            after=round(after, 4),
            seconds=round(seconds, 1),
            seed=options.seed,
            medlink=__version__,
        )


if __name__ == "__main__":
    main()

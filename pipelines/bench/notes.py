"""Whole notes: detection and linking together on the corpora of the field, beside the tools made for one of them.

Usage: python -m pipelines.bench.notes [--split dev] [--tasks hpo-gsc2024 …] [--systems medlink fasthpocr …] [--proof]
Corpora, below $MEDLINK_BENCH_DATA: HPO GSC-2024 (Groza et al. 2015 and 2024) in ``hpo-gsc2024``, BC5CDR (Li et al.
2016) in ``bc5cdr``, NCBI Disease (Dogan et al. 2014) in ``ncbi-disease``; MEDIC of July 2012 in ``medic-2012``;
chemicals are linked to the ontology ``mesh-chemicals``, which python -m pipelines.open_ontologies brings in.

Systems: medlink; ``medlink+annotations``, the same with what people annotated on the other splits in its ledger, as
``medlink ingest`` takes it in (train for dev, train and dev for test): nothing is trained on it, corrections count at
once; ``published``, what DNorm (Leaman et al. 2013) and tmChem (Leaman et al. 2015) put out on the BC5CDR
test set; ``longest-match``, the names of the ontology and nothing else; ``fasthpocr``, on HPO alone, which needs
pip install FastHPOCR==0.1.4 pronto.

GSC has no splits: dev is what gsc_dev_documents in medlink.evaluation.gsc says, test the rest, ``all`` both. Speeds are
documents a second in one process, of GSC on all its documents whatever the split: medlink's detection alone, the median
of three passes, or of those that start in half a minute; the whole of medlink and the rivals, one pass each after a
first document.

``--proof`` measures the scorer itself: the published tools against their published figures.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from click.testing import CliRunner

from medlink import __version__
from medlink.cli.corrections import load_corrections
from medlink.cli.ingest import EXIT_SOME_REFUSED
from medlink.cli.ingest import ingest as ingest_command
from medlink.curation.adjudication import Policy
from medlink.detection.settings import DEFAULT_NER, DetectionSettings
from medlink.encoder.default import DEFAULT_ENCODER
from medlink.evaluation.annotation_scores import compare_annotations
from medlink.evaluation.annotations import Annotation, Corpus, annotations_of
from medlink.evaluation.concept_map import ConceptMap
from medlink.evaluation.corpora import read_corpus
from medlink.evaluation.gsc import gsc_dev_documents
from medlink.evaluation.metrics import Retrieval
from medlink.evaluation.misses import count_kinds
from medlink.evaluation.notes import NotesEvaluation, evaluate_notes
from medlink.evaluation.report import difference_cell, figure_cell, share_cell
from medlink.linking.assemble import branches_of, link_to, load_lexicon, load_whole_lexicon, make_annotator
from medlink.linking.corrections import Corrections
from medlink.linking.recipe import Recipe
from medlink.ontology.lexicon import Lexicon
from medlink.ontology.source import Ontology
from medlink.records import Document
from medlink.store.workspace import Workspace, default_workspace_root
from pipelines.bench.biosyn import flatten
from pipelines.bench.results import Value, append_result, bench_data

if TYPE_CHECKING:
    from medlink.linking.annotator import Annotator

MEDLINK, ANNOTATED = "medlink", "medlink+annotations"
PUBLISHED, LONGEST, FASTHPOCR = "published", "longest-match", "fasthpocr"
SYSTEMS = (MEDLINK, ANNOTATED, PUBLISHED, LONGEST, FASTHPOCR)
# The splits whose annotations may be known when one is scored.
EARLIER = {"dev": ("train",), "test": ("train", "dev")}
SPLITS = ("dev", "test", "all")
LEVELS = ("document", "mention", "span", "overlap")
SEED = 0
N_PASSES = 3
LONGEST_TIMING = 30  # seconds, behind which no further pass starts
RECOGNISED = DetectionSettings(ner=DEFAULT_NER)


@dataclass(frozen=True, slots=True)
class Task:
    """A corpus and what it is linked to.

    :param form: of the corpus' files.
    :param files: by split, below the data folder; a corpus without splits has ``all``.
    :param ontology: a name in the catalogue, or a file below the data folder.
    :param kinds: the types of annotations that count; none for all.
    :param detection: medlink's settings for it.
    :param published: a tool and the file of what it put out on the test split.
    """

    name: str
    form: str
    files: dict[str, str]
    ontology: str
    kinds: tuple[str, ...] = ()
    detection: DetectionSettings = RECOGNISED
    published: tuple[str, str] | None = None


BC5CDR = {
    "train": "bc5cdr/CDR_TrainingSet.PubTator.txt",
    "dev": "bc5cdr/CDR_DevelopmentSet.PubTator.txt",
    "test": "bc5cdr/CDR_TestSet.PubTator.txt",
}
NCBI = {
    "train": "ncbi-disease/NCBItrainset_corpus.txt",
    "dev": "ncbi-disease/NCBIdevelopset_corpus.txt",
    "test": "ncbi-disease/NCBItestset_corpus.txt",
}
MEDIC = "medic-2012/medic_06Jul2012.txt"
DNORM = ("DNorm", "bc5cdr/baseline.TestSet.DNorm.PubTator.txt")
TMCHEM = ("tmChem", "bc5cdr/baseline.TestSet.tmChem.PubTator.txt")
TASKS = (
    Task("hpo-gsc2024", "gsc", {"all": "hpo-gsc2024"}, "hpo", detection=DetectionSettings(nested=True)),
    Task("bc5cdr-disease", "pubtator", BC5CDR, MEDIC, ("Disease",), published=DNORM),
    Task("bc5cdr-chemical", "pubtator", BC5CDR, "mesh-chemicals", ("Chemical",), published=TMCHEM),
    Task("ncbi-disease", "pubtator", NCBI, MEDIC, detection=replace(RECOGNISED, style="ncbi-disease")),
)
# Document-level precision, recall and F of the published outputs, as the README of the data states them.
PROOF = {"bc5cdr-disease": (0.810, 0.802, 0.806), "bc5cdr-chemical": (0.925, 0.899, 0.912)}


@dataclass(frozen=True, slots=True)
class Answers:
    """What a system says about a corpus.

    :param documents_per_second: ``None`` where somebody else ran it.
    """

    system: str
    annotations: tuple[Annotation, ...]
    documents_per_second: float | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """A task on one split, with its ontology at hand.

    :param corpus: the documents that are scored.
    :param documents: those that the systems are run on: of a corpus without splits all, so that speeds are not those
        of a few.
    :param lexicon: what is linked to.
    """

    task: Task
    split: str
    corpus: Corpus
    documents: tuple[Document, ...]
    recipe: Recipe
    lexicon: Lexicon
    concepts: ConceptMap


def load_corpus(task: Task, split: str) -> Corpus:
    """The file of a task that holds a split; ends the program where the task has no such split."""
    file = task.files.get("all") or task.files.get(split)
    if file is None:
        sys.exit(f"{task.name} has no split {split!r}; expected one of {', '.join(task.files)}.")
    return read_corpus([bench_data() / file], task.form).of_kinds(frozenset(task.kinds))


def cut_to_split(corpus: Corpus, task: Task, split: str) -> Corpus:
    """The part of a task's file that is the split."""
    if split in task.files:
        return corpus
    every = {document.id for document in corpus.documents}
    dev = set(gsc_dev_documents(every))
    return corpus.of_documents(dev if split == "dev" else every - dev)


def load_case(task: Task, split: str, encoder: str) -> Case:
    """A task with all that is needed to run it but the index."""
    file = bench_data() / task.ontology
    recipe = Recipe(
        default_workspace_root(),
        ontology=str(file) if file.is_file() else task.ontology,
        encoder=encoder,
        detection=task.detection,
    )
    lexicon = load_lexicon(recipe, show_progress=True)
    cut = bool(branches_of(recipe))
    whole = load_whole_lexicon(recipe) if cut else lexicon
    corpus = load_corpus(task, split)
    concepts = ConceptMap(whole, lexicon if cut else None)
    return Case(task, split, cut_to_split(corpus, task, split), corpus.documents, recipe, lexicon, concepts)


def run_systems(case: Case, systems: Iterable[str]) -> Iterable[Answers]:
    """What those systems say that know the task's ontology and split."""
    wanted = set(systems)
    if PUBLISHED in wanted and case.task.published and case.split == "test":
        yield read_published(case.task)
    if LONGEST in wanted:
        from pipelines.bench.longest_match import LongestMatch

        yield time_rival(LONGEST, LongestMatch(case.lexicon).annotate, case.documents)
    if FASTHPOCR in wanted and case.task.ontology == "hpo":
        from pipelines.bench.fasthpocr import FastHpoCr

        yield time_rival(FASTHPOCR, FastHpoCr().annotate, case.documents)
    if MEDLINK in wanted:
        yield run_medlink(case)
    if ANNOTATED in wanted and case.split in EARLIER and case.split in case.task.files:
        files = [bench_data() / case.task.files[split] for split in EARLIER[case.split]]
        recipe = replace(case.recipe, corrections=ingest(files, case.recipe))
        yield run_medlink(replace(case, recipe=recipe), ANNOTATED)


def ingest(files: Iterable[Path], recipe: Recipe) -> Corrections:
    """What annotated files decide about an ontology, by way of a ledger of their own; ends the program on an error."""
    with TemporaryDirectory() as folder:
        added = Workspace(recipe.workspace).ontologies
        if added.exists():
            Workspace(Path(folder)).ontologies.symlink_to(added, target_is_directory=True)
        for file in files:
            arguments = [str(file), "--format", "pubtator", "--ontology", recipe.ontology, "--workspace", folder]
            result = CliRunner().invoke(ingest_command, arguments)
            if result.exit_code not in (0, EXIT_SOME_REFUSED):
                sys.exit(f"medlink ingest {file} failed: {result.exception or result.output}")
        read = load_corrections(replace(recipe, workspace=Path(folder)), Policy.ADJUDICATOR.value)
    print(f"{len(read.rulings)} rulings of earlier annotations", flush=True)
    return read


def read_published(task: Task) -> Answers:
    """What a published tool put out."""
    tool, file = task.published or ("", "")
    return Answers(tool, read_corpus([bench_data() / file], "pubtator").annotations)


def time_rival(
    name: str, annotate: Callable[[Document], Iterable[Annotation]], documents: Sequence[Document]
) -> Answers:
    """A rival's answers, document by document."""
    tuple(annotate(documents[0]))
    started = time.perf_counter()
    found = tuple(annotation for document in documents for annotation in annotate(document))
    return Answers(name, found, len(documents) / (time.perf_counter() - started))


def run_medlink(case: Case, system: str = MEDLINK) -> Answers:
    """The answers of medlink; also prints and appends the speed of its detection alone."""
    linker = link_to(case.recipe, case.lexicon, show_progress=True)
    annotator = make_annotator(case.recipe, linker)
    rate = time_detection(annotator, case.documents)
    print(f"{case.task.name:16} {system}, detection alone: {rate:.0f} documents/s", flush=True)
    append_result("notes", **facts_of(case), system=system, stage="detection", documents_per_second=round(rate, 1))
    tuple(annotator.annotate(case.documents[:1]))
    started = time.perf_counter()
    found = tuple(a for linked in annotator.annotate(case.documents) for a in annotations_of(linked))
    return Answers(system, found, len(case.documents) / (time.perf_counter() - started))


def time_detection(annotator: Annotator, documents: Iterable[Document]) -> float:
    """Documents a second that the detector takes, the median of a few passes."""
    texts = [document.text for document in documents]
    rates: list[float] = []
    while len(rates) < N_PASSES and sum(len(texts) / rate for rate in rates) < LONGEST_TIMING:
        started = time.perf_counter()
        with annotator.detector.memory_zone():
            for _doc in annotator.detector.pipe(texts):
                pass
        rates.append(len(texts) / (time.perf_counter() - started))
    return median(rates)


def facts_of(case: Case) -> dict[str, Value]:
    """What a line of results says of a case."""
    return {
        "set": case.task.name,
        "split": case.split,
        "n_documents": len(case.corpus.documents),
        "n_timed": len(case.documents),
        "ontology": case.lexicon.ontology_name,
        "n_names": len(case.lexicon.names),
        "content_hash": case.lexicon.content_hash,
        "encoder": case.recipe.encoder,
        "nested": case.task.detection.nested,
        "ner": case.task.detection.ner or "",
        "keep": case.task.detection.keep,
        "medlink": __version__,
        "seed": SEED,
    }


def report(case: Case, answers: Answers) -> None:
    """Prints the rows of a system and appends its lines."""
    evaluation = evaluate_notes(case.corpus, answers.annotations, case.concepts, seed=SEED)
    rate = answers.documents_per_second
    for level in LEVELS:
        figures: Retrieval = getattr(evaluation.scores, level)
        print_row(case.task.name, answers.system, level, figures, rate if level == LEVELS[0] else None)
        append_result(
            "notes",
            **facts_of(case),
            system=answers.system,
            stage="whole",
            level=level,
            n_gold=figures.n_gold,
            n_predicted=figures.n_predicted,
            **flatten("precision", figures.precision),
            **flatten("recall", figures.recall),
            **flatten("f", figures.f),
            documents_per_second=round(rate, 1) if rate else None,
        )
    print_kinds(evaluation)


def compare(case: Case, found: Iterable[Answers]) -> None:
    """Prints and appends medlink's F minus that of every other system, paired by document."""
    annotations = {answers.system: case.concepts.resolve_all(answers.annotations) for answers in found}
    best = ANNOTATED if ANNOTATED in annotations else MEDLINK
    ours = annotations.pop(best, None)
    if ours is None:
        return
    gold = case.concepts.resolve_all(case.corpus.annotations)
    doc_ids = [document.id for document in case.corpus.documents]
    for system, others in annotations.items():
        gains = compare_annotations(gold, ours, others, doc_ids, seed=SEED)
        shown = ", ".join(f"{level} {difference_cell(gains[level])}" for level in ("document", "mention"))
        print(f"{case.task.name:16} F of {best} minus {system}: {shown}", flush=True)
        for level, gain in gains.items():
            figures = flatten("f_difference", gain)
            append_result("notes", **facts_of(case), system=best, minus=system, level=level, **figures)


def print_kinds(evaluation: NotesEvaluation) -> None:
    """Prints how many gold mentions and predictions each kind of misses has."""
    kinds = count_kinds(evaluation.misses).items()
    print(f"{'':17}misses, gold/predicted: {', '.join(f'{kind} {n}/{m}' for kind, (n, m) in kinds)}", flush=True)


def print_header() -> None:
    """Prints the head of the table."""
    print(
        f"{'set':16} {'system':13} {'level':8} {'gold':>5} {'pred.':>5}"
        f" {'P':>5} {'R':>5} {'F':>17} {'docs/s':>7}  (95 % intervals over documents)"
    )


def print_row(name: str, system: str, level: str, figures: Retrieval, rate: float | None) -> None:
    """Prints one row."""
    precision, recall = share_cell(figures.precision.value), share_cell(figures.recall.value)
    print(
        f"{name:16} {system:13} {level:8} {figures.n_gold:>5} {figures.n_predicted:>5}"
        f" {precision:>5} {recall:>5} {figure_cell(figures.f):>17} {f'{rate:.0f}' if rate else '':>7}",
        flush=True,
    )


def prove() -> None:
    """Scores the published tools' outputs as they are, ids for ids; ends the program where a figure differs."""
    no_names = ConceptMap(Lexicon(Ontology("none", "none", "", "", "", ())))
    wrong = []
    for task in TASKS:
        if task.name not in PROOF:
            continue
        answers = read_published(task)
        scores = evaluate_notes(load_corpus(task, "test"), answers.annotations, no_names, seed=SEED).scores
        print_row(task.name, answers.system, "document", scores.document, None)
        measured = (scores.document.precision, scores.document.recall, scores.document.f)
        if tuple(round(figure.value, 3) for figure in measured) != PROOF[task.name]:
            wrong.append(f"{answers.system}: expected {PROOF[task.name]}")
    if wrong:
        sys.exit("; ".join(wrong))
    print("the published figures are reproduced to three digits")


def main() -> None:
    """Measures each task and prints one table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--split", choices=SPLITS, default="test")
    parser.add_argument("--tasks", nargs="+", choices=[task.name for task in TASKS], metavar="TASK")
    parser.add_argument("--systems", nargs="+", choices=SYSTEMS, default=[MEDLINK, ANNOTATED, PUBLISHED, LONGEST])
    parser.add_argument("--encoder", default=DEFAULT_ENCODER, metavar="NAME|FOLDER")
    parser.add_argument("--proof", action="store_true", help="measure the scorer itself and nothing else")
    arguments = parser.parse_args()
    print_header()
    if arguments.proof:
        prove()
        return
    for task in TASKS:
        if task.name in (arguments.tasks or [task.name]):
            case = load_case(task, arguments.split, arguments.encoder)
            found = []
            for answers in run_systems(case, arguments.systems):
                report(case, answers)
                found.append(answers)
            compare(case, found)


if __name__ == "__main__":
    main()

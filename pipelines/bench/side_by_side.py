"""medlink and the tools that people use, side by side: the same names, notes and machine, each in a process of its own.

Usage: python -m pipelines.bench.side_by_side [--tasks hpo-gsc2024 …] [--systems medlink …] [--rebuild]
Corpora, below $MEDLINK_BENCH_DATA: HPO GSC-2024 (Groza et al. 2015 and 2024) in ``hpo-gsc2024``, all mentions, nested
ones too, of the documents that no one tunes on; the test split of NCBI Disease (Dogan et al. 2014) in ``ncbi-disease``,
linked to MEDIC of July 2012 in ``medic-2012``. ``names-100k`` has no notes, only the names of MEDIC and of HPO up to
100,000: there loading is measured and nothing else.

Systems: ``medlink``, and ``medlink surface``, which is its quick tower alone; ``scispacy``, the linker of scispaCy
(Neumann et al. 2019); ``medcat``, MedCAT v2 (Kraljevic et al. 2021); ``quickumls``, QuickUMLS (Soldaini and Goharian
2016); ``fasthpocr``, FastHPOCR (Groza et al. 2024), which knows HPO alone. The modules in pipelines/bench/rivals say
how each is set up. Their environments are made below $MEDLINK_BENCH_RIVALS, by default in the workspace; a tool that
cannot be installed, or fails, gets a line that says why. What is built is kept, so a run that was stopped goes on.

Figures: loading, from a running interpreter to the first note linked, imports among it, by the clock and in processor
seconds, and the memory then; gold mentions linked, their speed and accuracy, a link being right when its concept is one
of the gold's; whole notes, their speed and F of mentions, spans and concepts both right. Speeds are by the processor's
time, so that what else the machine does counts little, of one pass over notes that the process has not seen, after ten
others; set OMP_NUM_THREADS=1, so that it is one core's. Mentions and whole notes have a process each, of which the
latter says what loading takes. Memory is the most that a process held. All is scored by the same code, as ids of one
ontology, and intervals are over documents.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from medlink.evaluation.annotations import Annotation, Corpus
from medlink.evaluation.concept_map import ConceptMap
from medlink.evaluation.metrics import Interval, score_ranks
from medlink.evaluation.notes import evaluate_notes
from medlink.evaluation.report import figure_cell
from medlink.linking.assemble import load_lexicon
from medlink.linking.recipe import Recipe
from medlink.ontology.catalogue import Catalogue, default_folder, source_path
from medlink.ontology.lexicon import Lexicon
from medlink.store.workspace import default_workspace_root
from pipelines.bench.biosyn import flatten
from pipelines.bench.medcat_corrections import MEDCAT, names_of
from pipelines.bench.notes import RECOGNISED, TASKS, Task, cut_to_split, load_case, load_corpus
from pipelines.bench.results import Value, append_result, bench_data
from pipelines.bench.rival_environments import NotInstalledError, make_environment, rivals_folder, run_inside
from pipelines.bench.rivals.tool import BUILD, FIND, LINK

HPO, NCBI, MANY = "hpo-gsc2024", "ncbi-disease", "names-100k"
N_MANY = 100_000
N_WARM = 10
SEED = 0
FIRST_NOTE = {"id": "first", "text": "Cysts all over the kidney.", "mentions": [{"start": 0, "end": 25}]}


def scispacy_pins() -> tuple[str, ...]:
    """The versions of this environment, with the older scipy that building its index needs."""
    return (*(f"{name}=={version(name)}" for name in ("scispacy", "spacy", "scikit-learn", "numpy")), "scipy==1.10.1")


@dataclass(frozen=True, slots=True)
class System:
    """A tool, and how it is run.

    :param module: in pipelines.bench.rivals; of medlink itself empty.
    :param requirements: what its environment holds, worked out when it is needed.
    :param tasks: those that it can do; none for all.
    :param options: what its task says besides.
    """

    name: str
    module: str = ""
    requirements: Callable[[], tuple[str, ...]] = tuple
    tasks: tuple[str, ...] = ()
    options: Mapping[str, str] = field(default_factory=dict)


SYSTEMS = (
    System("medlink", options={"encoder": "both"}),
    System("medlink surface", options={"encoder": "surface"}),
    System("scispacy", "scispacy_tool", scispacy_pins),
    System("medcat", "medcat_tool", lambda: MEDCAT),
    System("quickumls", "quickumls_tool", lambda: ("QuickUMLS==1.4.2",)),
    System("fasthpocr", "fasthpocr_tool", lambda: ("FastHPOCR==0.1.4", "pronto==2.7.4"), (HPO,)),
)


@dataclass(frozen=True, slots=True)
class Subject:
    """A task on its test documents.

    :param rows: what the tools are given, without the names.
    :param corpus: the documents that are scored; ``None`` where only loading is measured.
    """

    name: str
    rows: Mapping[str, Any]
    lexicon: Lexicon
    concepts: ConceptMap
    corpus: Corpus | None


def load_subject(name: str) -> Subject:
    """A task by its name."""
    if name == MANY:
        return _many_names()
    task = next(task for task in TASKS if task.name == name)
    case = load_case(task, "test", "both")
    other = cut_to_split(load_corpus(task, "dev"), task, "dev")
    rows = {
        **_recipe_rows(case.recipe, task),
        "texts": [document.text for document in other.documents],
        "warm": rows_of(other, case.concepts)[:N_WARM],
        "documents": rows_of(case.corpus, case.concepts),
    }
    return Subject(name, rows, case.lexicon, case.concepts, case.corpus)


def rows_of(corpus: Corpus, concepts: ConceptMap) -> list[dict[str, Any]]:
    """The documents, each with those gold mentions that have a concept of the ontology's."""
    mentions: dict[str, list[dict[str, Any]]] = {document.id: [] for document in corpus.documents}
    for one in concepts.resolve_all(corpus.annotations):
        if one.concepts:
            mentions[one.doc_id].append({"start": one.start, "end": one.end, "concepts": sorted(one.concepts)})
    return [{"id": one.id, "text": one.text, "mentions": mentions[one.id]} for one in corpus.documents]


def _recipe_rows(recipe: Recipe, task: Task) -> dict[str, Any]:
    source = str(source_path(Catalogue([default_folder()]).get("hpo"))) if task.name == HPO else ""
    detection = asdict(task.detection)
    return {"ontology": recipe.ontology, "source": source, "detection": detection, "nested": task.detection.nested}


def _many_names() -> Subject:
    """The names of MEDIC and of HPO up to a hundred thousand, as one ontology."""
    root = default_workspace_root()
    medic = load_lexicon(Recipe(root, ontology=str(bench_data() / "medic-2012/medic_06Jul2012.txt")))
    lines: list[str] = []
    n_names = 0
    for row in (*names_of(medic), *names_of(load_lexicon(Recipe(root)))):
        if n_names >= N_MANY:
            break
        names = [name.replace("|", " ") for name in row["names"]]
        lines.append(f"{row['id'].replace('|', '+')}||{'|'.join(names)}")
        n_names += len(names)
    file = rivals_folder() / f"{MANY}.txt"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    lexicon = load_lexicon(Recipe(root, ontology=str(file)))
    rows = {"ontology": str(file), "source": "", "detection": asdict(RECOGNISED), "nested": False}
    rows |= {"texts": [FIRST_NOTE["text"]], "warm": [FIRST_NOTE], "documents": []}
    return Subject(MANY, rows, lexicon, ConceptMap(lexicon), None)


def measure(system: System, subject: Subject, *, rebuild: bool) -> dict[str, Any]:
    """What a system says about a subject, and its figures.

    :raises NotInstalledError: when its environment cannot be made.
    :raises subprocess.CalledProcessError: when it fails.
    """
    folder = rivals_folder() / "built" / f"{subject.name} {system.name}".replace(" ", "-")
    task = {**subject.rows, **system.options}
    python = make_environment(system.module.removesuffix("_tool"), system.requirements()) if system.module else None
    if rebuild and folder.exists():
        shutil.rmtree(folder)
    build_s = None
    if not (folder / "built").is_file():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        named = folder / "names.json"
        named.write_text(json.dumps(task | {"names": names_of(subject.lexicon)}), encoding="utf-8")
        before = time.perf_counter()
        _run(python, system, BUILD, named, folder)
        build_s = time.perf_counter() - before if system.module else None  # medlink's workspace may have it
        named.unlink()
        (folder / "built").touch()
    asked = folder / "task.json"
    asked.write_text(json.dumps(task), encoding="utf-8")
    answers: dict[str, Any] = {"build_s": build_s}
    for verb in (LINK, FIND):
        answered = folder / f"{verb}.json"
        _run(python, system, verb, asked, folder, answered)
        answers[verb] = json.loads(answered.read_text(encoding="utf-8"))
    return answers


def _run(python: Path | None, system: System, *arguments: str | Path) -> None:
    words = [str(argument) for argument in arguments]
    if python is not None:
        run_inside(python, system.module, *words)
    else:
        subprocess.run([sys.executable, "-m", "pipelines.bench.side_by_side_medlink", *words], check=True)


def score(subject: Subject, answers: Mapping[str, Any]) -> dict[str, Value]:
    """The figures of a system on a subject, as a line of results has them."""
    linked, found = answers[LINK], answers[FIND]
    loaded = linked if found["answers"] is None else found
    figures: dict[str, Value] = {
        "version": linked["version"],
        "load_s": round(loaded["load_s"], 2),
        "load_cpu_s": round(loaded["load_cpu_s"], 2),
        "load_mib": loaded["load_mib"],
        "peak_mib": loaded["peak_mib"],
        "build_s": round(answers["build_s"], 1) if answers["build_s"] is not None else None,
    }
    documents = subject.rows["documents"]
    if subject.corpus is None:
        return figures
    accuracy, n_mentions = score_given(documents, linked["answers"], subject.concepts)
    figures |= {"n_documents": len(documents), "n_mentions": n_mentions, **flatten("acc1", accuracy)}
    figures["mentions_per_second"] = round(n_mentions / linked["seconds"], 1)
    if found["answers"] is not None:
        annotations = list(annotations_of_rows(documents, found["answers"]))
        scores = evaluate_notes(subject.corpus, annotations, subject.concepts, seed=SEED).scores
        figures |= flatten("mention_f", scores.mention.f) | flatten("document_f", scores.document.f)
        figures["notes_per_second"] = round(len(documents) / found["seconds"], 1)
    return figures


def score_given(
    documents: Sequence[Mapping[str, Any]], linked: Sequence[Sequence[str | None]], concepts: ConceptMap
) -> tuple[Interval, int]:
    """The accuracy of the links of gold mentions, with their number."""
    ranks, clusters = [], []
    for document, answers in zip(documents, linked, strict=True):
        for mention, answer in zip(document["mentions"], answers, strict=True):
            ranks.append(int(answer is not None and concepts.concept(answer) in mention["concepts"]))
            clusters.append(document["id"])
    return score_ranks(ranks, clusters, seed=SEED).acc1, len(ranks)


def annotations_of_rows(
    documents: Iterable[Mapping[str, Any]], found: Iterable[Sequence[tuple[int, int, str]]]
) -> Iterable[Annotation]:
    """What a tool found, as annotations."""
    for document, places in zip(documents, found, strict=True):
        for start, end, concept in places:
            yield Annotation(document["id"], start, end, document["text"][start:end], frozenset({concept}))


def print_header() -> None:
    """Prints the head of the table."""
    print(
        f"{'task':13} {'system':16} {'load s':>7} {'of CPU':>7} {'MiB':>6} {'peak':>6} {'build s':>8}"
        f" {'mentions/s':>11} {'acc@1':>17} {'notes/s':>8} {'mention F':>17} {'document F':>17}"
    )


def print_row(task: str, system: str, figures: Mapping[str, Any]) -> None:
    """Prints a row; what a system cannot do or is not asked stays empty."""
    cells = [
        f"{task:13} {system:16} {figures['load_s']:>7.2f} {figures['load_cpu_s']:>7.2f} {figures['load_mib']:>6}",
        f"{figures['peak_mib']:>6}",
        f"{_plain(figures, 'build_s'):>8}",
        f"{_plain(figures, 'mentions_per_second'):>11} {_interval(figures, 'acc1'):>17}",
        f"{_plain(figures, 'notes_per_second'):>8} {_interval(figures, 'mention_f'):>17}",
        f"{_interval(figures, 'document_f'):>17}",
    ]
    print(" ".join(cells), flush=True)


def _plain(figures: Mapping[str, Any], name: str) -> str:
    return f"{figures[name]:.1f}" if figures.get(name) is not None else ""


def _interval(figures: Mapping[str, Any], name: str) -> str:
    if name not in figures:
        return ""
    return figure_cell(Interval(figures[name], figures[f"{name}_low"], figures[f"{name}_high"]))


def main() -> None:
    """Measures every system on every task and prints one table."""
    names = [system.name for system in SYSTEMS]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", nargs="+", choices=(HPO, NCBI, MANY), default=(HPO, NCBI, MANY), metavar="TASK")
    parser.add_argument("--systems", nargs="+", choices=names, default=names, metavar="SYSTEM")
    parser.add_argument("--rebuild", action="store_true", help="build indexes that are there already again")
    options = parser.parse_args()
    print_header()
    for task in options.tasks:
        subject = load_subject(task)
        for system in SYSTEMS:
            if system.name not in options.systems or (system.tasks and task not in system.tasks):
                continue
            facts: dict[str, Value] = {"set": task, "system": system.name, "n_names": len(subject.lexicon.names)}
            try:
                figures = score(subject, measure(system, subject, rebuild=options.rebuild))
            except (NotInstalledError, subprocess.CalledProcessError) as error:
                print(f"{task:13} {system.name:16} cannot be measured: {error}", flush=True)
                append_result("side_by_side", **facts, not_measured=str(error))
                continue
            print_row(task, system.name, figures)
            append_result("side_by_side", **facts, **figures, content_hash=subject.lexicon.content_hash)


if __name__ == "__main__":
    main()

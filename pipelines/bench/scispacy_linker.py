"""medlink's spaCy component beside scispaCy's EntityLinker, both on the same HPO names and the same gold mentions.

Usage: python -m pipelines.bench.scispacy_linker
Corpus: the gold mentions of HPO GSC-2024, as ``hpo-gsc2024`` below $MEDLINK_BENCH_DATA.

Each system runs in a process of its own: load time and peak memory are its own. scispaCy's knowledge base is made of
the very concepts, names and definitions of medlink's lexicon; its thresholds are set to 0 so that it always answers,
and its answers are ordered as its component orders them. Nearest-neighbour search in it depends on its index' random
levels, so its accuracy may vary in the third digit.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from medlink.evaluation.gsc import read_gsc_queries
from medlink.evaluation.metrics import score_ranks
from medlink.linking.assemble import load_lexicon, load_linker
from medlink.linking.recipe import Recipe
from medlink.store.workspace import default_workspace_root
from pipelines.bench.results import append_result, bench_data

if TYPE_CHECKING:
    from spacy.tokens import Doc

WHOLE = ("HP:0000001",)
N_WARM = 64

Pipeline = Callable[[list["Doc"]], list["Doc"]]


def load_medlink() -> Pipeline:
    """Medlink's component on the whole HPO."""
    import spacy

    nlp = spacy.blank("en")
    component = nlp.add_pipe("medlink", config={"branches": list(WHOLE), "threshold": 0.0})
    return lambda docs: list(component.pipe(docs, batch_size=256))  # type: ignore[attr-defined]


def load_scispacy() -> Pipeline:
    """ScispaCy's component on the same concepts, read from the index that :func:`prepare_scispacy` left."""
    from scispacy.linking import EntityLinker

    linker = EntityLinker.from_kb(
        scispacy_kb(),
        ann_index_out_dir=str(scispacy_folder()),
        threshold=0.0,
        no_definition_threshold=0.0,
        filter_for_definitions=False,
    )
    return lambda docs: [linker(doc) for doc in docs]


def scispacy_folder() -> Path:
    """Where scispaCy's index is kept between runs."""
    return default_workspace_root() / "bench-scispacy-hpo"


def scispacy_kb() -> object:
    """The lexicon as scispaCy's knowledge base."""
    from scispacy.linking_utils import KnowledgeBase

    return KnowledgeBase(str(scispacy_folder() / "kb.jsonl"))


def write_kb(path: Path) -> None:
    """Writes the lexicon in the form that scispaCy reads."""
    lexicon = load_lexicon(Recipe(default_workspace_root(), branches=WHOLE))
    with path.open("w", encoding="utf-8") as stream:
        for concept in lexicon.concepts.values():
            entity = {
                "concept_id": concept.id,
                "canonical_name": concept.name,
                "aliases": [name.text for name in concept.synonyms],
                "types": [],
                "definition": concept.definition or None,
            }
            stream.write(json.dumps(entity) + "\n")


BUILD = """
import sys
from scispacy.candidate_generation import create_tfidf_ann_index
from scispacy.linking_utils import KnowledgeBase
create_tfidf_ann_index(sys.argv[1], KnowledgeBase(sys.argv[1] + "/kb.jsonl"))
"""


def prepare_scispacy() -> None:
    """Builds scispaCy's index where it is missing, so that loading is measured and not building.

    Only its building needs scipy below 1.11, so that happens in an environment of its own; the index that results is
    then used in this one.
    """
    folder = scispacy_folder()
    if (folder / "nmslib_index.bin").is_file():
        return
    folder.mkdir(parents=True, exist_ok=True)
    write_kb(folder / "kb.jsonl")
    python = folder / "env" / "bin" / "python"
    pins = [f"{name}=={version(name)}" for name in ("scispacy", "spacy", "scikit-learn", "numpy")]
    subprocess.run([sys.executable, "-m", "venv", str(folder / "env")], check=True)
    subprocess.run([str(python), "-m", "pip", "install", "--quiet", *pins, "scipy==1.10.1"], check=True)
    subprocess.run([str(python), "-c", BUILD, str(folder)], check=True)


SYSTEMS = {"medlink": load_medlink, "scispacy": load_scispacy}


def measure(system: str) -> None:
    """Measures one system in this process and prints the figures as JSON."""
    import spacy
    from spacy.tokens import Span

    lexicon = load_lexicon(Recipe(default_workspace_root(), branches=WHOLE))
    queries = read_gsc_queries(bench_data() / "hpo-gsc2024", lexicon)
    blank = spacy.blank("en")

    def docs_of(start: int, stop: int) -> list[Doc]:
        docs = []
        for query in queries[start:stop]:
            doc = blank(query.mention)
            doc.ents = [Span(doc, 0, len(doc), "PHENOTYPE")]
            docs.append(doc)
        return docs

    before = time.perf_counter()
    pipeline = SYSTEMS[system]()
    pipeline(docs_of(0, 1))
    load_seconds = time.perf_counter() - before
    pipeline(docs_of(0, N_WARM))
    docs = docs_of(0, len(queries))
    before = time.perf_counter()
    linked = pipeline(docs)
    seconds = time.perf_counter() - before
    ranks = []
    for doc, query in zip(linked, queries, strict=True):
        answers = [concept_id for ent in doc.ents for concept_id, _ in ent._.kb_ents]
        ranks.append(next((rank for rank, answer in enumerate(answers, start=1) if answer in query.gold), 0))
    scores = score_ranks(ranks, [query.doc_id for query in queries])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        json.dumps(
            {
                "n": scores.n,
                "acc1": round(scores.acc1.value, 4),
                "acc1_low": round(scores.acc1.low, 4),
                "acc1_high": round(scores.acc1.high, 4),
                "acc5": round(scores.acc5.value, 4),
                "mentions_per_second": round(len(docs) / seconds, 1),
                "load_s": round(load_seconds, 2),
                "peak_mib": round(peak),
            }
        )
    )


def main() -> None:
    """Measures both systems, each in a fresh process, and prints them side by side."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--system", choices=[*SYSTEMS, "prepare"], help=argparse.SUPPRESS)
    system = parser.parse_args().system
    if system == "prepare":
        prepare_scispacy()
        load_linker(Recipe(default_workspace_root(), branches=WHOLE))
        return
    if system:
        measure(system)
        return
    run = [sys.executable, "-m", "pipelines.bench.scispacy_linker", "--system"]
    subprocess.run([*run, "prepare"], check=True)
    print(f"{'system':10} {'n':>5} {'acc@1':>22} {'acc@5':>7} {'mentions/s':>11} {'load s':>7} {'peak MiB':>9}")
    for name in SYSTEMS:
        printed = subprocess.run([*run, name], capture_output=True, text=True, check=True).stdout
        row = json.loads(printed.splitlines()[-1])
        interval = f"{row['acc1']:.3f} [{row['acc1_low']:.3f}, {row['acc1_high']:.3f}]"
        print(
            f"{name:10} {row['n']:>5} {interval:>22} {row['acc5']:>7.3f} {row['mentions_per_second']:>11} "
            f"{row['load_s']:>7} {row['peak_mib']:>9}"
        )
        append_result("scispacy_linker", system=name, corpus="HPO GSC-2024 gold mentions", **row)


if __name__ == "__main__":
    main()

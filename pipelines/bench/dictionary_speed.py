"""How fast the dictionary is, and that its speed does not depend on the number of names.

Usage: python -m pipelines.bench.dictionary_speed [--names 40000 500000] [--passes 3]

The texts are the abstracts of HPO GSC-2024 below $MEDLINK_BENCH_DATA. The lexicons have the names of HPO first, then
those of the ontologies that ``python -m pipelines.open_ontologies`` brings in, up to each number. Documents a second of
one process, the median of the passes, for names as written alone and with all other readings.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from statistics import median

from medlink.detection.matcher import DictionaryMatcher
from medlink.detection.readings import Kind
from medlink.evaluation.corpora import read_corpus
from medlink.ontology.catalogue import Catalogue, default_folder
from medlink.ontology.lexicon import Lexicon
from medlink.ontology.source import Ontology
from medlink.records import Concept
from medlink.store.workspace import Workspace, default_workspace_root
from medlink.training.run import load_lexicons
from pipelines.bench.results import append_result, bench_data

SOURCES = ("hpo", "mondo", "doid", "mesh", "mesh-supplementary")
KINDS = {"as written": frozenset({Kind.EXACT}), "all readings": frozenset(Kind)}


def read_concepts() -> list[Concept]:
    """The current concepts of all sources."""
    catalogue = Catalogue([Workspace(default_workspace_root()).ontologies, default_folder()])
    lexicons = load_lexicons(list(SOURCES), catalogue)
    return [
        replace(concept, id=f"{source}/{concept.id}", parents=())
        for source, lexicon in zip(SOURCES, lexicons, strict=True)
        for concept in lexicon.concepts.values()
    ]


def cut(concepts: Sequence[Concept], n_names: int) -> Lexicon:
    """The lexicon of the first concepts that have so many names."""
    kept, total = [], 0
    for concept in concepts:
        if total >= n_names:
            break
        kept.append(concept)
        total += len(concept.names)
    return Lexicon(Ontology("speed", "speed", "", "", "", tuple(sorted(kept, key=lambda concept: concept.id))))


def rates(matcher: DictionaryMatcher, texts: Sequence[str], passes: int) -> Iterator[float]:
    """Documents a second of each pass, behind one that warms the caches."""
    for number in range(passes + 1):
        started = time.perf_counter()
        for text in texts:
            matcher.matches(text)
        if number:
            yield len(texts) / (time.perf_counter() - started)


def main() -> None:
    """Measures, prints a table and appends the lines."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--names", nargs="+", type=int, default=[40_000, 500_000])
    parser.add_argument("--passes", type=int, default=3)
    arguments = parser.parse_args()
    texts = [document.text for document in read_corpus([bench_data() / "hpo-gsc2024"], "gsc").documents]
    concepts = read_concepts()
    print(f"{'names':>9} {'kinds':14} {'built in':>9} {'docs/s':>8}")
    for n_names in arguments.names:
        lexicon = cut(concepts, n_names)
        for name, kinds in KINDS.items():
            started = time.perf_counter()
            matcher = DictionaryMatcher(lexicon, kinds=kinds)
            matcher.matches("ankylois")
            built = time.perf_counter() - started
            rate = median(rates(matcher, texts, arguments.passes))
            print(f"{len(lexicon.names):>9} {name:14} {built:>8.1f}s {rate:>8.0f}", flush=True)
            append_result(
                "dictionary_speed",
                n_names=len(lexicon.names),
                kinds=name,
                n_documents=len(texts),
                seconds_to_build=round(built, 2),
                documents_per_second=round(rate, 1),
            )


if __name__ == "__main__":
    main()

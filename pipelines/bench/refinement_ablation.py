"""What each part of a refinement is worth: one row with it left out or otherwise, all lessons of a corpus at once.

Usage: python -m pipelines.bench.refinement_ablation --stream TRAIN.pubtator --test DEV.pubtator --names NAMES
    [--type Disease] [--other GSC_FOLDER] [--rows all "no memory" …] [--seeds 0]

The gold mentions of the stream are linked by what ships, annotated by its gold and learned at once, in mode
``surface``; then the mentions of the test are linked, annotators' wordings being names of their concepts. Settings are
chosen by such rows, so TEST is to be a development set. Subsets and ``--other`` are those of
:mod:`pipelines.bench.retroactive`. Intervals are 95 %, over documents.
"""

from __future__ import annotations

import argparse
import math
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from medlink.curation.adjudication import decide_spans
from medlink.linking.corrections import Corrections
from medlink.linking.linker import Linker
from medlink.refinement.lessons import Lesson, take_lessons
from medlink.refinement.refine import Lessons, refine
from medlink.refinement.settings import RefineSettings
from pipelines.bench.results import append_result
from pipelines.bench.retroactive import (
    Case,
    annotate,
    by_place,
    corrections_of,
    load_case,
    measure_other,
    with_corrections,
)
from pipelines.bench.retroactive_report import document_interval

ALIASES = "aliases only"
ROWS: Mapping[str, Mapping[str, Any]] = {
    "all": {},
    "ranker alone": {"steps": 0},
    "tower alone": {"ranker": False},
    "no memory": {"alpha": 0.0},
    "alpha 0.3": {"alpha": 0.3},
    "alpha 3": {"alpha": 3.0},
    "no hardness weights": {"hardness": math.inf},
    "no human negatives": {"human_weight": 0.0},
    "no replay": {"n_replay": 0, "n_pool": 0},
    "no replay, no stay": {"n_replay": 0, "n_pool": 0, "stay": 0.0},
    "no margin": {"margin": None},
    "memory of 512": {"capacity": 512},
    "memory of 2048": {"capacity": 2048},
    "memory never fresh": {"refresh": math.inf},
    "memory always fresh": {"refresh": 0.0},
    "fresh concepts count 3": {"fresh_weight": 3.0},
}


@dataclass(frozen=True, slots=True)
class Taught:
    """What the stream taught, without any training."""

    corrections: Corrections
    lessons: tuple[Lesson, ...]


def teach(case: Case) -> Taught:
    """The whole stream, linked by what ships and annotated by its gold."""
    mentions = [mention for batch in case.batches for mention in batch]
    entries = annotate(case, case.base.link(mentions), 1, 1)
    return Taught(corrections_of(entries), tuple(take_lessons(decide_spans(by_place(entries)))))


def measure_row(case: Case, taught: Taught, changes: Mapping[str, Any] | None, seed: int) -> dict[str, Any]:
    """One row; ``None`` trains nothing."""
    parent = with_corrections(case.base, taught.corrections)
    begun = time.process_time()
    if changes is None:
        figures = accuracies(case, parent)
    else:
        settings = RefineSettings(seed=seed, **changes)
        with tempfile.TemporaryDirectory() as folder:
            child = refine(parent, Lessons(taught.lessons, since=-1), settings, Path(folder)).linker
        cpu_s = round(time.process_time() - begun, 1)
        figures = {"cpu_s": cpu_s, **accuracies(case, replace(child, settings=parent.settings))}
    return figures


def accuracies(case: Case, linker: Linker) -> dict[str, Any]:
    """Accuracy at 1 of each subset, and that of the other ontology."""
    links = linker.link(case.test)
    right = np.array([case.is_right(link.mention, link.concept_id) for link in links])
    documents = np.array([mention.doc_id for mention in case.test])
    figures: dict[str, Any] = {}
    for name, chosen in case.subsets.items():
        if chosen.any():
            figures[name] = round(float(right[chosen].mean()), 4)
            low, high = document_interval(right[chosen].astype(np.float64), documents[chosen])
            figures[f"{name} interval"] = f"{low:.3f} {high:.3f}"
            figures[f"{name} n"] = int(chosen.sum())
    if case.other:
        figures["other ontology"] = round(float(np.mean([answer == "1" for answer in measure_other(case, linker)])), 4)
    return figures


def main() -> None:
    """Runs the rows, prints each as it comes and appends a line for it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stream", type=Path, nargs="+", required=True)
    parser.add_argument("--test", type=Path, required=True)
    parser.add_argument("--names", type=Path, required=True)
    parser.add_argument("--type")
    parser.add_argument("--other", type=Path)
    parser.add_argument("--rows", nargs="+", choices=(ALIASES, *ROWS), default=(ALIASES, *ROWS), metavar="ROW")
    parser.add_argument("--seeds", type=int, nargs="+", default=(0,))
    options = parser.parse_args(namespace=argparse.Namespace(batch=sys.maxsize, max_batches=None))
    case = load_case(options)
    taught = teach(case)
    for name in options.rows:
        for seed in options.seeds if name != ALIASES else (0,):
            figures = measure_row(case, taught, ROWS.get(name), seed)
            shown = "  ".join(f"{key} {value:.4f}" for key, value in figures.items() if isinstance(value, float))
            sys.stdout.write(f"{name:22} {seed}  {shown}\n")
            sys.stdout.flush()
            append_result(
                "refinement_ablation", row=name, seed=seed, test=options.test.name, n_lessons=len(taught.lessons),
                **figures,
            )  # fmt: skip


if __name__ == "__main__":
    main()

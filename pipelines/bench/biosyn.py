"""Linking of gold mentions on the sets that the field reports, every system of ``medlink evaluate link`` side by side.

Usage: python -m pipelines.bench.biosyn [--split dev] [--with-mentions] [--sets ncbi-disease …] [--baseline minilm]
Corpora: NCBI Disease (Dogan et al. 2014) and BC5CDR (Li et al. 2016) in the form of BioSyn (Sung et al. 2020), as
``biosyn`` below $MEDLINK_BENCH_DATA, and the gold mentions of HPO GSC-2024 (Groza et al. 2015), as ``hpo-gsc2024``.

Names are those of the ontology alone. ``--with-mentions`` adds the annotated mentions of train and dev, or of train
alone where dev is measured: for comparison with published figures, as it rewards what was memorised. HPO GSC has no
splits, so it is measured with the test splits only, and has no mentions to add.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from medlink import __version__
from medlink.cli.options import make_baselines
from medlink.encoder.default import DEFAULT_ENCODER
from medlink.evaluation.biosyn import Query, read_names, read_queries
from medlink.evaluation.comparison import SubsetScores
from medlink.evaluation.gsc import read_gsc_queries
from medlink.evaluation.linking import Evaluation, evaluate_linking
from medlink.evaluation.metrics import Interval, Scores
from medlink.evaluation.report import difference_cell, figure_cell, share_cell
from medlink.evaluation.systems import EXACT, TF_IDF
from medlink.linking.assemble import link_to, load_lexicon
from medlink.linking.linker import Linker
from medlink.linking.recipe import Recipe
from medlink.ontology.lexicon import Lexicon
from medlink.store.workspace import default_workspace_root
from pipelines.bench.mentions import write_mentions
from pipelines.bench.results import Value, append_result, bench_data

BIOSYN_SETS = ("ncbi-disease", "bc5cdr-disease", "bc5cdr-chemical")
HPO = "hpo-gsc2024"
WHOLE_HPO = ("HP:0000001",)
SPLITS_BEFORE = {"dev": ("train",), "test": ("train", "dev")}
SEED = 0


@dataclass(frozen=True, slots=True)
class Case:
    """What is measured.

    :param split: ``all`` where there are no splits.
    :param names: which names are linked to, in words.
    :param seen: the mentions of the splits before; ``None`` where there are none.
    """

    set: str
    split: str
    names: str
    queries: tuple[Query, ...]
    lexicon: Lexicon
    seen: tuple[Query, ...] | None

    @property
    def facts(self) -> dict[str, Value]:
        """What a line of results says of it."""
        seen = " and ".join(SPLITS_BEFORE[self.split]) if self.seen else None
        return {
            "set": self.set,
            "split": self.split,
            "names": self.names,
            "n_names": len(self.lexicon.names),
            "content_hash": self.lexicon.content_hash,
            "seen": seen,
        }


def load_biosyn(name: str, split: str, *, with_mentions: bool) -> Case:
    """A split of a set, and the names of its dictionary."""
    folder = bench_data() / "biosyn" / name
    queries = read_queries(folder / f"queries.{split}.txt")
    before = SPLITS_BEFORE[split]
    seen = tuple(query for earlier in before for query in read_queries(folder / f"queries.{earlier}.txt"))
    dictionary = folder / "dictionary.ontology-only.txt.gz"
    lexicon = Lexicon(read_names([dictionary], name=name))
    if not with_mentions:
        return Case(name, split, "ontology only", queries, lexicon, seen)
    if split == "test":
        extended = read_names([dictionary, folder / "dictionary.extra-train-dev-mentions.txt"], name=name)
    else:
        with tempfile.TemporaryDirectory() as temporary:
            extra = Path(temporary) / "mentions.txt"
            write_mentions(seen, lexicon, extra)
            extended = read_names([dictionary, extra], name=name)
    return Case(name, split, f"plus {' and '.join(before)} mentions", queries, Lexicon(extended), seen)


def load_hpo() -> Case:
    """The gold mentions of HPO GSC-2024, and all names of HPO."""
    lexicon = load_lexicon(Recipe(default_workspace_root(), branches=WHOLE_HPO))
    queries = read_gsc_queries(bench_data() / HPO, lexicon)
    return Case(HPO, "all", "ontology only", queries, lexicon, None)


def measure(case: Case, recipe: Recipe, baselines: Mapping[str, Recipe]) -> None:
    """Measures one case, prints its rows and appends its lines."""
    linker = link_to(recipe, case.lexicon, show_progress=True)
    plain = {label: link_to(baseline, case.lexicon, show_progress=True) for label, baseline in baselines.items()}
    evaluation = evaluate_linking(case.queries, linker, baselines=plain, seen=case.seen, seed=SEED, show_progress=True)
    print_rows(case, evaluation)
    for subset in evaluation.subsets:
        append_subset(case, subset, linker, plain)


def print_header() -> None:
    """Prints the head of the table."""
    print(
        f"{'set':16} {'system':20} {'n':>5} {'acc@1':>17} {'acc@5':>17} {'MRR':>5}"
        f" {'pairs':>5} {'surf.':>5} {'conc.':>5}  (acc@1 of unique pairs, unseen surfaces, unseen concepts)"
    )


def print_rows(case: Case, evaluation: Evaluation) -> None:
    """Prints a row a system and the differences of the case; the subsets' columns hold accuracy at 1."""
    whole, *parts = evaluation.subsets
    print(f"{case.set}, {case.split}, {case.names}: {len(case.lexicon.names):,} names")
    for system, scores in whole.systems.items():
        rest = " ".join(f"{share_cell(subset.systems[system].acc1.value) if subset.n else '-':>5}" for subset in parts)
        print(
            f"{case.set:16} {system:20} {scores.n:>5} {figure_cell(scores.acc1):>17} {figure_cell(scores.acc5):>17}"
            f" {share_cell(scores.mrr.value):>5} {rest}"
        )
    for difference in whole.differences:
        print(f"{case.set:16} {difference.system} minus {difference.minus}: {difference_cell(difference.acc1)}")
    print(f"{'':16} n of {', '.join(f'{subset.name} {subset.n}' for subset in parts)}", flush=True)


def append_subset(case: Case, subset: SubsetScores, linker: Linker, baselines: Mapping[str, Linker]) -> None:
    """Appends a line for each system and each difference on one subset."""
    shared: dict[str, Value] = {
        **case.facts,
        "subset": subset.name,
        "n": subset.n,
        "n_documents": subset.n_documents,
        "medlink": __version__,
        "release": linker.release,
        "seed": SEED,
    }
    for system, scores in subset.systems.items():
        encoder = None if system in (EXACT, TF_IDF) else baselines.get(system, linker).encoder.fingerprint
        append_result("biosyn", **shared, system=system, encoder=encoder, **flatten_scores(scores))
    for difference in subset.differences:
        figures = flatten("acc1_difference", difference.acc1)
        append_result("biosyn", **shared, system=difference.system, minus=difference.minus, **figures)


def flatten_scores(scores: Scores) -> dict[str, Value]:
    """Each figure with its ends."""
    return flatten("acc1", scores.acc1) | flatten("acc5", scores.acc5) | flatten("mrr", scores.mrr)


def flatten(name: str, figure: Interval) -> dict[str, Value]:
    """A figure with its ends, to four digits."""
    return {
        name: round(figure.value, 4),
        f"{name}_low": round(figure.low, 4),
        f"{name}_high": round(figure.high, 4),
    }


def main() -> None:
    """Measures each set and prints one table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--split", choices=sorted(SPLITS_BEFORE), default="test")
    parser.add_argument("--sets", nargs="+", choices=[*BIOSYN_SETS, HPO], metavar="SET")
    parser.add_argument("--with-mentions", action="store_true")
    parser.add_argument("--encoder", default=DEFAULT_ENCODER, metavar="NAME|FOLDER")
    parser.add_argument("--baseline", action="append", default=[], metavar="[LABEL=]NAME|FOLDER")
    arguments = parser.parse_args()
    splitless = arguments.split == "test" and not arguments.with_mentions
    sets = arguments.sets or ([*BIOSYN_SETS, HPO] if splitless else BIOSYN_SETS)
    if HPO in sets and not splitless:
        parser.error(f"{HPO} has no dev split and no training mentions")
    recipe = Recipe(default_workspace_root(), encoder=arguments.encoder)
    baselines = make_baselines(arguments.baseline, recipe)
    print_header()
    for name in sets:
        case = load_hpo() if name == HPO else load_biosyn(name, arguments.split, with_mentions=arguments.with_mentions)
        measure(case, recipe, baselines)


if __name__ == "__main__":
    main()

"""Linking of gold mentions on the sets that the field reports: exact match, TF-IDF and medlink, ontology names only.

Usage: python -m pipelines.bench.biosyn [--split test]
Corpora: NCBI Disease (Dogan et al. 2014) and BC5CDR (Li et al. 2016) in the form of BioSyn (Sung et al. 2020), as
``biosyn`` below $MEDLINK_BENCH_DATA.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys

from pipelines.bench.results import append_result, bench_data

SETS = ("ncbi-disease", "bc5cdr-disease", "bc5cdr-chemical")


def evaluate(name: str, split: str) -> dict[str, dict[str, dict[str, float]]]:
    """The figures of ``medlink evaluate link`` on one set, by system."""
    folder = bench_data() / "biosyn" / name
    files = [
        "--queries",
        str(folder / f"queries.{split}.txt"),
        "--names",
        str(folder / "dictionary.ontology-only.txt.gz"),
    ]
    command = [sys.executable, "-c", "from medlink.cli.main import main; main()", "evaluate", "link", *files, "--json"]
    printed = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    systems: dict[str, dict[str, dict[str, float]]] = json.loads(printed)["systems"]
    return systems


def main() -> None:
    """Measures each set and prints one table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--split", choices=["train", "dev", "test"], default="test")
    split = parser.parse_args().split
    print(f"{'set':16} {'system':8} {'n':>5} {'acc@1':>22} {'acc@5':>6} {'MRR':>6}")
    for name in SETS:
        for system, scores in evaluate(name, split).items():
            acc1 = scores["acc1"]
            interval = f"{acc1['value']:.3f} [{acc1['low']:.3f}, {acc1['high']:.3f}]"
            acc5, mrr = scores["acc5"]["value"], scores["mrr"]["value"]
            print(f"{name:16} {system:8} {scores['n']:>5} {interval:>22} {acc5:>6.3f} {mrr:>6.3f}", flush=True)
            append_result(
                "biosyn",
                set=name,
                split=split,
                names="ontology only",
                system=system,
                n=int(scores["n"]),  # type: ignore[call-overload]
                acc1=round(acc1["value"], 4),
                acc1_low=round(acc1["low"], 4),
                acc1_high=round(acc1["high"], 4),
                acc5=round(acc5, 4),
                mrr=round(mrr, 4),
                seed=0,
            )


if __name__ == "__main__":
    main()

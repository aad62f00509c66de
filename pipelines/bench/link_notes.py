"""Linking a folder of notes: notes per second, peak memory, and the same bytes for any order and number of workers.

Usage: python -m pipelines.bench.link_notes [--ontology hpo]
Corpus: the mtsamples notes (CC0), as ``mtsamples/notes.jsonl.gz`` below $MEDLINK_BENCH_DATA.
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from pipelines.bench.results import append_result, bench_data

SEED = 0


@dataclass(frozen=True, slots=True)
class Run:
    """One run of ``medlink link``.

    :param peak_mb: the largest resident size that any one of its processes reached, in MiB.
    """

    out: Path
    seconds: float
    peak_mb: float
    n_links: int


def write_notes(folder: Path) -> list[Path]:
    """Every note as a text file, in the corpus' order."""
    paths = []
    with gzip.open(bench_data() / "mtsamples" / "notes.jsonl.gz", "rt", encoding="utf-8") as lines:
        for line in lines:
            note = json.loads(line)
            path = folder / f"{note['id']}.txt"
            path.write_text(note["text"], encoding="utf-8", newline="")
            paths.append(path)
    return paths


MEASURED = """
import resource, sys
from medlink.cli.main import main
try:
    main(sys.argv[1:], standalone_mode=False)
finally:
    peaks = [resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    print(max(peaks) / 1024, file=sys.stderr)
"""


def run_link(notes: list[Path], out: Path, *, workers: int, ontology: str) -> Run:
    """Links the notes in a process of their own."""
    command = [sys.executable, "-c", MEASURED, "link", *map(str, notes), "--out", str(out), "--ontology", ontology]
    started = time.monotonic()
    finished = subprocess.run(
        [*command, "--workers", str(workers), "--json"], capture_output=True, text=True, check=True
    )
    seconds = time.monotonic() - started
    summary = json.loads(finished.stdout)
    return Run(out, seconds, float(finished.stderr.strip().splitlines()[-1]), summary["n_links"])


def lines_by_note(path: Path) -> dict[str, str]:
    """Each note's output line."""
    with path.open(encoding="utf-8", newline="\n") as lines:
        return {json.loads(line)["id"]: line for line in lines}


def main() -> None:
    """Measures and compares."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ontology", default="hpo")
    ontology = parser.parse_args().ontology
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "notes").mkdir()
        notes = write_notes(folder / "notes")
        run_link(notes[:1], folder / "warm.jsonl", workers=1, ontology=ontology)
        shuffled = random.Random(SEED).sample(notes, len(notes))
        runs = {
            "1 worker": run_link(notes, folder / "1.jsonl", workers=1, ontology=ontology),
            "2 workers, shuffled": run_link(shuffled, folder / "2.jsonl", workers=2, ontology=ontology),
        }
        tenth = run_link(notes[: len(notes) // 10], folder / "3.jsonl", workers=1, ontology=ontology)
        outputs = [lines_by_note(run.out) for run in runs.values()]
        same = outputs[0] == outputs[1]
    for label, run in runs.items():
        rate = len(notes) / run.seconds
        print(
            f"{label:22} {len(notes)} notes  {run.n_links} links  {run.seconds:6.1f} s  "
            f"{rate:6.1f} notes/s  {run.peak_mb:6.0f} MiB"
        )
        append_result(
            "link_notes",
            setting=label,
            ontology=ontology,
            n=len(notes),
            links=run.n_links,
            seconds=round(run.seconds, 1),
            notes_per_second=round(rate, 1),
            peak_mib=round(run.peak_mb),
            peak_mib_on_a_tenth=round(tenth.peak_mb),
            identical=same,
            seed=SEED,
        )
    print(f"a tenth of the notes: {tenth.peak_mb:.0f} MiB;  identical bytes per note: {same}")
    if not same:
        sys.exit("The outputs differ.")


if __name__ == "__main__":
    main()

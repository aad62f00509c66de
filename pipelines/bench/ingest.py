"""How fast annotations come into the ledger and out of it again, and in how much memory.

    python -m pipelines.bench.ingest --events 1000000

Twenty mentions a document, two annotators, one mention in twenty differs between both, five candidates shown. With
``--text`` every record carries its document's text, so that surfaces are checked against it. Each step runs in a
process of its own.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from medlink.curation.adjudication import Basis, decide_spans
from medlink.curation.agreement import measure_agreement
from medlink.curation.checks import Checks
from medlink.curation.intake import IntakeMode, ingest
from medlink.curation.rulings import make_rulings
from medlink.curation.sources import open_incoming
from medlink.store.ledger import Ledger
from pipelines.bench.results import append_result

PER_DOCUMENT = 20
_WORD_LENGTH = 12
_ROOT = Path(__file__).parents[2]


def write_annotations(path: Path, *, n_events: int, with_text: bool, seed: int = 0) -> None:
    """A file of that many annotations of generated documents."""
    chance = random.Random(seed)
    with path.open("w", encoding="utf-8") as stream:
        for first in range(0, n_events, 2 * PER_DOCUMENT):
            words = [f"{chance.randrange(10**5):0{_WORD_LENGTH - 1}d}" for _ in range(PER_DOCUMENT)]
            text = " ".join(words)
            for number in range(first, min(first + 2 * PER_DOCUMENT, n_events)):
                place, annotator = (number - first) % PER_DOCUMENT, (number - first) // PER_DOCUMENT
                shown = [chance.randrange(10**4) for _ in range(5)]
                concept = int(words[place]) % 10**4 if annotator == 0 or chance.random() > 0.05 else shown[1]
                row = {
                    "doc_id": f"ward-{first // (2 * PER_DOCUMENT)}",
                    "start": place * _WORD_LENGTH,
                    "end": place * _WORD_LENGTH + _WORD_LENGTH - 1,
                    "surface": words[place],
                    "verdict": "correct",
                    "concept_id": f"HP:{concept:07d}",
                    "annotator": f"annotator {annotator}",
                    "time": f"2026-01-05T09:00:{number % 60:02d}Z",
                    "proposed": [{"concept_id": f"HP:{key:07d}", "score": 0.2} for key in shown],
                }
                stream.write(json.dumps(row | ({"text": text} if with_text else {})) + "\n")


def _import(folder: Path) -> int:
    mode = IntakeMode(folder / "quarantine")
    with Ledger.open(folder / "ledger.sqlite") as ledger:
        report = ingest(
            open_incoming([folder / "batch.jsonl"]), ledger, checks=Checks(), mode=mode, now=datetime.now(UTC)
        )
    return report.n_records


def _adjudicate(folder: Path) -> int:
    with Ledger.read(folder / "ledger.sqlite") as ledger:
        n_conflicts = sum(decision.basis is Basis.CONFLICT for decision in decide_spans(ledger.current()))
        print(f"{n_conflicts:,} conflicts", file=sys.stderr)
        return ledger.n_events()


def _agree(folder: Path) -> int:
    with Ledger.read(folder / "ledger.sqlite") as ledger:
        print(f"kappa {measure_agreement(decide_spans(ledger.current())).kappa}", file=sys.stderr)
        return ledger.n_events()


def _rule(folder: Path) -> int:
    with Ledger.read(folder / "ledger.sqlite") as ledger:
        print(f"{len(make_rulings(decide_spans(ledger.current()))):,} rulings", file=sys.stderr)
        return ledger.n_events()


def _verify(folder: Path) -> int:
    with Ledger.read(folder / "ledger.sqlite") as ledger:
        ledger.verify()
        return ledger.n_events()


STEPS: dict[str, Callable[[Path], int]] = {
    "ingest": _import,
    "ingest again": _import,
    "adjudicate": _adjudicate,
    "agreement": _agree,
    "rulings": _rule,
    "verify": _verify,
}


def main() -> None:
    """Runs all steps and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--text", action="store_true", help="Every record carries its document's text.")
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        _be_child(arguments.child[0], Path(arguments.child[1]))
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_annotations(folder / "batch.jsonl", n_events=arguments.events, with_text=arguments.text)
        print(f"{'step':<14} {'events':>10} {'seconds':>8} {'a second':>9} {'memory':>9}")
        for step in STEPS:
            _run(step, folder, with_text=arguments.text)
        size = (folder / "ledger.sqlite").stat().st_size
        print(f"the ledger has {size / arguments.events:,.0f} bytes an event")


def _run(step: str, folder: Path, *, with_text: bool) -> None:
    command = [sys.executable, "-m", "pipelines.bench.ingest", "--child", step, str(folder)]
    output = subprocess.run(command, cwd=_ROOT, stdout=subprocess.PIPE, text=True, check=True).stdout
    figures = json.loads(output)
    rate = figures["n_events"] / figures["seconds"]
    print(
        f"{step:<14} {figures['n_events']:>10,} {figures['seconds']:>8.1f} {rate:>9,.0f} {figures['peak_mib']:>5,} MiB"
    )
    append_result(
        "ingest",
        step=step,
        n_events=figures["n_events"],
        with_text=with_text,
        seconds=round(figures["seconds"], 2),
        events_per_second=round(rate),
        peak_mib=figures["peak_mib"],
        ledger_mib=(folder / "ledger.sqlite").stat().st_size >> 20,
    )


def _be_child(step: str, folder: Path) -> None:
    started = time.perf_counter()
    n_events = STEPS[step](folder)
    seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    print(json.dumps({"n_events": n_events, "seconds": seconds, "peak_mib": peak}))


if __name__ == "__main__":
    main()

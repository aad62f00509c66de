"""Kills an import with SIGKILL again and again, at random moments, and checks the ledger after every time.

    python -m pipelines.bench.ledger_kills --rounds 200

Each round a process imports small files one after the other and says which are done; it is killed on the way. Then
the ledger must be sound, hold every file that was reported done, and every other one whole or not at all. In the end
all files are imported once more, and the ledger must hold each event exactly once.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from medlink.curation.checks import Checks
from medlink.curation.intake import IntakeMode, Report, ingest
from medlink.curation.sources import open_incoming
from medlink.store.ledger import Ledger
from pipelines.bench.results import append_result

N_FILES, N_RECORDS = 12, 40
# Seconds: a child takes about this long for its files, so that kills fall before, into and behind all of them.
_LONGEST_LIFE = 0.4
_ROOT = Path(__file__).parents[2]


@dataclass(slots=True)
class Outcome:
    """What the kills did.

    :param n_reported: files whose import had been reported done before the kill.
    :param n_unreported: files whose import was complete, but whose report did not come out any more.
    :param n_absent: files of which nothing was recorded.
    """

    n_kills: int = 0
    n_finished: int = 0
    n_reported: int = 0
    n_unreported: int = 0
    n_absent: int = 0


def take_file(path: Path, ledger: Ledger) -> Report:
    """Imports one file, its quarantine beside the ledger."""
    mode = IntakeMode(ledger.path.with_name("quarantine"))
    return ingest(open_incoming([path]), ledger, checks=Checks(), mode=mode, now=datetime.now(UTC))


def write_file(path: Path, *, first: int, n_records: int = N_RECORDS) -> None:
    """A file of annotations that no other file has, numbered from ``first``, and one broken line."""
    with path.open("w", encoding="utf-8") as stream:
        for number in range(first, first + n_records):
            row = {"doc_id": f"d{number}", "start": 4, "end": 7, "surface": "fit", "verdict": "nil", "annotator": "ann"}
            stream.write(json.dumps(row | {"text": "His fit was short.", "time": "2026-01-05T09:00:00Z"}) + "\n")
        stream.write("{broken\n")


def run_kills(folder: Path, *, n_rounds: int, seed: int) -> Outcome:
    """Kills that many imports into one ledger in ``folder``.

    :raises AssertionError: when an event is lost, doubled or half there.
    """
    chance, outcome, path = random.Random(seed), Outcome(), folder / "ledger.sqlite"
    files: dict[Path, int] = {}
    for number in range(n_rounds):
        names = [folder / f"{number}-{place}.jsonl" for place in range(N_FILES)]
        for name in names:
            files[name] = len(files) * N_RECORDS
            write_file(name, first=files[name])
        done = _import_and_kill(names, path, chance.uniform(0, _LONGEST_LIFE), outcome)
        _check(path, names, files, done, outcome)
    with Ledger.open(path) as ledger:
        for name in files:
            take_file(name, ledger)
        ledger.verify()
        documents = [entry.event.annotation.doc_id for entry in ledger.events()]
    _demand(
        sorted(documents) == sorted(f"d{number}" for number in range(len(files) * N_RECORDS)), "the ledger is whole"
    )
    return outcome


def _import_and_kill(names: list[Path], path: Path, life: float, outcome: Outcome) -> set[str]:
    """The names of the files that a child reported done before it was killed."""
    command = [sys.executable, "-m", "pipelines.bench.ledger_kills", "--child", str(path), *map(str, names)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=_ROOT) as child:
        if child.stdout is None:
            raise RuntimeError("the child has no output")
        child.stdout.readline()  # it is about to start
        time.sleep(life)
        outcome.n_finished += child.poll() is not None
        child.kill()
        done = set(child.stdout.read().split())
    outcome.n_kills += 1
    return done


def _check(path: Path, names: list[Path], files: dict[Path, int], done: set[str], outcome: Outcome) -> None:
    with Ledger.open(path) as ledger:
        ledger.verify()
        for name in names:
            numbers = range(files[name], files[name] + N_RECORDS)
            n_found = sum(sum(1 for _ in ledger.events(doc_id=f"d{number}")) for number in numbers)
            _demand(n_found in (0, N_RECORDS), f"{name.name} is whole or absent, got {n_found} events")
            _demand(n_found == N_RECORDS or str(name) not in done, f"{name.name} was reported and is there")
            outcome.n_reported += str(name) in done
            outcome.n_unreported += n_found > 0 and str(name) not in done
            outcome.n_absent += n_found == 0


def _demand(holds: bool, what: str) -> None:
    if not holds:
        raise AssertionError(f"not so: {what}")


def _be_child(path: Path, names: list[Path]) -> None:
    print("starting", flush=True)
    with Ledger.open(path) as ledger:
        for name in names:
            take_file(name, ledger)
            print(name, flush=True)


def main() -> None:
    """Runs the kills and writes the result down."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--child", nargs="+", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        _be_child(arguments.child[0], arguments.child[1:])
        return
    with tempfile.TemporaryDirectory() as folder:
        outcome = run_kills(Path(folder), n_rounds=arguments.rounds, seed=arguments.seed)
    print(
        f"{outcome.n_kills} kills ({outcome.n_finished} came too late): {outcome.n_reported} files reported and there, "
        f"{outcome.n_unreported} there and not reported, {outcome.n_absent} absent; nothing lost, doubled or damaged"
    )
    append_result(
        "ledger_kills",
        n_kills=outcome.n_kills,
        n_too_late=outcome.n_finished,
        n_reported=outcome.n_reported,
        n_unreported=outcome.n_unreported,
        n_absent=outcome.n_absent,
        seed=arguments.seed,
    )


if __name__ == "__main__":
    main()

"""Linking a million recorded mentions again: mentions per second with nothing remembered, and with all vectors.

Usage: python -m pipelines.bench.relink [--mentions 1000000] [--surfaces 100000] [--workers 2] [--ontology hpo]

The log is made up: documents of about 20 mentions, drawn by Zipf's law from distinct surfaces, which are the ontology's
names and what people make of them: a word left out, words in another order, a typing error. All its links are NIL at
first, so that the first run changes nearly all of them and records that; the second has everything to compare and
nothing to change.
"""

from __future__ import annotations

import argparse
import random
import resource
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import accumulate
from pathlib import Path

from medlink.linking.assemble import describe_run, load_linker
from medlink.linking.recipe import Recipe
from medlink.records import Document, Link, LinkedDocument, Mention
from medlink.refinement.change_files import write_change_lines
from medlink.refinement.changes import ReviewLimits, Tally
from medlink.refinement.relink import Relinker
from medlink.store.link_log import LinkLog
from medlink.store.workspace import Workspace, default_workspace_root
from pipelines.bench.results import append_result

SEED = 0
MENTIONS_OF_DOCUMENT = 20
LETTERS = "abcdefghijklmnopqrstuvwxyz"


def make_surfaces(names: Sequence[str], n: int, rng: random.Random) -> list[str]:
    """``n`` distinct surfaces in no order: at most half of them names as they are, the others variants."""
    surfaces = dict.fromkeys(rng.sample(list(names), min(n // 2, len(names))))
    while len(surfaces) < n:
        surfaces.setdefault(vary(rng.choice(names), rng))
    shuffled = list(surfaces)
    rng.shuffle(shuffled)
    return shuffled


def vary(name: str, rng: random.Random) -> str:
    """The name with a word left out, its words in another order, or a typing error; short ones get the error."""
    words = name.split()
    kind = rng.randrange(3) if len(words) > 1 else 2
    if kind == 0:
        del words[rng.randrange(len(words))]
    elif kind == 1:
        rng.shuffle(words)
    else:
        place = rng.randrange(len(words))
        at = rng.randrange(len(words[place]) + 1)
        rest = words[place][at + rng.randrange(2) :]
        words[place] = words[place][:at] + rng.choice(LETTERS) + rest
    return " ".join(words)


def make_documents(surfaces: Sequence[str], n_mentions: int, rng: random.Random) -> Iterator[LinkedDocument]:
    """Documents of NIL links, whose surfaces follow Zipf's law with exponent 1."""
    weights = list(accumulate(1 / rank for rank in range(1, len(surfaces) + 1)))
    done = 0
    while done < n_mentions:
        doc_id = f"note-{done:09}"
        n = min(rng.randint(MENTIONS_OF_DOCUMENT // 2, MENTIONS_OF_DOCUMENT * 3 // 2), n_mentions - done)
        drawn = rng.choices(surfaces, cum_weights=weights, k=n)
        ends = list(accumulate(len(surface) + 2 for surface in drawn))
        links = (
            Link(Mention(doc_id, end - len(surface), end, surface), (), None, "made-up", "")
            for surface, end in zip(drawn, ends, strict=True)
        )
        yield LinkedDocument(Document(doc_id, ""), tuple(links))
        done += n


@dataclass(frozen=True, slots=True)
class Measured:
    """A relinking.

    :param peak_mb: the largest resident size that any one of its processes reached so far, in MiB.
    """

    tally: Tally
    seconds: float
    peak_mb: float


def measure(recipe: Recipe, *, n_workers: int, out: Path, is_applied: bool) -> Measured:
    """Links everything in the log again, from loading the linker to the last change written and recorded."""
    started, tally = time.monotonic(), Tally()
    relinker = Relinker(recipe, (), ReviewLimits(), n_workers=n_workers, show_progress=True)
    with LinkLog.open(Workspace(recipe.workspace).link_log) as log, out.open("wb") as stream:
        relinking = log.relinking() if is_applied else None
        write_change_lines(relinker.changes(tally, into=relinking), stream, relinker.lexicon)
        if relinking is not None:
            relinking.commit(relinker.run, datetime.now(UTC))
    peaks = [resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return Measured(tally, time.monotonic() - started, max(peaks) / 1024)


def main() -> None:
    """Makes the log, links it again twice, and prints and appends the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mentions", type=int, default=1_000_000)
    parser.add_argument("--surfaces", type=int, default=100_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--ontology", default="hpo")
    parser.add_argument("--workspace", type=Path, default=default_workspace_root(), help="with the built index")
    parser.add_argument("--no-result", action="store_true", help="append no line")
    arguments = parser.parse_args()
    rng = random.Random(SEED)
    built = Recipe(arguments.workspace, ontology=arguments.ontology)
    names = load_linker(built).lexicon.names
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        for part in ("indexes", "lexicons"):
            (root / part).symlink_to(arguments.workspace.absolute() / part)
        recipe = replace(built, workspace=root, remembers=True)
        started = time.monotonic()
        with LinkLog.open(Workspace(root).link_log) as log:
            recorder = log.recorder(describe_run(recipe), datetime.now(UTC))
            surfaces = make_surfaces(names, arguments.surfaces, rng)
            for document in make_documents(surfaces, arguments.mentions, rng):
                recorder.add(document)
            recorder.flush()
        recording = time.monotonic() - started
        size = Workspace(root).link_log.stat().st_size / 2**20
        print(f"log of {arguments.mentions:,} mentions made in {recording:.0f} s, {size:.0f} MiB")
        runs = {
            "nothing remembered, all recorded": True,
            "vectors remembered, nothing changes": False,
        }
        for label, is_applied in runs.items():
            run = measure(recipe, n_workers=arguments.workers, out=root / "changes.jsonl", is_applied=is_applied)
            rate = run.tally.n_links / run.seconds
            print(
                f"{label:36} {run.tally.n_links:,} mentions, {run.tally.n_changed:,} changed  "
                f"{run.seconds / 60:.1f} min  {rate:,.0f} mentions/s  {run.peak_mb:.0f} MiB"
            )
            if not arguments.no_result:
                append_result(
                    "relink",
                    setting=label,
                    ontology=arguments.ontology,
                    workers=arguments.workers,
                    n=run.tally.n_links,
                    n_documents=run.tally.n_documents,
                    n_surfaces=arguments.surfaces,
                    changed=run.tally.n_changed,
                    seconds=round(run.seconds, 1),
                    mentions_per_second=round(rate),
                    peak_mib=round(run.peak_mb),
                    log_mib=round(size),
                    seed=SEED,
                )


if __name__ == "__main__":
    main()

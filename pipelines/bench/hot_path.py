"""Where the time goes when notes are linked: processor seconds by stage, from samples of the running code.

Usage: python -m pipelines.bench.hot_path --label before [--notes 2357] [--ontology hpo] [--json FILE]
Corpus: the mtsamples notes (CC0), as ``mtsamples/notes.jsonl.gz`` below $MEDLINK_BENCH_DATA.

A thread looks every few milliseconds where the main thread is. The innermost module of a stage on its stack gets the
sample, so nothing of what is measured is changed, and the same bench measures any version. One process, one thread of
computation; processor time, not time on the clock, as other work on the machine must not count. ``--json`` writes the
links, to compare two versions byte for byte.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from types import FrameType

from medlink.formats.links_json import dump_line
from medlink.linking.annotator import Annotator
from medlink.linking.assemble import load_annotator
from medlink.linking.recipe import Recipe
from medlink.records import Document
from medlink.store.workspace import default_workspace_root
from pipelines.bench.results import append_result, bench_data

INTERVAL = 0.002
WARM_UP = 32
OTHER = "other"
# The stage of a module, by the end of its file's name; the first that fits. The innermost frame that fits decides.
STAGES = (
    ("spacy/language.py", "words (spaCy's tokeniser)"),
    ("detection/sections.py", "sections"),
    ("detection/section_names.py", "sections"),
    ("detection/sentences.py", "sentences"),
    ("detection/abbreviations.py", "abbreviations"),
    ("detection/assertion.py", "assertion"),
    ("detection/assertion_scopes.py", "assertion"),
    ("detection/assertion_cues.py", "assertion"),
    ("detection/mentions.py", "mention records"),
    ("medlink/detection/", "names in the text"),
    ("medlink/encoder/", "encoder"),
    ("index/dense.py", "dense search"),
    ("index/vectors.py", "dense search"),
    ("index/ngrams.py", "n-gram search"),
    ("linking/context.py", "context"),
    ("linking/ranker.py", "ranking"),
    ("linking/features.py", "ranking"),
    ("linking/wording.py", "ranking"),
    ("linking/candidates.py", "ranking"),
    ("linking/linker.py", "ranking"),
    ("medlink/formats/", "output"),
)


class Sampler:
    """Counts in which stage the main thread is while the block runs."""

    def __init__(self) -> None:
        self.samples: Counter[str] = Counter()
        self._stages: dict[str, str | None] = {}
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._sample, args=(threading.get_ident(),), daemon=True)

    def __enter__(self) -> Sampler:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _sample(self, main: int) -> None:
        while not self._done.wait(INTERVAL):
            frame = sys._current_frames().get(main)
            if frame is not None:
                self.samples[self._stage(frame)] += 1

    def _stage(self, frame: FrameType | None) -> str:
        while frame is not None:
            name = frame.f_code.co_filename
            if name not in self._stages:
                self._stages[name] = next((stage for part, stage in STAGES if part in name), None)
            stage = self._stages[name]
            if stage is not None:
                return stage
            frame = frame.f_back
        return OTHER


def read_documents(n_notes: int) -> Iterator[Document]:
    """The first notes of the corpus."""
    with gzip.open(bench_data() / "mtsamples" / "notes.jsonl.gz", "rt", encoding="utf-8") as lines:
        for line in islice(lines, n_notes):
            note = json.loads(line)
            yield Document(str(note["id"]), note["text"])


def link_all(annotator: Annotator, documents: Iterable[Document]) -> tuple[list[str], int]:
    """The lines of all documents, and how many mentions they have."""
    lines, n_mentions = [], 0
    for linked in annotator.annotate(documents):
        lines.append(dump_line(linked, with_text=False))
        n_mentions += len(linked.links)
    return lines, n_mentions


def main() -> None:
    """Measures one version and appends its line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--label", required=True)
    parser.add_argument("--notes", type=int, default=2357)
    parser.add_argument("--ontology", default="hpo")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    recipe = Recipe(default_workspace_root(), ontology=arguments.ontology, n_threads=1)
    documents = list(read_documents(arguments.notes))
    warm, annotator = load_annotator(recipe), load_annotator(recipe)
    link_all(warm, documents[-WARM_UP:])  # imports, weights, tables of words; not the cache of rankings
    link_all(annotator, [Document("warm-up", "No names here.")])
    started, clock = time.process_time(), time.perf_counter()
    with Sampler() as sampler:
        lines, n_mentions = link_all(annotator, documents)
    seconds, elapsed = time.process_time() - started, time.perf_counter() - clock
    total = sum(sampler.samples.values())
    stages = {stage: n / total * seconds for stage, n in sampler.samples.most_common()}
    for stage, spent in stages.items():
        print(f"{stage:28} {spent:7.2f} s  {spent / seconds:6.1%}  {1000 * spent / len(documents):7.2f} ms a note")
    print(
        f"{'all':28} {seconds:7.2f} s  {len(documents) / seconds:.1f} notes/s, {n_mentions / seconds:.0f} mentions/s "
        f"({elapsed:.1f} s on the clock)"
    )
    if arguments.json:
        arguments.json.write_text("\n".join(lines) + "\n", encoding="utf-8")
    append_result(
        "hot_path",
        label=arguments.label,
        ontology=arguments.ontology,
        n=len(documents),
        mentions=n_mentions,
        cpu_seconds=round(seconds, 1),
        notes_per_cpu_second=round(len(documents) / seconds, 1),
        mentions_per_cpu_second=round(n_mentions / seconds),
        links_sha256=hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16],
        **{f"{stage} (s)": round(spent, 2) for stage, spent in stages.items()},
    )


if __name__ == "__main__":
    main()

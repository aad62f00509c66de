"""Encoders side by side: names a second, milliseconds a query, loading, memory, size; and what int8 or bfloat16 gain.

Usage: python -m pipelines.bench.encoders [--encoder NAME] [--base NAME] [--onnx] [--device cuda]
Data: names of HPO, evenly from the whole of it.

Each encoder runs in a process of its own, on one core. ``bert-base`` is a transformer of the size of SapBERT (110 M
parameters) with random weights, as speed does not depend on them; its word pieces are those of MiniLM. Variants of
``--base`` are compared with its float32 vectors. ``--onnx`` adds ONNX Runtime, which is no dependency of medlink.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from medlink.errors import MedlinkError
from medlink.ontology.catalogue import Catalogue, default_folder
from medlink.store.workspace import Workspace, default_workspace_root
from medlink.text import normalise
from medlink.training.run import load_lexicons
from pipelines.bench.encoder_variants import Plan, Speed
from pipelines.bench.results import append_result

ENCODERS = ("surface", "semantic", "both", "minilm")
BERT_BASE = "bert-base"
QUIET = {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}


@dataclass(frozen=True, slots=True)
class Row:
    """What one encoder came to.

    :param speed: ``None`` where it is not there; ``missing`` then says why.
    :param cosine: mean cosine between its vectors and those of the base in float32; ``None`` for other encoders.
    :param lowest_cosine: of any name.
    """

    name: str
    speed: Speed | None
    missing: str = ""
    cosine: float | None = None
    lowest_cosine: float | None = None


@dataclass(frozen=True, slots=True)
class Choice:
    """What the command line asks for.

    :param base: the transformer whose variants are measured; empty for none.
    :param n_names: of the ontology that are encoded.
    """

    encoders: tuple[str, ...]
    base: str
    variants: tuple[str, ...]
    bert_base: bool
    ontology: str
    n_names: int
    n_repeats: int
    seconds: float
    n_queries: int
    device: str


def read_names(ontology: str, n: int) -> tuple[str, ...]:
    """That many different names of an ontology at most, normalised, evenly from the whole of it."""
    catalogue = Catalogue([Workspace(default_workspace_root()).ontologies, default_folder()])
    (lexicon,) = load_lexicons([ontology], catalogue)
    texts = (name.text for concept in lexicon.concepts.values() for name in concept.names)
    names = [name for name in dict.fromkeys(map(normalise, texts)) if name]
    return tuple(names[:: max(1, len(names) // n)][:n])


def build_bert_base(folder: Path) -> Path:
    """A folder with a transformer of BERT's size, random weights, and the default encoder's tokenizer."""
    from transformers import AutoTokenizer, BertConfig, BertModel

    from medlink.encoder.default import MINILM, named_folder

    tokenizer = AutoTokenizer.from_pretrained(named_folder(MINILM), local_files_only=True)
    BertModel(BertConfig(vocab_size=len(tokenizer))).save_pretrained(folder, safe_serialization=True)
    tokenizer.save_pretrained(folder)
    return folder


def measure(name: str, subject: str, plan: Plan) -> Row:
    """The row of an encoder, measured in a fresh process."""
    command = [sys.executable, "-m", "pipelines.bench.encoder_variants", subject]
    finished = subprocess.run(
        command, input=json.dumps(asdict(plan)), capture_output=True, text=True, env=os.environ | QUIET, check=False
    )
    if finished.returncode:
        sys.stderr.write(finished.stderr)
        return Row(name, None, "failed; see standard error")
    figures = json.loads(finished.stdout.splitlines()[-1])
    if "missing" in figures:
        return Row(name, None, figures["missing"])
    return Row(name, Speed(**{**figures, "rates": tuple(figures["rates"])}))


def run(choice: Choice, folder: Path) -> Iterator[Row]:
    """The rows, one by one.

    :param folder: for what is thrown away afterwards.
    """
    names = read_names(choice.ontology, choice.n_names)

    def plan(vectors: Path) -> Plan:
        return Plan(names, choice.n_repeats, choice.seconds, choice.n_queries, str(vectors), choice.device)

    reference = folder / "base.npy"
    for name in choice.encoders:
        yield measure(name, name, plan(reference if name == choice.base else folder / "other.npy"))
    if choice.bert_base:
        yield measure(BERT_BASE, str(build_bert_base(folder / BERT_BASE)), plan(folder / "other.npy"))
    if choice.base and not reference.exists():
        yield measure(choice.base, choice.base, plan(reference))
    for variant in choice.variants if reference.exists() else ():
        subject, vectors = f"{choice.base}:{variant}", folder / "variant.npy"
        row = measure(subject, subject, plan(vectors))
        yield _compared(row, np.load(reference), np.load(vectors)) if row.speed else row


def _compared(row: Row, reference: np.ndarray, vectors: np.ndarray) -> Row:  # type: ignore[type-arg]
    cosines = (reference * vectors).sum(axis=1)  # unit vectors; (n_names,)
    return Row(row.name, row.speed, cosine=float(cosines.mean()), lowest_cosine=float(cosines.min()))


HEADER = (
    "| encoder | names a second [slowest, fastest pass] | one query, ms | 95 % below | load s | peak MiB | disk MiB "
    "| cosine to float32, mean (lowest) |\n|---|---|---|---|---|---|---|---|"
)


def markdown(row: Row) -> str:
    """A row of the table."""
    if row.speed is None:
        return f"| {row.name} | not there: {row.missing} | | | | | | |"
    speed = row.speed
    rates = f"{statistics.median(speed.rates):,.0f} [{min(speed.rates):,.0f}, {max(speed.rates):,.0f}]"
    cosine = "" if row.cosine is None else f"{row.cosine:.4f} ({row.lowest_cosine:.4f})"
    cells = [
        row.name,
        rates,
        f"{speed.query_ms:.1f}",
        f"{speed.query_p95_ms:.1f}",
        f"{speed.load_s:.1f}",
        f"{speed.peak_mib:.0f}",
        f"{speed.disk_mib:.1f}",
        cosine,
    ]
    return f"| {' | '.join(cells)} |"


def parse(argv: Sequence[str] | None) -> tuple[Choice, Path | None]:
    """What the command line asks for, and the file for the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--encoder", action="append", metavar="NAME", help=f"default: {', '.join(ENCODERS)}")
    parser.add_argument("--base", default="minilm", help="transformer whose variants are measured; '' for none")
    parser.add_argument("--onnx", action="store_true", help="also in ONNX Runtime")
    parser.add_argument("--no-bert-base", action="store_true")
    parser.add_argument("--ontology", default="hpo", help="of the catalogue, or an OBO file")
    parser.add_argument("--n-names", type=int, default=2000)
    parser.add_argument("--n-repeats", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=30.0, help="after which no other pass is begun")
    parser.add_argument("--n-queries", type=int, default=200, help="names that are encoded one at a time")
    parser.add_argument("--out", type=Path, help="a Markdown file for the table")
    parser.add_argument("--device", default="cpu", help="a torch device; int8 and ONNX are measured on a CPU alone")
    given = parser.parse_args(argv)
    on_cpu = ("int8", *(("onnx", "onnx-int8") if given.onnx else ())) if given.device == "cpu" else ()
    choice = Choice(
        encoders=tuple(given.encoder or ENCODERS),
        base=given.base,
        variants=("bfloat16", *on_cpu) if given.base else (),
        bert_base=not given.no_bert_base,
        ontology=given.ontology,
        n_names=given.n_names,
        n_repeats=given.n_repeats,
        seconds=given.seconds,
        n_queries=given.n_queries,
        device=given.device,
    )
    return choice, given.out


def main(argv: Sequence[str] | None = None) -> int:
    """Measures all encoders and prints one table; 1 where something was wrong."""
    choice, out = parse(argv)
    lines = [HEADER]
    print(HEADER)
    try:
        with tempfile.TemporaryDirectory() as folder:
            for row in run(choice, Path(folder)):
                lines.append(markdown(row))
                print(lines[-1], flush=True)
                _keep(row, choice)
    except MedlinkError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    if out is not None:
        out.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return 0


def _keep(row: Row, choice: Choice) -> None:
    """Appends the row to the results, if the encoder is there."""
    if row.speed is None:
        return
    append_result(
        "encoders",
        encoder=row.name,
        ontology=choice.ontology,
        n=choice.n_names,
        n_passes=len(row.speed.rates),
        names_per_second=round(statistics.median(row.speed.rates), 1),
        slowest=round(min(row.speed.rates), 1),
        fastest=round(max(row.speed.rates), 1),
        query_ms=round(row.speed.query_ms, 2),
        query_p95_ms=round(row.speed.query_p95_ms, 2),
        load_s=round(row.speed.load_s, 2),
        peak_mib=round(row.speed.peak_mib),
        disk_mib=round(row.speed.disk_mib, 1),
        cosine=None if row.cosine is None else round(row.cosine, 5),
        lowest_cosine=None if row.lowest_cosine is None else round(row.lowest_cosine, 5),
        threads=1,
        device=_describe(choice.device),
    )


def _describe(device: str) -> str:
    """A device with the name of its maker."""
    if not device.startswith("cuda"):
        return device
    import torch

    return f"{device}: {torch.cuda.get_device_name(device)}"


if __name__ == "__main__":
    sys.exit(main())

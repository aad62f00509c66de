"""What each objective and each pair loss makes of the same small budget: one row each, beside no training.

Usage: python -m pipelines.bench.ablation [--steps 60] [--batch-size 64] [--only NAME] [--out FOLDER]
Data: the synonyms of HPO, a share of them held out by hash.

All rows share steps, pairs a step, rate, seed, encoder, and concepts of like names in a batch; those that learn from
synonyms see the very same batches. ``simclr`` and ``byol`` learn from two views of a name, ``clip`` from names and
definitions. The pair losses have the temperatures and margins of their papers. Beware when reading the table:

- Batches hold one pair a concept, so every query has one positive. Then n_pair, supervised_contrastive and
  synonym_marginalisation are info_nce at other temperatures (see ``medlink.contrastive.losses.softmax``): n_pair and
  synonym_marginalisation, on inner products as in their papers, are one loss and must give one figure.
- symmetric_info_nce is left out: on one tower's square matrix it is info_nce.
- One seed, one rate for all: a row far behind may want another rate, rows whose intervals overlap are not told apart.

With ``--out`` a row that is there with the same setting is not trained again; its weights are not kept.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import statistics
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file

from medlink.contrastive.diagnostics import CollapseGuard
from medlink.encoder.loading import load_encoder
from medlink.encoder.transformer import EncoderSettings, TransformerEncoder
from medlink.encoder.transformer_tower import TowerSettings, TransformerTower
from medlink.errors import MedlinkError, SettingError
from medlink.ontology.catalogue import Catalogue, default_folder
from medlink.ontology.lexicon import Lexicon
from medlink.store.workspace import Workspace, default_workspace_root
from medlink.text import normalise
from medlink.training.corpus import Corpus, build_corpus
from medlink.training.dev_set import DevSet, build_dev_set
from medlink.training.guard import CollapseError
from medlink.training.recipe import Recipe, TransformerSection
from medlink.training.run import RunOptions, load_lexicons, train
from pipelines.bench.ablation_trials import DTYPE, SEED, TRIALS, Budget, Trial, recipe_of
from pipelines.bench.results import append_result

N_RESAMPLES = 1000


@dataclass(frozen=True, slots=True)
class Figures:
    """What an encoder comes to on the held-out names.

    :param found: share of them whose nearest name, by cosine, is one of their concept's.
    :param low: of the interval that holds 95 % of the bootstrap values of ``found``; ``high`` likewise.
    :param effective_rank: of held-out names and the preferred names of their concepts together, as ``uniformity``.
    :param alignment: between each held-out name and its concept's preferred name.
    """

    n_queries: int
    n_names: int
    found: float
    low: float
    high: float
    effective_rank: float
    alignment: float
    uniformity: float


@dataclass(frozen=True, slots=True)
class Row:
    """What a training came to.

    :param step_s: median seconds a step.
    :param note: why the training ended early, or what the guard says of its end; empty where all is well.
    :param figures: ``None`` where the training collapsed.
    """

    name: str
    pairs: str
    remark: str
    n_steps: int
    step_s: float | None
    note: str
    figures: Figures | None


def run_row(trial: Trial, budget: Budget, lexicons: Sequence[Lexicon], out: Path) -> tuple[Row, bool]:
    """The row, and whether it was trained just now; read from ``out`` where it is there with the same setting."""
    recipe = recipe_of(trial, budget)
    folder = out / f"{trial.name.replace(' ', '-')}-{_hash(recipe, budget, lexicons)}"
    kept = folder / "row.json"
    if kept.exists():
        return _read_row(kept), False
    row = _measure(trial, budget, recipe, lexicons, folder)
    for heavy in ("checkpoint", "encoder", "last"):
        shutil.rmtree(folder / heavy, ignore_errors=True)
    kept.write_text(json.dumps(asdict(row), indent=2) + "\n", encoding="utf-8")
    return row, True


def _read_row(path: Path) -> Row:
    fields = json.loads(path.read_text(encoding="utf-8"))
    figures = fields.pop("figures")
    return Row(**fields, figures=None if figures is None else Figures(**figures))


def _hash(recipe: Recipe, budget: Budget, lexicons: Sequence[Lexicon]) -> str:
    """What the row's figures depend on, as eight hex digits."""
    contents = " ".join(lexicon.content_hash for lexicon in lexicons)
    setting = f"{recipe.model_dump_json()} {budget.n_queries} {budget.n_names} {contents}"
    return hashlib.sha256(setting.encode()).hexdigest()[:8]


def _measure(trial: Trial, budget: Budget, recipe: Recipe, lexicons: Sequence[Lexicon], folder: Path) -> Row:
    """Trains and looks at the last weights."""
    try:
        train(recipe, lexicons, folder, RunOptions(resume=True))
        data = recipe.data
        corpus = build_corpus(lexicons, scopes=data.scopes, dev_share=data.dev_share, spare_lineage=data.spare_lineage)
        figures, note = look_at(last_encoder(recipe, folder), corpus, budget)
    except CollapseError as error:
        figures, note = None, f"collapsed: {error}"
    seconds = _step_seconds(folder) if recipe.train.learning_rate > 0 else []
    return Row(
        name=trial.name,
        pairs=recipe.data.pairs if seconds else "",
        remark=trial.remark,
        n_steps=len(seconds),
        step_s=round(statistics.median(seconds), 2) if seconds else None,
        note=note,
        figures=figures,
    )


def _step_seconds(folder: Path) -> list[float]:
    """The seconds of each step in a training's journal."""
    lines = map(json.loads, (folder / "steps.jsonl").read_text(encoding="utf-8").splitlines())
    return [line["seconds"] for line in lines if line["kind"] == "step"]


def last_encoder(recipe: Recipe, folder: Path) -> TransformerEncoder:
    """The encoder after the last step; ``encoder/`` holds the best one, which may be the one before the first."""
    section = recipe.encoder
    start = load_encoder(section.name)
    if not isinstance(start, TransformerEncoder) or not isinstance(section, TransformerSection):
        raise TypeError("the ablation trains transformers")
    pooling, max_length = section.pooling, section.max_length
    encoder = TransformerTower(start.folder, TowerSettings(pooling, max_length))
    encoder.load_state_dict(load_file(folder / "checkpoint" / "encoder.safetensors"))
    encoder.save(folder / "last")
    return TransformerEncoder(folder / "last", EncoderSettings(pooling, max_length, dtype=DTYPE, n_threads=1))


def look_at(encoder: TransformerEncoder, corpus: Corpus, budget: Budget) -> tuple[Figures, str]:
    """What an encoder makes of a corpus' held-out names, and what the collapse guard says of that.

    :raises SettingError: when no name is held out.
    """
    dev = build_dev_set(corpus, n_queries=budget.n_queries, n_names=budget.n_names)
    if not dev.queries:
        raise SettingError("no name is held out", where="dev_share", got=str(budget.dev_share))
    queries, names = (torch.from_numpy(encoder.encode(texts)) for texts in (dev.queries, dev.names))
    nearest = (queries @ names.T).argmax(dim=1).tolist()
    found = sum(not gold.isdisjoint(dev.bearers[row]) for gold, row in zip(dev.gold, nearest, strict=True))
    pairs = _preferred_rows(corpus, dev)
    report = CollapseGuard().inspect(queries[[query for query, _ in pairs]], names[[row for _, row in pairs]])
    share = found / len(dev.queries)
    low, high = interval(share, len(dev.queries))
    figures = Figures(
        n_queries=len(dev.queries),
        n_names=len(dev.names),
        found=round(share, 4),
        low=round(low, 4),
        high=round(high, 4),
        effective_rank=round(report.effective_rank, 1),
        alignment=round(report.alignment, 3),
        uniformity=round(report.uniformity, 3),
    )
    return figures, "; ".join(report.reasons)


def _preferred_rows(corpus: Corpus, dev: DevSet) -> list[tuple[int, int]]:
    """Each query with the row of the preferred name of one of its concepts; without those that were cut off."""
    row_of = {name: row for row, name in enumerate(dev.names)}
    pairs = []
    for query, codes in enumerate(dev.gold):
        names = [normalise(corpus.entries[code].names[0]) for code in sorted(codes) if corpus.entries[code].names]
        pairs += [(query, row_of[name]) for name in names if name in row_of][:1]
    return pairs


def interval(share: float, n: int) -> tuple[float, float]:
    """The 2.5th and 97.5th percentile of a bootstrap over n names of which this share was found.

    A resample of n yes-or-no answers has a binomial number of yes.
    """
    drawn = np.random.default_rng(SEED).binomial(n, share, size=N_RESAMPLES) / n
    low, high = np.percentile(drawn, [2.5, 97.5])
    return float(low), float(high)


def markdown(rows: Sequence[Row], budget: Budget) -> str:
    """The rows as a table, with the budget above it."""
    looked = next((row.figures for row in rows if row.figures), None)
    sizes = f"{looked.n_queries:,} held-out names, looked up among {looked.n_names:,}" if looked else "nothing found"
    lines = [
        f"{budget.steps} steps of {budget.batch_size} pairs, rate {budget.learning_rate:g}, encoder {budget.encoder}, "
        f"{DTYPE}, seed {SEED}; {budget.ontology}: {sizes}.",
        "",
        "| | pairs | setting | found [95 %] | effective rank | alignment | uniformity | s a step | |",
        "|---|---|---|---|---|---|---|---|---|",
        *(f"| {' | '.join(_cells(row))} |" for row in rows),
    ]
    return "\n".join(lines) + "\n"


def _cells(row: Row) -> list[str]:
    shown = ["–"] * 4
    if (figures := row.figures) is not None:
        shown = [
            f"{figures.found:.3f} [{figures.low:.3f}, {figures.high:.3f}]",
            f"{figures.effective_rank:.0f}",
            f"{figures.alignment:.3f}",
            f"{figures.uniformity:.2f}",
        ]
    seconds = "–" if row.step_s is None else f"{row.step_s:.2f}"
    return [row.name, row.pairs, row.remark, *shown, seconds, row.note]


def run_rows(
    trials: Sequence[Trial], budget: Budget, lexicons: Sequence[Lexicon], out: Path
) -> Iterator[tuple[Row, bool]]:
    """The rows one by one, each with whether it was trained just now; ``out/ablation.md`` keeps up with them."""
    out.mkdir(parents=True, exist_ok=True)
    rows: list[Row] = []
    for trial in trials:
        row, is_new = run_row(trial, budget, lexicons, out)
        rows.append(row)
        (out / "ablation.md").write_text(markdown(rows, budget), encoding="utf-8")
        yield row, is_new


def parse(argv: Sequence[str] | None) -> tuple[Budget, list[Trial], Path | None]:
    """The budget, the rows and the folder that the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = Budget()
    parser.add_argument("--steps", type=int, default=default.steps)
    parser.add_argument("--batch-size", type=int, default=default.batch_size, help="pairs a step")
    parser.add_argument("--learning-rate", type=float, default=default.learning_rate)
    parser.add_argument("--dev-share", type=float, default=default.dev_share, help="of the synonyms, held out")
    parser.add_argument("--n-queries", type=int, default=default.n_queries, help="held-out names, at most")
    parser.add_argument("--n-names", type=int, default=default.n_names, help="names to find, at most")
    parser.add_argument("--ontology", default=default.ontology, help="of the catalogue, or an OBO file")
    parser.add_argument("--encoder", default=default.encoder, help="the transformer to start from, or its folder")
    parser.add_argument("--only", action="append", choices=[trial.name for trial in TRIALS], metavar="NAME")
    parser.add_argument("--out", type=Path, help="keeps the rows, their curves and a Markdown table")
    given = vars(parser.parse_args(argv))
    only, out = given.pop("only"), given.pop("out")
    return Budget(**given), [trial for trial in TRIALS if not only or trial.name in only], out


def main(argv: Sequence[str] | None = None) -> int:
    """Trains what is not there yet and prints the table; 1 where something was wrong."""
    budget, trials, out = parse(argv)
    rows = []
    try:
        catalogue = Catalogue([Workspace(default_workspace_root()).ontologies, default_folder()])
        lexicons = load_lexicons([budget.ontology], catalogue)
        with tempfile.TemporaryDirectory() as spare:
            for row, is_new in run_rows(trials, budget, lexicons, out or Path(spare)):
                rows.append(row)
                _tell(row, budget, is_new=is_new)
    except MedlinkError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    print(markdown(rows, budget), end="")
    return 0


def _tell(row: Row, budget: Budget, *, is_new: bool) -> None:
    """Says on standard error that a row is done; one that was trained just now goes to the results."""
    outcome = f"{row.figures.found:.3f} found" if row.figures else "collapsed"
    print(f"{row.name}: {outcome}{'' if is_new else ', as before'}", file=sys.stderr, flush=True)
    if not is_new:
        return
    append_result(
        "ablation",
        row=row.name,
        pairs=row.pairs,
        setting=row.remark,
        ontology=budget.ontology,
        encoder=budget.encoder,
        steps=row.n_steps,
        batch_size=budget.batch_size,
        learning_rate=budget.learning_rate,
        dtype=DTYPE,
        seed=SEED,
        **(asdict(row.figures) if row.figures else {}),
        step_s=row.step_s,
        note=row.note,
    )


if __name__ == "__main__":
    torch.set_num_threads(1)
    sys.exit(main())

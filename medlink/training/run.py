"""A whole training: from a recipe to a folder with the encoder, its journal and its curves."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from tqdm import tqdm

from medlink import __version__
from medlink.errors import MedlinkError, SettingError
from medlink.extras import import_extra
from medlink.ontology.catalogue import Catalogue, load_ontology
from medlink.ontology.lexicon import Lexicon
from medlink.store.artifacts import Facts, write_artifact
from medlink.training.accelerator import join_processes
from medlink.training.checkpoint import Progress, load_checkpoint, save_checkpoint
from medlink.training.corpus import build_corpus
from medlink.training.dev_set import DevSet, build_dev_set
from medlink.training.journal import Journal
from medlink.training.pairs import PairSampler
from medlink.training.recipe import Recipe
from medlink.training.start import make_encoder, open_trained
from medlink.training.trainer import Trainer

logger = logging.getLogger(__name__)

ENCODER_KIND = "trained-encoder.v1"


@dataclass(frozen=True, slots=True)
class RunOptions:
    """How a training runs; none of it changes what is learned, but for the device's rounding.

    :param device: ``cpu``, ``cuda`` or ``mps``.
    :param resume: go on from the last checkpoint in the folder, where there is one.
    """

    device: str = "cpu"
    resume: bool = False
    show_progress: bool = False


@dataclass(frozen=True, slots=True)
class Summary:
    """What a training came to.

    :param outcome: "finished" or "stopped early".
    :param encoder: the folder of the best encoder by dev accuracy.
    :param first_accuracy: on the dev set before training.
    :param best_accuracy: of the encoder that was kept, reached after ``best_step`` steps.
    :param kept_accuracy: of the same as it is read from its folder: in few bits, or in other numbers than in training.
    :param seconds: of this run; of its last part where it was resumed.
    """

    outcome: str
    encoder: str
    n_steps: int
    first_accuracy: float
    best_accuracy: float
    best_step: int
    kept_accuracy: float
    n_concepts: int
    n_dev: int
    ontologies: tuple[str, ...]
    recipe: dict[str, object]
    version: str
    torch: str
    device: str
    dtype: str
    seconds: float


def load_lexicons(names: Sequence[str], catalogue: Catalogue, *, show_progress: bool = False) -> tuple[Lexicon, ...]:
    """The lexicons of some ontologies: files whole, those of the catalogue cut to their default branch.

    :raises UnknownNameError: when a name is neither a file's nor in the catalogue.
    """
    lexicons = []
    for name in names:
        path = Path(name).expanduser()
        source = path if path.is_file() else catalogue.get(name)
        lexicon = Lexicon(load_ontology(source, show_progress=show_progress))
        lexicons.append(lexicon if isinstance(source, Path) else lexicon.branch(*source.branch))
    return tuple(lexicons)


def train(recipe: Recipe, lexicons: Sequence[Lexicon], out: Path, options: RunOptions) -> Summary:
    """Train an encoder by a recipe; ``out`` then holds ``encoder/``, ``steps.jsonl``, ``curves.png``, ``recipe.json``.

    A run that was cut off and resumed gives the same encoder as one that was not; on a CPU bit for bit, as long as the
    number of threads and of processes stays. Under ``accelerate launch`` all processes call this; the first one writes.

    :raises SettingError: when ``out`` holds another training, or a setting is out of its range.
    :raises CollapseError: when the representation collapses; journal and curves tell how.
    :raises MissingExtraError: when the packages of the extra ``train`` are not installed.
    """
    checkpoint = out / "checkpoint"
    if not options.resume and ((out / "steps.jsonl").exists() or checkpoint.exists()):
        raise SettingError(
            "this folder holds a training already", where=str(out), hint="Resume it, or choose another folder."
        )
    trainer, dev = _set_up(recipe, lexicons, options)
    processes = trainer.processes
    progress = load_checkpoint(checkpoint, trainer) if options.resume and checkpoint.exists() else Progress()
    processes.wait()  # all have looked at the folder before the first one writes
    journal = Journal(out / "steps.jsonl", is_kept=processes.is_first)
    if processes.is_first:
        out.mkdir(parents=True, exist_ok=True)
        (out / "recipe.json").write_text(recipe.model_dump_json(indent=2) + "\n", encoding="utf-8")
    journal.rewind(progress.n_done)
    began = time.perf_counter()
    try:
        # Each step seeds torch's generators; the caller's are put back at the end.
        with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
            progress = _Run(trainer, dev, out, journal).go(progress, show_progress=options.show_progress)
    except MedlinkError as error:
        journal.write("summary", {"outcome": "stopped", "reason": str(error), "step": trainer.n_done})
        journal.draw(out / "curves.png")
        raise
    processes.wait()  # the encoder is written
    summary = _summarise(progress, trainer, dev, lexicons, out=out, seconds=time.perf_counter() - began)
    journal.write("summary", asdict(summary))
    journal.draw(out / "curves.png")
    return summary


def _set_up(recipe: Recipe, lexicons: Sequence[Lexicon], options: RunOptions) -> tuple[Trainer, DevSet]:
    processes = join_processes(options.device)
    import_extra("matplotlib", what="training")  # hours later the curves need it
    data = recipe.data
    corpus = build_corpus(
        lexicons,
        scopes=data.scopes,
        dev_share=data.dev_share,
        spare_lineage=data.spare_lineage,
        weights=data.weights,
    )
    sampler = PairSampler(corpus, data, batch_size=recipe.train.batch_size, seed=recipe.train.seed)
    encoder = make_encoder(recipe, corpus, device=options.device)
    dev = build_dev_set(corpus, n_queries=data.dev_queries, n_names=data.dev_names)
    logger.info("%d concepts to learn from, %d names held out", sampler.n_concepts, len(corpus.held_out))
    return Trainer(recipe, encoder, sampler, processes), dev


class _Run:
    """The loop around the steps: looks at the dev set, keeps the best, writes checkpoints, knows when to end."""

    def __init__(self, trainer: Trainer, dev: DevSet, out: Path, journal: Journal) -> None:
        self._trainer, self._dev, self._out, self._journal = trainer, dev, out, journal

    def go(self, progress: Progress, *, show_progress: bool) -> Progress:
        settings = self._trainer.recipe.train
        if progress.n_done == 0:
            progress = self._evaluate(progress)
        shown = show_progress and self._trainer.processes.is_first
        with tqdm(total=settings.steps, initial=progress.n_done, desc="training", disable=not shown) as bar:
            while progress.n_done < settings.steps and not self._is_over(progress):
                result = self._trainer.advance()
                self._journal.write_step(result)
                bar.set_postfix(loss=f"{result.parts['loss']:.3f}", dev=f"{progress.best_accuracy:.3f}")
                bar.update()
                n_bad = self._trainer.watch.n_bad
                progress = progress.model_copy(update={"n_done": result.step, "n_bad": n_bad})
                last = result.step == settings.steps
                if last or result.step % settings.evaluate_every == 0:
                    progress = self._evaluate(progress)
                if last or self._is_over(progress) or result.step % settings.checkpoint_every == 0:
                    self._save(progress)
        return progress

    def _is_over(self, progress: Progress) -> bool:
        patience = self._trainer.recipe.train.patience
        return patience > 0 and progress.n_worse >= patience

    def _evaluate(self, progress: Progress) -> Progress:
        """The progress with a look at the dev set; the encoder is kept if it is the best yet (or there is no set)."""
        accuracy = self._trainer.processes.agree(self._dev.accuracy(self._trainer.encode))
        self._journal.write("evaluation", {"step": progress.n_done, "accuracy": accuracy})
        first = accuracy if progress.n_done == 0 else progress.first_accuracy
        if accuracy <= progress.best_accuracy and self._dev.queries:
            return progress.model_copy(update={"n_worse": progress.n_worse + 1})
        self._keep(accuracy, progress.n_done)
        best = {"first_accuracy": first, "best_accuracy": accuracy, "best_step": progress.n_done, "n_worse": 0}
        return progress.model_copy(update=best)

    def _save(self, progress: Progress) -> None:
        if self._trainer.processes.is_first:
            save_checkpoint(self._out / "checkpoint", self._trainer, progress)

    def _keep(self, accuracy: float, n_steps: int) -> None:
        if not self._trainer.processes.is_first:
            return

        def fill(target: Path) -> Facts:
            self._trainer.encoder.save(target)
            return {"medlink": __version__, "dev_accuracy": accuracy, "n_steps": n_steps}

        write_artifact(self._out / "encoder", fill, kind=ENCODER_KIND)


def _summarise(
    progress: Progress, trainer: Trainer, dev: DevSet, lexicons: Sequence[Lexicon], *, out: Path, seconds: float
) -> Summary:
    steps, device = trainer.recipe.train.steps, next(trainer.encoder.module.parameters()).device
    kept = open_trained(out / "encoder", trainer.recipe.encoder, device=str(device))
    return Summary(
        outcome="finished" if progress.n_done == steps else "stopped early",
        encoder=str(out / "encoder"),
        n_steps=progress.n_done,
        first_accuracy=progress.first_accuracy,
        best_accuracy=progress.best_accuracy,
        best_step=progress.best_step,
        kept_accuracy=dev.accuracy(lambda texts: torch.from_numpy(kept.encode(texts))),
        n_concepts=trainer.sampler.n_concepts,
        n_dev=len(dev.queries),
        ontologies=tuple(f"{lexicon.ontology_name} {lexicon.version} {lexicon.content_hash}" for lexicon in lexicons),
        recipe=trainer.recipe.model_dump(mode="json"),
        version=__version__,
        torch=torch.__version__,
        device=str(device),
        dtype=trainer.encoder.dtype,
        seconds=round(seconds, 1),
    )

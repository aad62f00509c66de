"""The training step, the same for all objectives: a batch in, a small record out, the encoder a little better."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace

import torch
from pydantic import TypeAdapter, ValidationError
from torch import Tensor

from medlink.contrastive.diagnostics import CollapseReport
from medlink.contrastive.exclusion import RelatedConcepts
from medlink.contrastive.grad_cache import GradCache
from medlink.contrastive.objectives.protocol import Batch, Objective, Towers
from medlink.contrastive.objectives.registry import OBJECTIVES, build_objective
from medlink.contrastive.objectives.regularised import Regularised, Spread
from medlink.encoder.trainable import TrainableEncoder
from medlink.errors import SettingError
from medlink.training.guard import CollapseError, CollapseWatch
from medlink.training.optimiser import make_optimiser, rate_share
from medlink.training.pairs import PairSampler
from medlink.training.processes import Processes, SharedCache
from medlink.training.recipe import Recipe

# VICReg's ratio of covariance to variance.
_COVARIANCE_SHARE = 0.04


@dataclass(frozen=True, slots=True)
class StepResult:
    """What a step came to.

    :param step: its number, from 1.
    :param parts: the objective's figures, at least "loss".
    :param rate: the highest learning rate in use.
    :param gradient_norm: before clipping.
    :param collapse: what the guard saw, where it looked.
    """

    step: int
    n_pairs: int
    parts: Mapping[str, float]
    rate: float
    gradient_norm: float
    collapse: CollapseReport | None
    seconds: float


class Trainer:
    """An encoder under an objective; :meth:`advance` makes one step.

    Random numbers are a function of the recipe's seed and the step's number, so the state is: weights, optimiser,
    objective with its memory bank, the sampler's neighbourhoods, the watch, and the number of steps done.

    :param processes: all of which draw the same batches, and share the work of learning from them.
    """

    def __init__(self, recipe: Recipe, encoder: TrainableEncoder, sampler: PairSampler, processes: Processes) -> None:
        self.recipe, self.encoder, self.sampler, self.processes = recipe, encoder, sampler, processes
        self.encoder.module.to(processes.device)
        self._cache = _make_cache(encoder, recipe, processes)
        self.objective = make_objective(recipe, self._towers(), sampler)
        self.optimiser = make_optimiser(self.encoder, self.objective.parameters(), recipe.train)
        self.watch = CollapseWatch(recipe.guard)
        self.n_done = 0

    def _towers(self) -> Towers[list[str]]:
        encode: Callable[[list[str]], Tensor] = self._cache or self.encoder
        return Towers(
            query=encode,
            key=encode,
            width=self.encoder.width,
            module=self.encoder.module,
            encode_items=lambda items: self.encode([self.sampler.item_text(item) for item in items.tolist()]),
            device=self.processes.device,
        )

    def advance(self) -> StepResult:
        """One step.

        :raises CollapseError: when the loss is not finite, or the watch gives up; the encoder is then of no use.
        """
        began, settings = time.perf_counter(), self.recipe.train
        if self.n_done in self.recipe.data.mine_at:
            self.sampler.mine(self.encode)
        torch.manual_seed(settings.seed * 1_000_003 + self.n_done)
        share = rate_share(self.n_done, settings)
        self.optimiser.set_rates(share)
        batch = self._moved(self.sampler.batch(self.n_done))
        self.encoder.module.train()
        self.optimiser.zero_grad()
        made = self.objective.loss(batch)
        parts = {name: float(part) for name, part in made.parts.items()}
        if not math.isfinite(parts["loss"]):
            raise CollapseError("the loss is not finite", where=f"step {self.n_done + 1}", got=str(parts["loss"]))
        self._backward(made.loss)
        norm = self.optimiser.clip(settings.clip)
        self.optimiser.step()
        self.objective.after_step()
        self.n_done += 1
        return StepResult(
            step=self.n_done,
            n_pairs=len(batch.first),
            parts=parts,
            rate=settings.learning_rate * share,
            gradient_norm=norm,
            collapse=self.watch.look(self.n_done, made.first, made.second),
            seconds=time.perf_counter() - began,
        )

    def _backward(self, loss: Tensor) -> None:
        """Bring the gradients of the whole batch to all parameters."""
        torch.autograd.backward(loss)
        if self._cache is not None:
            self._cache.backward()
        self.processes.sum_gradients(self.encoder.module.parameters())
        # These every process has in full; the mean keeps a device's rounding from driving them apart.
        self.processes.sum_gradients(self.objective.parameters(), share=1 / self.processes.n)

    def _moved(self, batch: Batch[list[str]]) -> Batch[list[str]]:
        """The batch with its tensors where the embeddings will be."""
        device = self.processes.device
        return replace(
            batch,
            concepts=batch.concepts.to(device),
            ignored=None if batch.ignored is None else batch.ignored.to(device),
            items=None if batch.items is None else batch.items.to(device),
        )

    @torch.no_grad()
    def encode(self, texts: Sequence[str]) -> Tensor:
        """The vectors of some texts without dropout and graph. *Shape:* (n_texts, width)."""
        training = self.encoder.module.training
        self.encoder.module.eval()
        vectors = self.encoder(texts)
        self.encoder.module.train(training)
        return vectors


def _make_cache(
    encoder: TrainableEncoder, recipe: Recipe, processes: Processes
) -> GradCache[list[str]] | SharedCache | None:
    """What stands between objective and encoder; nothing where one process encodes the whole batch in one chunk."""
    if processes.n == 1 and recipe.train.chunk_size >= recipe.train.batch_size:
        return None
    cache = GradCache[list[str]](encoder, chunk_size=recipe.train.chunk_size)
    return cache if processes.n == 1 else SharedCache(cache, processes)


def make_objective(recipe: Recipe, towers: Towers[list[str]], sampler: PairSampler) -> Objective[list[str]]:
    """The objective of a recipe; what it needs to know of the training and the ontologies is filled in.

    :raises UnknownNameError: when no objective has that name.
    :raises SettingError: when it has no such option, or one of another type.
    """
    section = recipe.objective
    options: dict[str, object] = dict(section.options)
    if section.name in OBJECTIVES:
        kind, kin = OBJECTIVES[section.name].settings, sampler.corpus.kin
        filled = {"n_steps": recipe.train.steps, "seed": recipe.train.seed}
        known = {field.name for field in fields(kind)}
        options = {name: value for name, value in filled.items() if name in known} | options
        if "excluded" in known and len(kin):
            options["excluded"] = RelatedConcepts(kin)
        if options.keys() <= known:
            _check_options(kind, options)
    objective = build_objective(section.name, towers, options)
    if section.spread == 0:
        return objective
    return Regularised(objective, Spread(section.spread, section.spread * _COVARIANCE_SHARE))


def _check_options(kind: type[object], options: Mapping[str, object]) -> None:
    try:
        TypeAdapter(kind).validate_python(options)
    except ValidationError as error:
        first = error.errors()[0]
        raise SettingError(
            first["msg"].lower(),
            where=".".join(map(str, ("objective.options", *first["loc"]))),
            got=repr(first["input"]),
        ) from error

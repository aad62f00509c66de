"""Training of a surface tower on synonym pairs: one step, and the loop around it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from tqdm import tqdm

from medlink.contrastive.exclusion import RelatedConcepts
from medlink.contrastive.losses.softmax import symmetric_info_nce
from medlink.contrastive.similarity import Pairs, inner_products
from medlink.encoder.ngram_features import FeatureSettings, extract_features
from medlink.encoder.surface_tower import SurfaceTower
from medlink.errors import EncoderError, SettingError
from medlink.training.row_adagrad import RowAdagrad
from medlink.training.surface_batches import PairBatch, PairSampler, mine_neighbours
from medlink.training.surface_checkpoint import TrainingState, load_state, save_state
from medlink.training.synonyms import Synonyms


@dataclass(frozen=True, slots=True)
class SurfaceTraining:
    """How a surface tower is trained.

    :param n_steps: batches.
    :param rate: of :class:`RowAdagrad`, reached after ``n_warm_up`` steps; from the first on it falls to 0 in a line.
    :param temperature: of InfoNCE.
    :param mine_at: steps before which each concept's neighbours are found with the tower as it is; none for batches
        drawn at random throughout.
    :param n_group: a neighbourhood's concepts.
    :param near_share: the share of a batch that neighbourhoods fill once there are some.
    :raises SettingError: when a number is out of its range.
    """

    n_steps: int = 300
    batch_size: int = 1024
    width: int = 256
    rate: float = 0.6
    n_warm_up: int = 20
    temperature: float = 0.05
    augmented: float = 0.2
    mine_at: tuple[int, ...] = ()
    n_group: int = 8
    near_share: float = 0.25
    seed: int = 0

    def __post_init__(self) -> None:
        for name, least in (("n_steps", 1), ("batch_size", 2), ("width", 2), ("n_warm_up", 1), ("n_group", 2)):
            if getattr(self, name) < least:
                raise SettingError("too small", where=name, expected=f">= {least}", got=str(getattr(self, name)))
        for name in ("augmented", "near_share"):
            if not 0 <= getattr(self, name) <= 1:
                raise SettingError("no such share", where=name, expected="0 to 1", got=str(getattr(self, name)))
        if not self.temperature > 0:
            raise SettingError("this is no temperature", where="temperature", expected="> 0", got=f"{self.temperature}")

    def rate_at(self, step: int) -> float:
        """The learning rate of a step, from 0 on."""
        return self.rate * min(1.0, (step + 1) / self.n_warm_up) * (1 - step / self.n_steps)


@dataclass(frozen=True, slots=True)
class StepResult:
    """What one step tells.

    :param step: its number, from 0 on.
    :param n_pairs: in the batch.
    """

    step: int
    loss: float
    rate: float
    n_pairs: int


class SurfaceTrainer:
    """A surface tower in training.

    :param on_step: told of every step.
    """

    def __init__(
        self,
        synonyms: Synonyms,
        features: FeatureSettings,
        *,
        training: SurfaceTraining,
        on_step: Callable[[StepResult], None] = lambda _: None,
    ) -> None:
        self.training, self.on_step = training, on_step
        self.tower = SurfaceTower.at_random(features, synonyms.names, width=training.width, seed=training.seed)
        self.sampler = PairSampler(
            synonyms,
            training.seed,
            batch_size=training.batch_size,
            augmented=training.augmented,
            near_share=training.near_share,
        )
        self.optimizer = RowAdagrad(self.tower.parameters(), rate=training.rate)
        self.n_done = 0
        self._related = RelatedConcepts(torch.from_numpy(synonyms.related))
        self._run = f"{training} {features} {synonyms.content_hash()}"

    def run(
        self, *, until: int | None = None, checkpoint: Path | None = None, every: int = 100, show_progress: bool = False
    ) -> SurfaceTower:
        """The tower after the training's steps, or after ``until`` of them.

        :param checkpoint: a file that is written after every ``every`` steps and at the end. Where it is there
            already, training goes on behind it, to the same bits as without the break.
        :raises SettingError: when the checkpoint is of another run.
        :raises EncoderError: when the loss is not finite.
        """
        if checkpoint is not None and checkpoint.exists():
            self._restore(checkpoint)
        stop = self.training.n_steps if until is None else min(until, self.training.n_steps)
        for _ in tqdm(range(self.n_done, stop), desc="training", unit="step", disable=not show_progress):
            self.on_step(self._step())
            if checkpoint is not None and (self.n_done % every == 0 or self.n_done == stop):
                self._save(checkpoint)
        return self.tower

    def _step(self) -> StepResult:
        step, training = self.n_done, self.training
        if step in training.mine_at:
            n_group = min(training.n_group, self.sampler.synonyms.n_concepts)
            self.sampler.neighbours = mine_neighbours(self.sampler.synonyms, self.tower.encode, n_group=n_group)
        for group in self.optimizer.param_groups:
            group["lr"] = training.rate_at(step)
        batch = self.sampler.draw(step)
        loss = pair_loss(self.tower, batch, self._related, temperature=training.temperature)
        if not torch.isfinite(loss):
            raise EncoderError("the loss is not finite", where=f"step {step}", hint="Lower the rate.")
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        self.n_done += 1
        return StepResult(step, loss.item(), training.rate_at(step), len(batch.left))

    def _save(self, path: Path) -> None:
        weight = self.tower.rows.weight
        squares = self.optimizer.squares(weight)
        save_state(TrainingState(self.n_done, weight.detach(), squares, self.sampler.neighbours), path, run=self._run)

    def _restore(self, path: Path) -> None:
        state = load_state(path, run=self._run)
        weight = self.tower.rows.weight
        with torch.no_grad():
            weight.copy_(state.table)
            self.optimizer.squares(weight).copy_(state.squares)
        self.sampler.neighbours, self.n_done = state.neighbours, state.n_done


def pair_loss(tower: SurfaceTower, batch: PairBatch, related: RelatedConcepts, *, temperature: float) -> torch.Tensor:
    """Symmetric InfoNCE of a batch, where related concepts do not repel each other: a scalar."""
    vectors = tower(extract_features(batch.left + batch.right, tower.settings))
    left, right = vectors.split(len(batch.left))
    concepts = torch.from_numpy(batch.concepts)
    pairs = Pairs.from_concepts(concepts, concepts, ignored=related(concepts, concepts))
    return symmetric_info_nce(inner_products(left, right), pairs, temperature=temperature)

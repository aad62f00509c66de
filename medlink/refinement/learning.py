"""The training of a refinement: InfoNCE on lessons and replayed names, plus alpha times the memory term."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from medlink.contrastive.memory_bank import MemoryBank, Weighting
from medlink.contrastive.retroactive import Retrieval, retroactive_terms
from medlink.refinement.batches import Batch, draw_batch
from medlink.refinement.checkpoint import Checkpoint, State
from medlink.refinement.material import Material
from medlink.refinement.settings import Mode, RefineSettings
from medlink.refinement.views import Views
from medlink.training.guard import CollapseError
from medlink.training.optimiser import Optimiser
from medlink.training.processes import ALONE, Processes

# Steps after which it is looked how far memory has drifted.
_LOOK_EVERY = 10


@dataclass(frozen=True, slots=True)
class Step:
    """What a step cost.

    :param batch: InfoNCE on the batch.
    :param memory: the memory term before alpha; 0 where memory gave nothing.
    :param moved: mean squared distance by which the names of the step have moved from where the parent had them.
    """

    batch: float
    memory: float
    moved: float


def learn(
    views: Views,
    material: Material,
    bank: MemoryBank,
    settings: RefineSettings,
    *,
    checkpoint: Checkpoint | None = None,
    processes: Processes = ALONE,
    show_progress: bool = False,
) -> tuple[Step, ...]:
    """Train the views in place; the bank's vectors follow them. The steps that were made.

    Each step draws lessons and names to replay. With q a wording or a name, p a name of its concept, N names of other
    concepts and S the mean squared distance of all names of the step from where the parent had them::

        loss = InfoNCE(q, p, N) + alpha * InfoNCE(q, p, memory) + stay * S

    :param bank: of mentions, whose items are places in ``material.wordings``.
    :param checkpoint: where the state is kept, to go on from; on a CPU bit for bit, as long as the number of threads
        is the same. Only of views without sparse gradients.
    :param processes: that call this with the same material; the first one keeps the checkpoints.
    :raises CollapseError: when the loss is not finite any more.
    """
    n_new = int(material.new.sum())
    n_steps = settings.count_steps(n_new, len(material.lessons) - n_new) if material.lessons else 0
    if not n_steps:
        return ()
    course = _Course(views, material, bank, settings, n_steps)
    if checkpoint and (state := _begin(checkpoint, processes)):
        course.restore(state)
    with tqdm(total=n_steps, initial=course.n_done, desc="refining", unit="step", disable=not show_progress) as bar:
        while course.n_done < n_steps:
            course.advance()
            if checkpoint and processes.is_first and checkpoint.is_due(course.n_done):
                checkpoint.save(course.state())
            bar.update()
    bank.refresh(course.encode, max_drift=0.0, version=n_steps)
    return tuple(course.steps)


def _begin(checkpoint: Checkpoint, processes: Processes) -> State | None:
    """The state to go on from; what is there of another training is gone before the other processes look."""
    if processes.is_first:
        state = checkpoint.begin()
        processes.wait()
        return state
    processes.wait()
    return checkpoint.begin()


class _Course:
    """A training that is under way.

    :ivar steps: those that were made.
    """

    def __init__(
        self, views: Views, material: Material, bank: MemoryBank, settings: RefineSettings, n_steps: int
    ) -> None:
        self._views, self._material, self._bank, self._settings = views, material, bank, settings
        self._n_steps = n_steps
        self._random = np.random.default_rng(settings.seed)
        self._optimiser = _make_optimiser(views, settings)
        self._retrieval = Retrieval(Weighting(settings.hardness, settings.half_life), material.related, settings.margin)
        self.steps: list[Step] = []

    @property
    def n_done(self) -> int:
        """Steps so far."""
        return len(self.steps)

    def advance(self) -> None:
        """One step.

        :raises CollapseError: when the loss is not finite.
        """
        number = self.n_done
        self._optimiser.set_rates(1 - number / self._n_steps)
        loss, step = self._loss(draw_batch(self._material, self._settings, self._random))
        if not torch.isfinite(loss):
            raise CollapseError("the loss is not finite any more", where=f"step {number}", hint="Lower learning_rate.")
        self._optimiser.zero_grad()
        self._views.backward(loss)
        self._optimiser.step()
        if len(self._bank) and number % _LOOK_EVERY == _LOOK_EVERY - 1:
            self._bank.refresh(self.encode, max_drift=self._settings.refresh, version=number)
        self.steps.append(step)

    def encode(self, items: Tensor) -> Tensor:
        """The vectors of some of the wordings as they are now. *Shape:* (n_items, width)."""
        return self._views.query(self._material.wordings.take(items.tolist()))

    def state(self) -> State:
        """All that it takes to go on."""
        tensors: dict[str, Tensor] = {f"views.{place}": weights for place, weights in enumerate(self._views.dense)}
        tensors |= {f"optimiser.{name}": tensor for name, tensor in self._optimiser.state().items()}
        tensors |= {f"bank.{name}": tensor for name, tensor in self._bank.state().items()}
        progress = {"random": self._random.bit_generator.state, "steps": [asdict(step) for step in self.steps]}
        return State(tensors, progress)

    def restore(self, state: State) -> None:
        """Go on where :meth:`state` was taken."""
        parts: dict[str, dict[str, Tensor]] = {"views": {}, "optimiser": {}, "bank": {}}
        for key, tensor in state.tensors.items():
            part, name = key.split(".", 1)
            parts[part][name] = tensor
        with torch.no_grad():
            for place, parameter in enumerate(self._views.dense):
                parameter.copy_(parts["views"][str(place)])
        self._optimiser.load_state(parts["optimiser"])
        self._bank.restore(parts["bank"])
        self._random.bit_generator.state = state.progress["random"]
        self.steps = [Step(**step) for step in state.progress["steps"]]

    def _loss(self, batch: Batch) -> tuple[Tensor, Step]:
        settings = self._settings
        queries = torch.cat([self._views.query(texts) for texts in (batch.mentions, batch.replayed) if len(texts)])
        keys = self._views.key(batch.names)
        terms = retroactive_terms(
            queries,
            keys,
            self._bank,
            query_concepts=batch.concepts.to(queries.device),
            temperature=settings.temperature,
            k=settings.n_memory,
            retrieval=self._retrieval,
            pairs=batch.pairs,
        )
        moved = (keys - batch.names.vectors.to(keys)).square().sum(dim=1).mean()
        loss = terms.batch + settings.alpha * terms.memory + settings.stay * moved
        return loss, Step(terms.batch.item(), terms.memory.item(), moved.item())


def _make_optimiser(views: Views, settings: RefineSettings) -> Optimiser:
    """Adam, for tables with sparse gradients its lazy form."""
    parts: list[torch.optim.Optimizer] = []
    rate = settings.adapter_rate if settings.mode is Mode.SURFACE else settings.learning_rate
    if views.dense and rate:
        groups = [{"params": views.dense, "peak": rate}]
        parts.append(torch.optim.AdamW(groups, lr=rate, weight_decay=0.0))
    if views.sparse:
        tables = [{"params": views.sparse, "peak": settings.learning_rate}]
        parts.append(torch.optim.SparseAdam(tables, lr=settings.learning_rate))
    return Optimiser(*parts)

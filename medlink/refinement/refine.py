"""Refinement: from a linker and the ledger's lessons to a child that has learned them. Nothing is judged here."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from medlink.contrastive.memory_bank import MemoryBank
from medlink.encoder.transformer import fastest_dtype
from medlink.errors import SettingError
from medlink.linking.linker import Linker
from medlink.refinement.checkpoint import Checkpoint, Saving
from medlink.refinement.child import Moved, move_names, write_child
from medlink.refinement.cost import CostMeter
from medlink.refinement.learning import Step, learn
from medlink.refinement.lessons import Lesson, Place
from medlink.refinement.material import Ground, Material, gather_material
from medlink.refinement.memory import Memory, fill_bank, take_notes, write_memory
from medlink.refinement.ranking import gather_rows, refit_ranker, refit_threshold
from medlink.refinement.settings import Mode, RefineSettings, Start
from medlink.refinement.signals import Signal, gather_signals
from medlink.refinement.views import AdapterViews, FullViews, SurfaceViews, Views
from medlink.training.processes import ALONE, Processes


@dataclass(frozen=True, slots=True)
class Lessons:
    """What is to be learned.

    :param all: every lesson that counts, those of guarded documents left out.
    :param since: lessons with a higher place in the ledger are of this batch.
    :param trust: what to make of a lesson, in [0, 1], by its place; 1 where it is not there.
    """

    all: tuple[Lesson, ...]
    since: int = -1
    trust: Mapping[Place, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Child:
    """What a refinement came to.

    :param linker: the child, ready to link; its parts lie in its ``release_folder``.
    :param steps: of the training.
    :param moved: names that were encoded again.
    """

    linker: Linker
    memory: Memory
    steps: tuple[Step, ...]
    moved: Moved


@dataclass(frozen=True, slots=True)
class Means:
    """What a refinement runs on.

    :param saving: where the state of a training of the transformer is kept, as that may take hours.
    :param device: where tensors are trained; the transformer in the numbers that are fastest there.
    :param processes: that share the training of the transformer.
    """

    saving: Saving | None = None
    device: str = "cpu"
    processes: Processes = ALONE
    show_progress: bool = False


def refine(
    parent: Linker,
    lessons: Lessons,
    settings: RefineSettings,
    folder: Path,
    *,
    origin: Linker | None = None,
    memory: Memory | None = None,
    meter: CostMeter | None = None,
    means: Means = Means(),
) -> Child:
    """The child of a parent that has learned the lessons.

    :param parent: with the ledger's corrections, so that their wordings are names of its lexicon.
    :param folder: an empty one, for what a release of the child holds.
    :param origin: what ships, with the parent's lexicon; by default the parent. Training begins there unless
        ``settings.start`` says otherwise. The ranker is always fitted on what it sees: a tower that was trained on the
        very lessons looks better on them than it is, and small changes would add up from release to release.
    :param memory: the parent's; what it holds already is not taken in again.
    :param meter: counts what the phases cost.
    """
    meter, first = meter or CostMeter(), origin or parent
    trained = train(parent, lessons, settings, origin=first, memory=memory, means=means, meter=meter)
    start = trained.start
    material, ground, signals = trained.material, trained.ground, trained.signals
    with meter.phase("rank"):
        ranker, threshold = parent.ranker, parent.threshold
        if settings.ranker and (rows := gather_rows(first, ground, signals)):
            ranker = refit_ranker(first.ranker, rows, settings)
            threshold = refit_threshold(ranker, rows, first.threshold)
    with meter.phase("encode"):
        draft = write_child(start, trained.views if trained.steps else None, ranker, folder, threshold=threshold)
        near = material.wordings.texts
        child, moved = move_names(
            draft, start, max_drift=settings.max_drift, near=near, show_progress=means.show_progress
        )
    remembered = take_notes(trained.bank, material, ground, signals)
    write_memory(folder, remembered)
    return Child(child, remembered, trained.steps, moved)


@dataclass(frozen=True, slots=True, eq=False)
class Trained:
    """What was trained, and on what.

    :param start: where training began: the parent, or what it descends from.
    :param steps: that were made.
    """

    start: Linker
    views: Views
    steps: tuple[Step, ...]
    bank: MemoryBank
    material: Material
    ground: Ground
    signals: tuple[Signal, ...]


def train(
    parent: Linker,
    lessons: Lessons,
    settings: RefineSettings,
    *,
    origin: Linker,
    memory: Memory | None,
    means: Means,
    meter: CostMeter,
) -> Trained:
    """The training of a refinement, in which every one of its processes takes part; see :func:`refine`.

    :raises SettingError: when several processes are to share what is quick alone.
    """
    if means.processes.n > 1 and settings.mode is not Mode.FULL:
        raise SettingError(
            "only the transformer's training is shared by processes", where="mode", expected="full", got=settings.mode
        )
    start = origin if settings.start is Start.ORIGIN else parent
    since = lessons.since if start is parent else -1
    with meter.phase("gather"):
        signals = gather_signals(lessons.all, trust=lessons.trust)
        ground = Ground.of(start, lessons.all, spare_lineage=settings.spare_lineage)
        material = gather_material(start, ground, signals, settings, since=since, device=means.device)
        bank = fill_bank(material, ground, signals, settings, memory)
    with meter.phase("train"):
        views = _views(start, settings, means)
        checkpoint = None
        if means.saving and settings.mode is Mode.FULL:
            checkpoint = Checkpoint(means.saving, _hash_origin(start, signals, since, settings, memory))
        steps = learn(
            views,
            material,
            bank,
            settings,
            checkpoint=checkpoint,
            processes=means.processes,
            show_progress=means.show_progress,
        )
    return Trained(start, views, steps, bank, material, ground, signals)


def _views(parent: Linker, settings: RefineSettings, means: Means) -> Views:
    device = means.device
    if settings.mode is Mode.SURFACE:
        return SurfaceViews(parent, settings, device=device)
    if settings.mode is Mode.ADAPTER:
        return AdapterViews(parent, settings, device=device)
    return FullViews(parent, settings, device=device, dtype=fastest_dtype(device), processes=means.processes)


def _hash_origin(
    parent: Linker, signals: Sequence[Signal], since: int, settings: RefineSettings, memory: Memory | None
) -> str:
    """Hex sha256 of all that the course of a training depends on."""
    digest = hashlib.sha256(f"{settings.model_dump_json()} {since} {parent.lexicon.content_hash}".encode())
    digest.update(parent.query_encoder.fingerprint.encode())
    for signal in signals:
        digest.update(json.dumps(asdict(signal), default=sorted).encode())
    if memory is not None:
        for name, tensor in sorted(memory.bank.state().items()):
            digest.update(name.encode() + tensor.cpu().numpy().tobytes())
    return digest.hexdigest()

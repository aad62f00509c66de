"""A refinement from the ledger to a release: what is new is learned, judged, and promoted where it passes the gate."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from medlink import __version__
from medlink.curation.adjudication import Policy, decide_spans
from medlink.curation.concepts import Resolver
from medlink.curation.rulings import make_rulings
from medlink.encoder.loading import load_encoder
from medlink.errors import SettingError
from medlink.evaluation.annotations import Corpus
from medlink.linking.assemble import load_index, load_lexicon, load_whole_lexicon, make_linker
from medlink.linking.corrections import Corrections
from medlink.linking.linker import Linker
from medlink.linking.recipe import Recipe
from medlink.ontology.lexicon import Lexicon
from medlink.refinement.beliefs import Beliefs, read_beliefs, write_beliefs
from medlink.refinement.card import CardFacts, ReportCard, Trial, make_card
from medlink.refinement.card_folder import write_card
from medlink.refinement.checkpoint import Saving
from medlink.refinement.cost import CostMeter
from medlink.refinement.gate import Budgets, Judgement, judge
from medlink.refinement.guard import (
    CaseSet,
    corpus_cases,
    correction_cases,
    lesson_cases,
    ontology_cases,
    split_lessons,
)
from medlink.refinement.lessons import Lesson, Place, take_lessons
from medlink.refinement.measuring import measure
from medlink.refinement.memory import Memory, read_memory
from medlink.refinement.refine import Child, Lessons, Means, refine, train
from medlink.refinement.settings import RefineSettings
from medlink.refinement.suspects import Suspicion, weigh_lessons
from medlink.store.events import Entry
from medlink.store.ledger import Ledger
from medlink.store.release import BASE, Release, ReleaseFacts, open_release
from medlink.store.releases import ReleaseStore
from medlink.store.workspace import Workspace
from medlink.training.processes import ALONE, Processes

# A lesson less believed than this does not judge a child.
_BELIEVED = 0.5


@dataclass(frozen=True, slots=True)
class Wishes:
    """What a user asks of a refinement, beside its settings.

    :param since: place in the ledger behind which lessons are new; ``None`` for where the parent stopped.
    :param policy: how annotators who differ are brought to one answer.
    :param corpora: more to judge the child on, by name.
    :param believe_all: take a batch that looks poisoned all the same.
    :param dry_run: make no release, whatever the gate says.
    :param promote: make the child current where it passes.
    :param resume: go on with a training of the transformer that was cut off, where there is one.
    """

    since: int | None = None
    policy: Policy = Policy.ADJUDICATOR
    budgets: Budgets = field(default_factory=Budgets)
    corpora: Mapping[str, Corpus] = field(default_factory=dict)
    believe_all: bool = False
    dry_run: bool = False
    promote: bool = True
    resume: bool = False


@dataclass(frozen=True, slots=True)
class Result:
    """What a refinement came to.

    :param card: everything that was measured.
    :param release: the child; ``None`` where it was refused, or on a dry run.
    :param refusals: why it was refused, in words.
    :param report: the files of the card.
    :param n_new: lessons that were new.
    """

    card: ReportCard
    release: Release | None
    refusals: tuple[str, ...]
    report: tuple[Path, ...]
    n_new: int


def run_refinement(
    recipe: Recipe,
    settings: RefineSettings,
    wishes: Wishes,
    *,
    now: datetime,
    processes: Processes = ALONE,
    show_progress: bool = False,
) -> Result:
    """Learn what the ledger of the recipe's workspace has that its release has not.

    The release stays as it is; a child of it appears whole or not at all.

    :param processes: of which this is the first; the others call :func:`share_refinement`.
    :raises SettingError: when there is nothing new to learn.
    """
    workspace, meter = Workspace(recipe.workspace), CostMeter()
    ready = _make_ready(recipe, wishes, meter, show_progress=show_progress)
    study, release, parent, trust = ready.study, ready.release, ready.parent, ready.trust
    with tempfile.TemporaryDirectory(prefix="medlink-refine-") as temporary:
        draft = Path(temporary) / "child"
        draft.mkdir()
        child = refine(
            parent,
            ready.lessons,
            settings,
            draft,
            origin=ready.origin,
            memory=_memory_of(release),
            meter=meter,
            means=_means(recipe, wishes, processes, show_progress=show_progress),
        )
        with meter.phase("judge"):
            trial = _try(ready.before, child, study, trust, wishes, show_progress=show_progress)
        refusals = (*_poisoned(ready.suspicion, wishes), *_over_budget(trial.judgement))
        card = make_card(
            _card_facts(settings, study, release, parent, now, trust),
            trial,
            parent.ontology or parent.lexicon,
            cost=meter.total(),
            suspicion=ready.suspicion,
        )
        shutil.rmtree(workspace.refining, ignore_errors=True)  # it is through
        if refusals or wishes.dry_run:
            report = write_card(card, workspace.reports / f"{now:%Y%m%dT%H%M%SZ}")
            return Result(card, None, refusals, report, len(study.new))
        write_card(card, draft)
        write_beliefs(ready.beliefs_after, draft)
        facts = _release_facts(settings, study, release, parent, now)
        store = ReleaseStore(workspace.releases)
        made = store.create(lambda folder: shutil.copytree(draft, folder, dirs_exist_ok=True), facts)
    if wishes.promote:
        store.promote(made.id)
    report = tuple(path for path in (made.card, made.card_chart) if path)
    return Result(card, made, (), report, len(study.new))


def share_refinement(recipe: Recipe, settings: RefineSettings, wishes: Wishes, processes: Processes) -> None:
    """A further process's part of :func:`run_refinement`: its share of the training; it writes and says nothing.

    :raises SettingError: as there.
    """
    meter = CostMeter()
    ready = _make_ready(recipe, wishes, meter, show_progress=False)
    means = _means(recipe, wishes, processes, show_progress=False)
    memory = _memory_of(ready.release)
    train(ready.parent, ready.lessons, settings, origin=ready.origin, memory=memory, means=means, meter=meter)


@dataclass(frozen=True, slots=True)
class _Ready:
    """All that a refinement begins with.

    :param release: the parent; ``None`` for what ships.
    :param before: the parent as it was before the new lessons; ``parent`` with them; ``origin`` what it descends from.
    :param trust: how far each new lesson is believed.
    :param beliefs_after: what is believed of annotators when this batch is learned.
    """

    study: _Study
    release: Release | None
    before: Linker
    parent: Linker
    origin: Linker
    suspicion: Suspicion
    trust: Mapping[Place, float]
    lessons: Lessons
    beliefs_after: Beliefs


def _make_ready(recipe: Recipe, wishes: Wishes, meter: CostMeter, *, show_progress: bool) -> _Ready:
    workspace = Workspace(recipe.workspace)
    release = open_release(Path(recipe.release)) if recipe.release else None
    with meter.phase("read"):
        entries = _read_entries(workspace)
        since = wishes.since if wishes.since is not None else _learned_until(release)
        study = _study(recipe, entries, wishes.policy, since)
    if not study.new:
        raise SettingError(
            "there is nothing new to learn from",
            where=str(workspace.ledger),
            expected=f"decided mentions behind event {since}, in documents that are not guarded",
            got="none",
        )
    with meter.phase("load"):
        before, parent, origin = _load_linkers(recipe, study, release, show_progress=show_progress)
    with meter.phase("weigh"):
        beliefs = read_beliefs(release.folder) if release else Beliefs()
        suspicion, trust = _weigh(before, study, since, beliefs)
    believed: Mapping[Place, float] = {} if wishes.believe_all else trust
    lessons = Lessons(study.training, since, {**beliefs.trust_in(study.training), **believed})
    after = beliefs.with_batch(suspicion.batch.tally, study.new, believed)
    return _Ready(study, release, before, parent, origin, suspicion, trust, lessons, after)


def _means(recipe: Recipe, wishes: Wishes, processes: Processes, *, show_progress: bool) -> Means:
    saving = Saving(Workspace(recipe.workspace).refining, resume=wishes.resume)
    device = str(processes.device) if processes.n > 1 else recipe.device
    return Means(saving, device, processes, show_progress)


@dataclass(frozen=True, slots=True)
class _Study:
    """The ledger, sorted.

    :param training: lessons of documents that are not guarded; ``new`` those of them behind ``since``.
    :param guard: lessons of guarded documents.
    :param known: what counted before the new ones; ``taught`` with them. Nothing of guarded documents is in either.
    :param last: place in the ledger of the last event.
    """

    training: tuple[Lesson, ...]
    new: tuple[Lesson, ...]
    guard: tuple[Lesson, ...]
    known: Corrections
    taught: Corrections
    last: int


def _read_entries(workspace: Workspace) -> tuple[Entry, ...]:
    with Ledger.read(workspace.ledger) as ledger:
        return tuple(ledger.current())


def _study(recipe: Recipe, entries: Sequence[Entry], policy: Policy, since: int) -> _Study:
    resolve = Resolver(load_whole_lexicon(recipe)).current
    decisions = list(decide_spans(entries, policy=policy, resolve=resolve))
    training, guard = split_lessons(take_lessons(decisions, resolve=resolve))
    documents = {lesson.place[0] for lesson in training}
    mine = [decision for decision in decisions if decision.span.doc_id in documents]
    earlier = [entry for entry in entries if entry.seq <= since and entry.event.annotation.doc_id in documents]
    before = decide_spans(earlier, policy=policy, resolve=resolve)
    return _Study(
        training,
        tuple(lesson for lesson in training if lesson.seq > since),
        guard,
        Corrections(make_rulings(before, resolve=resolve)),
        Corrections(make_rulings(mine, resolve=resolve)),
        max((entry.seq for entry in entries), default=0),
    )


def _learned_until(release: Release | None) -> int:
    return release.facts.ledger_seq if release else 0


def _load_linkers(
    recipe: Recipe, study: _Study, release: Release | None, *, show_progress: bool
) -> tuple[Linker, Linker, Linker]:
    """The parent as it was before the new lessons, the parent with them, and what it descends from."""
    lexicon = load_lexicon(recipe, show_progress=show_progress)
    index = load_index(lexicon, recipe, show_progress=show_progress)
    before = make_linker(replace(recipe, corrections=study.known), lexicon, index)
    parent = make_linker(replace(recipe, corrections=study.taught), lexicon, index)
    shipped = replace(recipe, release="", corrections=study.taught)
    return before, parent, _load_origin(shipped, release, lexicon, show_progress=show_progress) or parent


def _weigh(before: Linker, study: _Study, since: int, beliefs: Beliefs) -> tuple[Suspicion, dict[Place, float]]:
    """What is thought of the new lessons to train on, and how far each new one, guarded ones too, is believed."""
    suspicion = weigh_lessons(before, study.new, before=beliefs.tally)
    guarded = [lesson for lesson in study.guard if lesson.seq > since]
    trusts = (*suspicion.trust.tolist(), *weigh_lessons(before, guarded).trust.tolist())
    places = (lesson.place for lesson in (*study.new, *guarded))
    return suspicion, dict(zip(places, trusts, strict=True))


def _load_origin(recipe: Recipe, release: Release | None, lexicon: Lexicon, *, show_progress: bool) -> Linker | None:
    """The linker that a release descends from; ``None`` where that is the parent, or an encoder that is not at hand."""
    if release is None or load_encoder(recipe.encoder).fingerprint != release.facts.base_encoder:
        return None
    return make_linker(recipe, lexicon, load_index(lexicon, recipe, show_progress=show_progress))


def _memory_of(release: Release | None) -> Memory | None:
    return read_memory(release.folder) if release and release.memory else None


def _try(
    before: Linker, child: Child, study: _Study, trust: Mapping[Place, float], wishes: Wishes, *, show_progress: bool
) -> Trial:
    """Both on the guard set: the linker as it was before anybody corrected anything new, and the child."""
    lexicon = before.ontology or before.lexicon
    guard = [lesson for lesson in study.guard if trust.get(lesson.place, 1.0) >= _BELIEVED]
    sets: list[CaseSet] = [lesson_cases(guard), ontology_cases(lexicon)]
    sets += [corpus_cases(name, corpus, lexicon) for name, corpus in wishes.corpora.items()]
    believed = [lesson for lesson in study.new if trust.get(lesson.place, 1.0) >= _BELIEVED]
    batch = correction_cases(believed)
    first = measure(before, sets, batch, show_progress=show_progress)
    second = measure(child.linker, sets, batch, show_progress=show_progress)
    return Trial(first, second, judge(first, second, wishes.budgets))


def _poisoned(suspicion: Suspicion, wishes: Wishes) -> tuple[str, ...]:
    if wishes.believe_all or not suspicion.batch.is_suspicious:
        return ()
    named = ", ".join(repr(one.annotator) for one in suspicion.suspects) or "nobody in particular"
    return (
        f"the batch looks poisoned: an estimated {suspicion.batch.wrong:.0%} of its changes are wrong; "
        f"to be asked: {named}",
    )


def _over_budget(judgement: Judgement) -> tuple[str, ...]:
    return tuple(
        f"{' on '.join(filter(None, (check.name, check.part)))}: {check.value:.4f} against {check.limit:.4f} "
        f"(n {check.n}): {check.reason}"
        for check in judgement.failed
    )


def _card_facts(
    settings: RefineSettings,
    study: _Study,
    release: Release | None,
    parent: Linker,
    now: datetime,
    trust: Mapping[Place, float],
) -> CardFacts:
    lexicon = parent.ontology or parent.lexicon
    return CardFacts(
        medlink=__version__,
        depth=settings.mode.value,
        parent=release.id if release else BASE,
        child=f"the child of {release.id if release else BASE}",
        ontology=lexicon.ontology_name,
        ontology_version=lexicon.version,
        n_trained=len(study.training),
        n_guarded=len(study.guard),
        n_set_aside=sum(one < _BELIEVED for one in trust.values()),
        at=now.isoformat(timespec="seconds"),
    )


def _release_facts(
    settings: RefineSettings, study: _Study, release: Release | None, parent: Linker, now: datetime
) -> ReleaseFacts:
    lexicon = parent.ontology or parent.lexicon
    return ReleaseFacts(
        parent=release.id if release else BASE,
        created=now,
        mode=settings.mode.value,
        ontology=lexicon.ontology_name,
        ontology_version=lexicon.version,
        ontology_hash=lexicon.content_hash,
        base_encoder=release.facts.base_encoder if release else parent.encoder.fingerprint,
        ledger_seq=study.last,
        n_lessons=len(study.training),
    )

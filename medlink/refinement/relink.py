"""Linking again what was linked before, under another release, from the link log: no note is read."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from medlink.errors import UnknownNameError
from medlink.linking.assemble import describe_run, load_linker
from medlink.linking.linker import DEPTH, Linker
from medlink.linking.processes import become_worker, map_in_order
from medlink.linking.recipe import Recipe
from medlink.ontology.lexicon import Lexicon
from medlink.records import Candidate, Link
from medlink.refinement.changes import Cause, Change, ReviewLimits, Tally, cause_of
from medlink.refinement.precedents import Precedent, Precedents, Shift
from medlink.refinement.ranking_table import RankingTable
from medlink.store.link_log import LinkLog
from medlink.store.log_writers import Relinking
from medlink.store.logged import LoggedDocument, LoggedLink, Outcome, Run, Target, outcome_of
from medlink.store.workspace import Workspace
from medlink.text import normalise

Job = TypeVar("Job")
Result = TypeVar("Result")

# Queries that are encoded and searched together, and documents that are linked together.
_QUERIES, _DOCUMENTS = 512, 64


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be linked again, and how.

    :param run: what the new links depend on; its release is filled in.
    :param rankings: the file of the rankings.
    :param query_ids: *Shape:* (n_queries,), int64, ascending: the numbers of the log's queries, one a row of the file.
    """

    recipe: Recipe
    run: Run
    limits: ReviewLimits
    rankings: Path
    query_ids: NDArray[np.int64]

    @property
    def log(self) -> Path:
        """The link log."""
        return Workspace(self.recipe.workspace).link_log


@dataclass(frozen=True, slots=True)
class Relinked:
    """What came out of some documents.

    :param documents: with the new outcomes of their links.
    """

    documents: tuple[tuple[LoggedDocument, tuple[Outcome, ...]], ...]
    changes: tuple[Change, ...]
    n_rescored: int


@dataclass
class Worker:
    """What links documents of the log again; one in each process."""

    plan: Plan
    linker: Linker
    _linkers: dict[float | None, Linker] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.table = RankingTable(self.plan.rankings, self.linker.lexicon, len(self.plan.query_ids))
        self.log = LinkLog.read(self.plan.log)
        self.runs = {number: record.run for number, record in self.log.runs().items()}

    def rank(self, job: tuple[int, tuple[str, ...]]) -> int:
        """Ranks queries into the table; the job is the first's row, and the queries."""
        first, queries = job
        self.table.write(first, self.linker.rank(queries, k=DEPTH))
        return len(queries)

    def relink(self, numbers: Sequence[int]) -> Relinked:
        """Links documents again, each in the light of all its mentions."""
        documents = tuple(self.log.documents(numbers))
        by_threshold: dict[float | None, list[LoggedDocument]] = {}
        for document in documents:
            by_threshold.setdefault(self._run_of(document).threshold, []).append(document)
        linked: dict[int, list[Link]] = {}
        for threshold, some in by_threshold.items():
            linker = self._with_threshold(threshold)
            linker.remember(self._rankings_of(some, linker))
            links = iter(linker.link([link.mention for document in some for link in document.links]))
            linked |= {document.id: list(islice(links, len(document.links))) for document in some}
        pairs = [
            (document, before, after)
            for document in documents
            for before, after in zip(document.links, linked[document.id], strict=True)
        ]
        changes = tuple(
            self._describe(document, before, after)
            for document, before, after in pairs
            if before.outcome.concept_id != after.concept_id
        )
        outcomes = tuple((document, tuple(map(outcome_of, linked[document.id]))) for document in documents)
        n_rescored = sum(
            before.outcome.concept_id == after.concept_id and before.outcome.score != outcome_of(after).score
            for _, before, after in pairs
        )
        return Relinked(outcomes, changes, n_rescored)

    def _describe(self, document: LoggedDocument, before: LoggedLink, after: Link) -> Change:
        ruling = self.linker.corrections.decide(before.mention, self.linker.lexicon)
        second = after.candidates[1].score if len(after.candidates) > 1 else 0.0
        margin = round(after.score - second, 6)
        outcome = outcome_of(after)
        run = self._run_of(document)
        return Change(
            mention=before.mention,
            old=before.outcome,
            new=outcome,
            old_release=run.release,
            new_release=after.release,
            margin=margin,
            cause=cause_of(run, replace(self.plan.run, release=after.release), ruling),
            ruling=ruling,
            review=self.plan.limits.asks_for(outcome, margin, ruling),
        )

    def _run_of(self, document: LoggedDocument) -> Run:
        if document.run_id not in self.runs:  # somebody has linked it meanwhile
            self.runs = {number: record.run for number, record in self.log.runs().items()}
        return self.runs[document.run_id]

    def _with_threshold(self, threshold: float | None) -> Linker:
        if threshold is None or threshold == self.linker.threshold:
            return self.linker
        if threshold not in self._linkers:
            settings = replace(self.linker.settings, threshold=threshold)
            self._linkers[threshold] = replace(self.linker, settings=settings)
        return self._linkers[threshold]

    def _rankings_of(self, documents: Iterable[LoggedDocument], linker: Linker) -> dict[str, tuple[Candidate, ...]]:
        """The rankings of the documents' queries that a linker does not remember, from the table."""
        found = {link.query_id: link.mention for document in documents for link in document.links}
        ids = np.fromiter(found, np.int64, len(found))
        rows = np.searchsorted(self.plan.query_ids, ids)
        in_table = np.take(self.plan.query_ids, rows, mode="clip") == ids if len(self.plan.query_ids) else rows < 0
        return {
            query: self.table.read(row)
            for mention, row, is_there in zip(found.values(), rows.tolist(), in_table.tolist(), strict=True)
            if is_there and not linker.remembers(query := normalise(mention.query))
        }


class Relinker:
    """Links what was linked before again.

    :param recipe: of the new links; its ontology and branches say which of the log's links are meant.
    :param precedents: what learned links are traced to.
    :raises UnknownNameError: when the log holds no document that was linked to this ontology and these branches.
    """

    def __init__(
        self,
        recipe: Recipe,
        precedents: Sequence[Precedent],
        limits: ReviewLimits,
        *,
        n_workers: int = 1,
        show_progress: bool = False,
    ) -> None:
        self.run = describe_run(recipe)
        self.recipe, self._limits, self._n_workers, self._show = recipe, limits, n_workers, show_progress
        self._log = Workspace(recipe.workspace).link_log
        with LinkLog.read(self._log) as log:
            self._numbers = log.document_numbers(self.run.target)
            self.n_elsewhere = sum(log.targets().values()) - len(self._numbers)
            if not self._numbers:
                raise _nothing(self.run.target, log)
        self._linker = load_linker(recipe, show_progress=show_progress)
        self.run = replace(self.run, release=self._linker.release)
        self._precedents = Precedents(precedents, self._linker.query_encoder)

    @property
    def lexicon(self) -> Lexicon:
        """The ontology that is linked to."""
        return self._linker.lexicon

    def changes(self, tally: Tally, *, into: Relinking | None = None) -> Iterator[Change]:
        """The links that change, by document and place, counted in ``tally``.

        Each distinct query is ranked once; rankings lie in a temporary file, documents pass by.

        :param into: takes all new links in.
        """
        with tempfile.TemporaryDirectory(prefix="medlink-") as folder:
            with LinkLog.read(self._log) as log:
                queries = list(log.queries(self.run.target))
            ids = np.array([number for number, _ in queries], np.int64)
            plan = Plan(self.recipe, self.run, self._limits, Path(folder) / "rankings", ids)
            RankingTable(plan.rankings, self._linker.lexicon, len(ids), is_new=True)
            texts = [text for _, text in queries]
            del queries
            with _Crew(plan, self._linker, self._n_workers) as crew:
                self._rank(crew, texts)
                for relinked in self._relink(crew):
                    tally.n_documents += len(relinked.documents)
                    tally.n_links += sum(len(outcomes) for _, outcomes in relinked.documents)
                    if into is not None:
                        into.add(relinked.documents)
                    traced = self._trace(relinked.changes)
                    tally.n_rescored += relinked.n_rescored
                    tally.count(traced)
                    yield from traced

    def _rank(self, crew: _Crew, texts: Sequence[str]) -> None:
        jobs = ((first, tuple(texts[first : first + _QUERIES])) for first in range(0, len(texts), _QUERIES))
        with tqdm(total=len(texts), desc="ranking", unit="query", disable=not self._show) as progress:
            for n_ranked in crew.map(Worker.rank, jobs):
                progress.update(n_ranked)

    def _relink(self, crew: _Crew) -> Iterator[Relinked]:
        starts = range(0, len(self._numbers), _DOCUMENTS)
        jobs = (self._numbers[start : start + _DOCUMENTS] for start in starts)
        with tqdm(total=len(self._numbers), desc="relinking", unit="note", disable=not self._show) as progress:
            for relinked in crew.map(Worker.relink, jobs):
                progress.update(len(relinked.documents))
                yield relinked

    def _trace(self, changes: Sequence[Change]) -> list[Change]:
        """The changes, those that were learned with the corrections nearest to them."""
        learned = [change for change in changes if change.cause is Cause.LEARNING]
        shifts = [Shift(normalise(c.mention.query), c.new.concept_id, c.old.concept_id) for c in learned]
        wanted = [shift for shift in shifts if shift.query]
        near = dict(zip(wanted, self._precedents.find(wanted), strict=True))
        found = iter([near.get(shift, ()) for shift in shifts])
        return [replace(c, near=next(found)) if c.cause is Cause.LEARNING else c for c in changes]


class _Crew:
    """The workers: this process alone, or several others."""

    def __init__(self, plan: Plan, linker: Linker, n_workers: int) -> None:
        self._plan, self._linker, self._n_workers = plan, linker, n_workers
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        if self._n_workers == 1:
            self._worker = Worker(self._plan, self._linker)
            self._stack.callback(self._worker.log.close)
        else:
            # Started afresh, not forked: torch's and faiss's threads do not survive a fork.
            context = get_context("spawn")
            pool = ProcessPoolExecutor(self._n_workers, context, _start_worker, (self._plan,))
            self._pool = self._stack.enter_context(pool)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stack.close()

    def map(self, work: Callable[[Worker, Job], Result], jobs: Iterable[Job]) -> Iterator[Result]:
        """The result of each job, in the order of the jobs."""
        if self._n_workers == 1:
            return (work(self._worker, job) for job in jobs)
        return map_in_order(self._pool, partial(_work, work), jobs, n_workers=self._n_workers)


# The worker of this process, where it is one of several: made once, used for every job.
_worker: Worker | None = None


def _start_worker(plan: Plan) -> None:
    global _worker
    become_worker()
    _worker = Worker(plan, load_linker(replace(plan.recipe, n_threads=1)))


def _work(work: Callable[[Worker, Job], Result], job: Job) -> Result:
    if _worker is None:
        raise RuntimeError("a worker was asked before it was started")
    return work(_worker, job)


def _nothing(target: Target, log: LinkLog) -> UnknownNameError:
    known = [f"{n:,} notes linked to {name_of(other)}" for other, n in log.targets().items()]
    return UnknownNameError(
        "the link log holds nothing that was linked to this",
        where=str(log.path),
        expected=" or ".join(known) or "links",
        got=name_of(target),
        hint="Name the ontology, and the branches, that the notes were linked to.",
    )


def name_of(target: Target) -> str:
    """The target in words."""
    return f"{target.ontology} below {', '.join(target.branches)}" if target.branches else f"all of {target.ontology}"

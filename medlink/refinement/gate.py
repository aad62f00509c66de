"""The gate: a child release exists only where it keeps within its budgets on the guard set."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import isfinite

import numpy as np
import torch
from numpy.typing import NDArray

from medlink.contrastive.diagnostics import CollapseGuard, CollapseReport
from medlink.errors import SettingError
from medlink.evaluation.calibration import calibration_error, compare_calibration
from medlink.evaluation.metrics import resample_means
from medlink.refinement.guard import ONTOLOGY
from medlink.refinement.lessons import Place
from medlink.refinement.measuring import Measured, Outcomes, Vectors

ACCURACY, FIXED = "loss of accuracy", "corrections fixed"
COLLAPSE, CALIBRATION = "rank of the vectors", "rise of the calibration error"


@dataclass(frozen=True, slots=True)
class Budgets:
    """What a child may cost, and what it must bring.

    :param max_loss: of accuracy on each part of the guard set, as a share.
    :param min_fixed: share of the batch's corrections that the parent gets wrong and the child must get right.
    :param max_calibration_rise: of the expected calibration error on each part.
    :param min_rank_share: the effective rank of the child's vectors over that of the parent's.
    :param sure: share of the bootstrap samples that must be over a budget before a child is refused for it.
    """

    max_loss: float = 0.002
    min_fixed: float = 0.5
    max_calibration_rise: float = 0.01
    min_rank_share: float = 0.5
    sure: float = 0.9

    def __post_init__(self) -> None:
        for name in self.__slots__:
            value = getattr(self, name)
            if not 0.0 <= value <= 1.0:
                raise SettingError("a budget out of its range", where=name, expected="0 to 1", got=f"{value}")


@dataclass(frozen=True, slots=True)
class Example:
    """A case with what was answered, without any text.

    :param gold: what is right, sorted; empty where NIL is.
    :param parent: its answer, ``None`` for NIL, with its probability; ``child`` likewise.
    """

    place: Place
    gold: tuple[str, ...]
    parent: str | None
    parent_score: float
    child: str | None
    child_score: float


@dataclass(frozen=True, slots=True)
class Check:
    """One budget.

    :param name: :data:`ACCURACY`, :data:`FIXED`, :data:`COLLAPSE` or :data:`CALIBRATION`.
    :param part: of the guard set; empty where it is about all.
    :param limit: the most that ``value`` may be, or the least for :data:`FIXED` and :data:`COLLAPSE`.
    :param value: the loss of accuracy, the share fixed, the share of the rank, the rise of the calibration error.
    :param interval: what holds 95 % of the bootstrap samples of ``value``; ``None`` where it is no estimate.
    :param n: cases, or vectors.
    :param reason: in words, why it passed or did not.
    :param examples: the worst first.
    """

    name: str
    part: str
    limit: float
    value: float
    interval: tuple[float, float] | None
    n: int
    passed: bool
    reason: str
    examples: tuple[Example, ...] = ()


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the gate says of a child."""

    checks: tuple[Check, ...]

    @property
    def passed(self) -> bool:
        """Whether the child may be a release."""
        return all(check.passed for check in self.checks)

    @property
    def failed(self) -> tuple[Check, ...]:
        """The budgets that were not kept."""
        return tuple(check for check in self.checks if not check.passed)


def judge(
    parent: Measured, child: Measured, budgets: Budgets | None = None, *, n_examples: int = 10, seed: int = 0
) -> Judgement:
    """Whether the child keeps within its budgets.

    A loss of accuracy, or a rise of the calibration error, is over its budget where at least the share ``sure`` of
    the paired bootstrap samples of documents are. Of simulated children (half of a document's mentions alike, 0.5 to
    2 % of the answers changed each way) this refuses, with the default budget: of those that lose nothing 0 to 9 % at
    any size; of those that lose 20 points 95 % or more from 50 mentions in 10 documents on; 2 points, half of them at
    1,000 mentions in 100 documents and nine in ten at 4,000; 1 point, four in five at 4,000 names. The plain estimate
    would refuse 10 to 50 % of those that lose nothing, and an upper bound over the budget 14 to 97 %, so that nothing
    passed. What few annotated mentions cannot show, the thousands of names can: they are always part of the guard set.

    Calibration is judged on mentions of notes, and on the ontology's names only where there are none. At 50 mentions or
    more no simulated child whose probabilities were only jittered was refused for it; one whose logits rose by 1.5,
    which is an error of 0.09 more, was at 1,000 mentions always, at 250 every second time.

    The share that is fixed is no estimate, as it is about these very corrections; nor is the rank.

    :param seed: of the bootstrap.
    :raises SettingError: when both were not asked the same, or there is no case.
    """
    budgets = budgets or Budgets()
    return Judgement(tuple(_checks(parent, child, budgets, n_examples, seed)))


def _checks(parent: Measured, child: Measured, budgets: Budgets, n_examples: int, seed: int) -> Iterator[Check]:
    if not parent.guard or list(parent.guard) != list(child.guard):
        raise SettingError(
            "parent and child are judged on the same guard set, which is not empty",
            expected=", ".join(parent.guard) or "a case",
            got=", ".join(child.guard) or "none",
        )
    pairs = [_Pair(part, parent.guard[part], child.guard[part], n_examples, seed) for part in parent.guard]
    yield from (_check_accuracy(pair, budgets) for pair in pairs)
    if parent.corrections and child.corrections:
        yield _check_fixed(_Pair("", parent.corrections, child.corrections, n_examples, seed), budgets)
    yield _check_collapse(parent.vectors, child.vectors, budgets)
    # Hidden names are rarer wordings than those of notes, on which probabilities were fitted.
    of_notes = [pair for pair in pairs if pair.part != ONTOLOGY]
    yield from (_check_calibration(pair, budgets) for pair in of_notes or pairs)


@dataclass(frozen=True, slots=True)
class _Pair:
    """Parent and child on one part of the guard set."""

    part: str
    parent: Outcomes
    child: Outcomes
    n_examples: int
    seed: int

    def __post_init__(self) -> None:
        if self.parent.cases != self.child.cases:
            raise SettingError("parent and child were asked different things", where=self.part or FIXED)

    def examples(self, chosen: NDArray[np.bool_], badness: NDArray[np.float64]) -> tuple[Example, ...]:
        """The worst of the chosen cases, ties by their place."""
        examples = pair_examples(self.parent, self.child)
        rows = sorted(np.flatnonzero(chosen).tolist(), key=lambda row: (-badness[row], examples[row].place))
        return tuple(examples[row] for row in rows[: self.n_examples])


def pair_examples(parent: Outcomes, child: Outcomes) -> tuple[Example, ...]:
    """Every case with the answers of both, who were asked the same."""
    return tuple(
        Example(case.place, tuple(sorted(case.gold)), before, round(p, 6), after, round(q, 6))
        for case, before, p, after, q in zip(
            child.cases, parent.answers, parent.score.tolist(), child.answers, child.score.tolist(), strict=True
        )
    )


def _check_accuracy(pair: _Pair, budgets: Budgets) -> Check:
    parent, child = pair.parent.right, pair.child.right
    losses = parent.astype(np.float64) - child
    samples = resample_means(losses[:, None], pair.child.clusters, np.ones(len(losses)), seed=pair.seed)[:, 0]
    n_lost, n_won = int((losses > 0).sum()), int((losses < 0).sum())
    return _Estimate(
        float(losses.mean()), samples, f"{n_lost} lost, {n_won} won", pair.examples(parent & ~child, pair.child.score)
    ).check(ACCURACY, pair, limit=budgets.max_loss, sure=budgets.sure)


def _check_calibration(pair: _Pair, budgets: Budgets) -> Check:
    parent, child = pair.parent.graded, pair.child.graded
    before, after = calibration_error(parent), calibration_error(child)
    return _Estimate(
        after - before,
        compare_calibration(child, parent, pair.child.clusters, seed=pair.seed),
        f"error {before:.3f} before, {after:.3f} after",
        pair.examples(~child.right & (child.score > parent.score), child.score),
    ).check(CALIBRATION, pair, limit=budgets.max_calibration_rise, sure=budgets.sure)


@dataclass(frozen=True, slots=True, eq=False)
class _Estimate:
    """A cost that is known as far as the documents tell.

    :param samples: *Shape:* (n_resamples,), what it is on samples of the documents.
    """

    value: float
    samples: NDArray[np.float64]
    facts: str
    examples: tuple[Example, ...]

    def check(self, name: str, pair: _Pair, *, limit: float, sure: float) -> Check:
        """Whether it keeps within its limit, as far as is sure."""
        over = float((self.samples > limit).mean())
        low, high = np.percentile(self.samples, [2.5, 97.5]).tolist()
        reason = f"{self.facts}; {over:.0%} of the samples are over the budget"
        return Check(
            name, pair.part, limit, self.value, (low, high), len(pair.child.cases), over < sure, reason, self.examples
        )


def _check_fixed(pair: _Pair, budgets: Budgets) -> Check:
    wrong = ~pair.parent.right
    n_wrong, n_fixed = int(wrong.sum()), int((wrong & pair.child.right).sum())
    value = n_fixed / n_wrong if n_wrong else 1.0
    reason = f"{n_fixed} of {n_wrong} that the parent gets wrong" if n_wrong else "the parent gets none wrong"
    examples = pair.examples(wrong & ~pair.child.right, pair.child.score)
    return Check(FIXED, "", budgets.min_fixed, value, None, n_wrong, value >= budgets.min_fixed, reason, examples)


def _check_collapse(parent: Vectors, child: Vectors, budgets: Budgets) -> Check:
    before, after = _inspect(parent), _inspect(child)
    value = after.effective_rank / before.effective_rank if before.effective_rank else 1.0
    value = value if isfinite(value) else 0.0
    # A parent that looks collapsed by itself, as an encoder that was never trained does, is no fault of the child.
    reasons = () if before.collapsed else after.reasons
    passed = not reasons and value >= budgets.min_rank_share
    facts = f"effective rank {before.effective_rank:.1f} before, {after.effective_rank:.1f} after"
    n_vectors = len(child.names) + len(child.siblings)
    return Check(COLLAPSE, "", budgets.min_rank_share, value, None, n_vectors, passed, "; ".join((facts, *reasons)))


def _inspect(vectors: Vectors) -> CollapseReport:
    return CollapseGuard().inspect(torch.from_numpy(vectors.names), torch.from_numpy(vectors.siblings))

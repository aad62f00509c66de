"""Which lessons are to be believed, which annotators are to be asked, and whether a batch is poisoned."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.stats import betabinom, hypergeom

from medlink.linking.linker import Linker
from medlink.refinement.evidence import Evidence, gather_evidence
from medlink.refinement.lessons import Lesson

# A label that is none of the candidates, and behind more than this share of all concepts, is far from its wording.
FAR = 0.05
# How often each thing is seen of a changed label where it is right, and where it is wrong; measured by
# pipelines/bench/poison.py on the training splits of NCBI Disease and BC5CDR (diseases) and on HPO GSC-2024.
NEARNESS = {
    "first": (0.17, 0.01),
    "candidate": (0.47, 0.03),
    "near": (0.28, 0.12),
    "far": (0.08, 0.84),
    "no concept": (0.5, 0.5),
    "no concept, though named": (0.01, 0.5),
}
NAMED_OTHERWISE = {True: (0.12, 0.58), False: (0.88, 0.42)}
OTHERS = {"none": (0.5, 0.5), "agree": (0.93, 0.05), "differ": (0.07, 0.95)}
# A label is implausible where what is seen of it is so many times as likely of a wrong one: a far one, by itself.
IMPLAUSIBLE = 5.0
# The share of implausible ones among changed labels that are right, as a Beta distribution over corpora, which had
# 3 to 11 %; and among all labels, of annotators of whom some have slips: 1 % without any, 6 % where 5 % are slips.
USUAL, USUAL_OF_ALL = (3.0, 27.0), (3.0, 97.0)
# The share of an annotator's changed labels that are wrong, before anything is known of them, in the same way.
SLIPS = (1.0, 19.0)
# The chance of honest labels that look like this, below which somebody is suspicious: by themselves, and beside others.
CHANCE, CHANCE_BESIDE = 1e-3, 1e-4
# Earlier batches count as much as so many labels at most: annotators and guidelines change.
_LONGEST_MEMORY = 200
_N_ROUNDS = 30
# Who stands out must also be less usual than this by themselves.
_LEAST_STRANGE = 0.05


@dataclass(frozen=True, slots=True)
class Tally:
    """How many of some labels are implausible.

    :param n_changed: labels that differ from what the system had said, the implausible ones among them.
    :param n: all labels, as far as accepted ones are recorded.
    """

    n_implausible: int = 0
    n_changed: int = 0
    n: int = 0

    def __add__(self, other: Tally) -> Tally:
        return Tally(self.n_implausible + other.n_implausible, self.n_changed + other.n_changed, self.n + other.n)

    def __sub__(self, other: Tally) -> Tally:
        return Tally(self.n_implausible - other.n_implausible, self.n_changed - other.n_changed, self.n - other.n)


@dataclass(frozen=True, slots=True)
class Finding:
    """What is thought of an annotator, or of a batch.

    :param annotator: empty for a batch.
    :param chance: the chance that honest labels look as implausible as these, or more so.
    :param chance_beside: the same, given the other annotators of the batch; 1 where there is none.
    :param wrong: the share of wrong labels among the changed ones, as estimated, in [0, 1].
    """

    annotator: str
    tally: Tally
    chance: float
    chance_beside: float
    wrong: float
    is_suspicious: bool


@dataclass(frozen=True, slots=True, eq=False)
class Suspicion:
    """What is thought of a batch.

    :param trust: *Shape:* (n_lessons,), the probability that each lesson is right, in [0, 1].
    :param implausible: *Shape:* (n_lessons,), bool.
    :param batch: of all lessons together; suspicious where they look poisoned.
    :param annotators: of each who has a name, in the order of the names.
    """

    trust: NDArray[np.float64]
    implausible: NDArray[np.bool_]
    batch: Finding
    annotators: tuple[Finding, ...]

    @property
    def suspects(self) -> tuple[Finding, ...]:
        """The annotators who are to be asked, the least honest first."""
        found = [one for one in self.annotators if one.is_suspicious]
        return tuple(sorted(found, key=lambda one: (-one.wrong, one.annotator)))


def weigh_lessons(
    linker: Linker, lessons: Sequence[Lesson], *, before: Tally | None = None, show_progress: bool = False
) -> Suspicion:
    """What is thought of a batch of lessons, given what a linker knows.

    :param linker: that has not been trained on them.
    :param before: the tally of earlier batches, each as it was thought of before its training.
    """
    return suspect(lessons, gather_evidence(linker, lessons, show_progress=show_progress), before=before)


def suspect(lessons: Sequence[Lesson], evidence: Sequence[Evidence], *, before: Tally | None = None) -> Suspicion:
    """What is thought of a batch, given the evidence of each lesson.

    Only changed labels can be implausible, as others say what the system had proposed. Two things are asked by exact
    one-sided tests. Are there more implausible labels than is usual (Beta-binomial): both among the changed ones, as
    accepted ones may not be recorded, and among all, as of a good system's few errors slips are a large share? And are
    there more among the changed ones than the other annotators of the batch have (hypergeometric, Fisher's)? The first
    finds who is alone or in bad company, the second who stands out, which alone is not enough: somebody has the hardest
    documents.

    :param before: see :func:`weigh_lessons`.
    """
    ratios = np.array([likelihood_ratio(*pair) for pair in zip(lessons, evidence, strict=True)])
    changed = np.array([lesson.changed and lesson.is_mention for lesson in lessons], np.bool_)
    implausible = changed & (ratios >= IMPLAUSIBLE)
    trust = _trust(lessons, ratios, changed)
    groups = _rows_by_annotator(lessons)
    court = _Court(before or Tally(), _tally(implausible, changed), len(groups))
    findings = [
        court.find(_tally(implausible[rows], changed[rows]), annotator, _mean_wrong(trust[rows], changed[rows]))
        for annotator, rows in groups.items()
    ]
    batch = replace(court, n_annotators=1).find(court.whole, "", _mean_wrong(trust, changed))
    return Suspicion(trust, implausible, batch, tuple(findings))


def likelihood_ratio(lesson: Lesson, evidence: Evidence) -> float:
    """How many times as likely what is seen of a label is where it is wrong as where it is right."""
    if lesson.concept_id is None:
        nearness = "no concept, though named" if evidence.named_otherwise else "no concept"
    elif evidence.rank:
        nearness = "first" if evidence.rank == 1 else "candidate"
    else:
        nearness = "far" if evidence.remoteness > FAR else "near"
    is_named = evidence.named_otherwise and lesson.concept_id is not None
    n_others = evidence.n_agreeing + evidence.n_differing
    others = "none" if not n_others else "agree" if evidence.n_agreeing >= evidence.n_differing else "differ"
    ratio = 1.0
    for right, wrong in (NEARNESS[nearness], NAMED_OTHERWISE[is_named], OTHERS[others]):
        ratio *= wrong / right
    return ratio


def _trust(lessons: Sequence[Lesson], ratios: NDArray[np.float64], changed: NDArray[np.bool_]) -> NDArray[np.float64]:
    """The probability that each lesson is right, with the share of wrong ones of each annotator estimated beside it.

    Expectation and maximisation over the changed labels of those who decided them: of a careful annotator a far label
    is believed, of one who is often wrong a near one is not.
    """
    groups: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for row, lesson in enumerate(lessons):
        groups[lesson.annotators].append(row)
    trust = np.ones(len(lessons))
    for rows in groups.values():
        own, counted = ratios[rows], changed[rows]
        wrong = SLIPS[0] / sum(SLIPS)
        for _ in range(_N_ROUNDS):
            doubt = wrong * own / (wrong * own + 1.0 - wrong)
            wrong = (SLIPS[0] + float(doubt[counted].sum())) / (sum(SLIPS) + int(counted.sum()))
        trust[rows] = 1.0 - wrong * own / (wrong * own + 1.0 - wrong)
    return trust


@dataclass(frozen=True, slots=True)
class _Court:
    """What an annotator is compared with.

    :param before: the tally of earlier batches.
    :param whole: that of the batch.
    """

    before: Tally
    whole: Tally
    n_annotators: int

    def find(self, tally: Tally, annotator: str, wrong: float) -> Finding:
        """What is thought of somebody, or of the batch where it is the whole."""
        chance = max(
            self._chance(tally.n_implausible, tally.n_changed, USUAL, self.before.n_changed),
            self._chance(tally.n_implausible, tally.n, USUAL_OF_ALL, self.before.n),
        )
        beside = 1.0
        if self.whole.n_changed > tally.n_changed:
            total = self.whole.n_changed, self.whole.n_implausible, tally.n_changed
            beside = float(hypergeom.sf(tally.n_implausible - 1, *total))
        # Of many annotators one stands out by chance.
        stands_out = beside * self.n_annotators < CHANCE_BESIDE and chance < _LEAST_STRANGE
        return Finding(annotator, tally, chance, beside, wrong, chance * self.n_annotators < CHANCE or stands_out)

    def _chance(self, k: int, n: int, usual: tuple[float, float], n_before: int) -> float:
        """The chance of so many implausible labels, or more."""
        weight = min(1.0, _LONGEST_MEMORY / n_before) if n_before else 0.0
        right = weight * (n_before - self.before.n_implausible)
        a, b = usual[0] + weight * self.before.n_implausible, usual[1] + right
        return min(1.0, float(betabinom.pmf(np.arange(k, n + 1), n, a, b).sum()))


def _rows_by_annotator(lessons: Sequence[Lesson]) -> Mapping[str, list[int]]:
    """The places of each named annotator's lessons; one that several decided is each one's."""
    rows: dict[str, list[int]] = defaultdict(list)
    for row, lesson in enumerate(lessons):
        for annotator in lesson.annotators:
            rows[annotator].append(row)
    return dict(sorted(rows.items()))


def _tally(implausible: NDArray[np.bool_], changed: NDArray[np.bool_]) -> Tally:
    return Tally(int(implausible.sum()), int(changed.sum()), len(changed))


def _mean_wrong(trust: NDArray[np.float64], changed: NDArray[np.bool_]) -> float:
    return float(1.0 - trust[changed].mean()) if changed.any() else 0.0

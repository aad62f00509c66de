"""Which lessons are to be believed, which annotators are to be asked, and whether a batch is poisoned."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

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
    "first": (0.15, 0.01),
    "candidate": (0.45, 0.04),
    "near": (0.29, 0.15),
    "far": (0.08, 0.8),
    "no concept": (0.5, 0.5),
    "no concept, though named": (0.01, 0.5),
}
NAMED_OTHERWISE = {True: (0.14, 0.5), False: (0.86, 0.5)}
OTHERS = {"none": (0.5, 0.5), "agree": (0.9, 0.1), "differ": (0.1, 0.9)}
# A label is implausible where what is seen of it is so many times as likely of a wrong one.
IMPLAUSIBLE = 8.0
# The share of right labels that look implausible, as a Beta distribution over corpora.
USUAL = (3.0, 37.0)
# The share of an annotator's changed labels that are wrong, before anything is known of them, in the same way.
SLIPS = (1.0, 19.0)
# The chance of honest labels that look like this, below which somebody is suspicious: by themselves, and beside others.
CHANCE, CHANCE_BESIDE = 1e-3, 1e-4
# Earlier batches count as much as so many changed labels at most: annotators and guidelines change.
_LONGEST_MEMORY = 200
_N_ROUNDS = 30
# Who stands out must also be less usual than this by themselves.
_LEAST_STRANGE = 0.05


@dataclass(frozen=True, slots=True)
class Tally:
    """How many of some changed labels are implausible."""

    n_implausible: int = 0
    n: int = 0

    @property
    def share(self) -> float:
        """0 where there is none."""
        return self.n_implausible / self.n if self.n else 0.0

    def __add__(self, other: Tally) -> Tally:
        return Tally(self.n_implausible + other.n_implausible, self.n + other.n)

    def __sub__(self, other: Tally) -> Tally:
        return Tally(self.n_implausible - other.n_implausible, self.n - other.n)


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

    Only changed labels are tested: what an annotator leaves as the system proposed it always looks plausible, and a
    tool may record it or not. Of those, two things are asked by an exact one-sided test: are there more implausible
    ones than right labels usually have (Beta-binomial, with :data:`USUAL` and ``before``), and more than the other
    annotators of the batch have (hypergeometric, Fisher's)? The first finds who is alone or in bad company, the second
    who stands out, which alone is not enough: somebody has the hardest documents.

    :param before: see :func:`weigh_lessons`.
    """
    ratios = np.array([likelihood_ratio(*pair) for pair in zip(lessons, evidence, strict=True)])
    tested = np.array([lesson.changed and lesson.is_mention for lesson in lessons], np.bool_)
    implausible = tested & (ratios >= IMPLAUSIBLE)
    trust = _trust(lessons, ratios, tested)
    usual = _usual(before or Tally())
    whole = _tally(implausible, tested)
    groups = _rows_by_annotator(lessons)
    findings = []
    for annotator, rows in groups.items():
        tally = _tally(implausible[rows], tested[rows])
        wrong = _mean_wrong(trust[rows], tested[rows])
        findings.append(_find(annotator, tally, whole - tally, usual, wrong=wrong, n_annotators=len(groups)))
    batch = _find("", whole, Tally(), usual, wrong=_mean_wrong(trust, tested))
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


def _trust(lessons: Sequence[Lesson], ratios: NDArray[np.float64], tested: NDArray[np.bool_]) -> NDArray[np.float64]:
    """The probability that each lesson is right, with the share of wrong ones of each annotator estimated beside it.

    Expectation and maximisation over the changed labels of those who decided them: of a careful annotator a far label
    is believed, of one who is often wrong a near one is not.
    """
    groups: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for row, lesson in enumerate(lessons):
        groups[lesson.annotators].append(row)
    trust = np.ones(len(lessons))
    for rows in groups.values():
        own, counted = ratios[rows], tested[rows]
        wrong = SLIPS[0] / sum(SLIPS)
        for _ in range(_N_ROUNDS):
            doubt = wrong * own / (wrong * own + 1.0 - wrong)
            wrong = (SLIPS[0] + float(doubt[counted].sum())) / (sum(SLIPS) + int(counted.sum()))
        trust[rows] = 1.0 - wrong * own / (wrong * own + 1.0 - wrong)
    return trust


def _usual(before: Tally) -> tuple[float, float]:
    """The Beta distribution of the implausible share of right labels, with what earlier batches had."""
    weight = min(1.0, _LONGEST_MEMORY / before.n) if before.n else 0.0
    return USUAL[0] + weight * before.n_implausible, USUAL[1] + weight * (before.n - before.n_implausible)


def _find(
    annotator: str, tally: Tally, others: Tally, usual: tuple[float, float], *, wrong: float, n_annotators: int = 1
) -> Finding:
    chance = float(betabinom.sf(tally.n_implausible - 1, tally.n, *usual))
    whole = tally + others
    beside = float(hypergeom.sf(tally.n_implausible - 1, whole.n, whole.n_implausible, tally.n)) if others.n else 1.0
    # With many annotators one of them stands out by chance.
    stands_out = beside * n_annotators < CHANCE_BESIDE and chance < _LEAST_STRANGE
    return Finding(annotator, tally, chance, beside, wrong, chance * n_annotators < CHANCE or stands_out)


def _rows_by_annotator(lessons: Sequence[Lesson]) -> Mapping[str, list[int]]:
    """The places of each named annotator's lessons; one that several decided is each one's."""
    rows: dict[str, list[int]] = defaultdict(list)
    for row, lesson in enumerate(lessons):
        for annotator in lesson.annotators:
            rows[annotator].append(row)
    return dict(sorted(rows.items()))


def _tally(implausible: NDArray[np.bool_], tested: NDArray[np.bool_]) -> Tally:
    return Tally(int(implausible.sum()), int(tested.sum()))


def _mean_wrong(trust: NDArray[np.float64], tested: NDArray[np.bool_]) -> float:
    return float(1.0 - trust[tested].mean()) if tested.any() else 0.0

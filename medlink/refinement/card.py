"""The report card of a refinement: what a child release would change, what it costs, and what stays hard."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from medlink.evaluation.calibration import calibration_error
from medlink.evaluation.metrics import Interval, compare_ranks, score_ranks
from medlink.ontology.lexicon import Lexicon
from medlink.refinement.cost import Cost
from medlink.refinement.gate import Example, Judgement, pair_examples
from medlink.refinement.guard import BATCH, ONTOLOGY
from medlink.refinement.measuring import Measured, Outcomes, Vectors
from medlink.refinement.suspects import Suspicion

N_CONFUSIONS = 20


@dataclass(frozen=True, slots=True)
class Trial:
    """A child beside its parent, as the gate saw them."""

    parent: Measured
    child: Measured
    judgement: Judgement


@dataclass(frozen=True, slots=True)
class CardFacts:
    """What was refined.

    :param depth: how deep: ``surface``, ``adapter`` or ``full``.
    :param parent: the id of its release; ``child`` likewise.
    :param n_trained: lessons that were trained on, those of earlier batches included.
    :param n_guarded: lessons of documents that are frozen out of training.
    :param n_set_aside: lessons that were not believed.
    :param at: when, in ISO 8601.
    """

    medlink: str
    depth: str
    parent: str
    child: str
    ontology: str
    ontology_version: str
    n_trained: int
    n_guarded: int
    n_set_aside: int
    at: str


@dataclass(frozen=True, slots=True)
class Standing:
    """Parent and child on one part of the guard set, or on the corrections.

    :param before: the accuracy of the parent; ``after`` of the child; ``gain`` is their paired difference.
    :param error_before: the parent's expected calibration error; ``error_after`` the child's.
    """

    part: str
    n: int
    n_documents: int
    before: Interval
    after: Interval
    gain: Interval
    error_before: float
    error_after: float


class Fate(StrEnum):
    """What became of a correction."""

    FIXED = "fixed"
    """The parent gets it wrong, the child right."""
    NOT_FIXED = "not fixed"
    """Both get it wrong."""
    KEPT = "right before"
    """Both get it right."""
    LOST = "lost"
    """The parent gets it right, the child wrong."""


@dataclass(frozen=True, slots=True)
class Drift:
    """How far names have moved: cosine distances, in [0, 2], between their vectors before and after.

    :param high: the distance that one name in twenty exceeds.
    """

    n: int
    mean: float
    median: float
    high: float
    highest: float


@dataclass(frozen=True, slots=True)
class Confusion:
    """A concept for which another is taken, or NIL.

    :param gold: the right concept, ``None`` for NIL; ``answer`` likewise.
    :param n: mentions.
    """

    gold: str | None
    gold_name: str
    answer: str | None
    answer_name: str
    n: int


@dataclass(frozen=True, slots=True)
class ReportCard:
    """All of it. There is no text of a note in it: places, ids, and names of the ontology.

    :param corrections: by what became of them, each case once, by place.
    :param drift: ``None`` where vectors of parent and child have different lengths.
    :param confusions: the most frequent of the child on mentions of notes, worst first.
    """

    facts: CardFacts
    judgement: Judgement
    standings: tuple[Standing, ...]
    corrections: Mapping[Fate, tuple[Example, ...]]
    drift: Drift | None
    confusions: tuple[Confusion, ...]
    cost: Cost
    suspicion: Suspicion | None


def make_card(
    facts: CardFacts,
    trial: Trial,
    lexicon: Lexicon,
    *,
    cost: Cost,
    suspicion: Suspicion | None = None,
    seed: int = 0,
) -> ReportCard:
    """The card of a trial.

    :param suspicion: what was thought of the batch; ``None`` where nobody looked.
    :param seed: of the bootstrap.
    """
    pairs = {part: (trial.parent.guard[part], outcomes) for part, outcomes in trial.child.guard.items()}
    if trial.parent.corrections and trial.child.corrections:
        pairs[BATCH] = (trial.parent.corrections, trial.child.corrections)
    return ReportCard(
        facts,
        trial.judgement,
        tuple(_stand(part, before, after, seed) for part, (before, after) in pairs.items()),
        _sort_corrections(*pairs[BATCH]) if BATCH in pairs else {},
        measure_drift(trial.parent.vectors, trial.child.vectors),
        find_confusions((after for part, (_, after) in pairs.items() if part != ONTOLOGY), lexicon),
        cost,
        suspicion,
    )


def _stand(part: str, before: Outcomes, after: Outcomes, seed: int) -> Standing:
    clusters = after.clusters
    first, second = ([int(right) for right in outcomes.right] for outcomes in (before, after))
    return Standing(
        part,
        len(clusters),
        len(set(clusters)),
        score_ranks(first, clusters, seed=seed).acc1,
        score_ranks(second, clusters, seed=seed).acc1,
        compare_ranks(second, first, clusters, seed=seed),
        calibration_error(before.graded),
        calibration_error(after.graded),
    )


def _sort_corrections(before: Outcomes, after: Outcomes) -> dict[Fate, tuple[Example, ...]]:
    fates: dict[Fate, list[Example]] = {fate: [] for fate in Fate}
    examples = pair_examples(before, after)
    for example, was_right, is_right in zip(examples, before.right.tolist(), after.right.tolist(), strict=True):
        if was_right:
            fates[Fate.KEPT if is_right else Fate.LOST].append(example)
        else:
            fates[Fate.FIXED if is_right else Fate.NOT_FIXED].append(example)
    return {fate: tuple(sorted(found, key=lambda one: one.place)) for fate, found in fates.items()}


def measure_drift(before: Vectors, after: Vectors) -> Drift | None:
    """How far the same names lie from where they lay; ``None`` where the vectors have another length."""
    if before.names.shape != after.names.shape or not len(after.names):
        return None
    distances = np.concatenate([_distances(before.names, after.names), _distances(before.siblings, after.siblings)])
    mean, (median, high) = float(distances.mean()), np.percentile(distances, [50, 95]).tolist()
    return Drift(len(distances), mean, median, high, float(distances.max()))


def _distances(before: NDArray[np.float32], after: NDArray[np.float32]) -> NDArray[np.float64]:
    cosines = np.einsum("nw,nw->n", before.astype(np.float64), after.astype(np.float64))
    return np.asarray(np.clip(1.0 - cosines, 0.0, 2.0))


def find_confusions(parts: Iterable[Outcomes], lexicon: Lexicon, *, limit: int = N_CONFUSIONS) -> tuple[Confusion, ...]:
    """What is taken for what most often, each mention counted once; of equals what is answered with more certainty."""
    scores = defaultdict[tuple[str, str], list[float]](list)
    seen = set[object]()
    for outcomes in parts:
        for gold, answer, score, case in _wrong(outcomes):
            if case not in seen:
                seen.add(case)
                scores[gold, answer].append(score)
    ordered = sorted(scores, key=lambda pair: (-len(scores[pair]), -sum(scores[pair]), pair))[:limit]
    return tuple(
        Confusion(gold or None, _name(gold, lexicon), answer or None, _name(answer, lexicon), len(scores[gold, answer]))
        for gold, answer in ordered
    )


def _wrong(outcomes: Outcomes) -> Iterator[tuple[str, str, float, object]]:
    for case, right, answer, score in zip(
        outcomes.cases, outcomes.right.tolist(), outcomes.answers, outcomes.score.tolist(), strict=True
    ):
        if not right:
            yield min(case.gold, default=""), answer or "", score, case


def _name(concept_id: str, lexicon: Lexicon) -> str:
    concept = lexicon.concepts.get(concept_id)
    return concept.name if concept else ""

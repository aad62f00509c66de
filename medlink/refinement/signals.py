"""From lessons to what can be trained on: what each wording of a concept teaches, and how much it counts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from medlink.refinement.lessons import Lesson, Place


@dataclass(frozen=True, slots=True)
class Signal:
    """What all mentions of one wording that mean one concept teach together.

    :param query: normalised.
    :param concept_id: what they mean; ``None`` where no concept fits.
    :param refuted: concepts that annotators said they do not mean, sorted.
    :param documents: where they stand: what these documents taught about other wordings does not explain this one.
    :param n: mentions.
    :param trust: mean of their lessons', in [0, 1].
    :param seq: place in the ledger of the last of them.
    :param changed: whether the system had it wrong at least once.
    """

    query: str
    concept_id: str | None
    refuted: tuple[str, ...]
    documents: frozenset[str]
    n: int
    trust: float
    seq: int
    changed: bool


def gather_signals(lessons: Iterable[Lesson], *, trust: Mapping[Place, float] | None = None) -> tuple[Signal, ...]:
    """The signals of some lessons, in the order of the ledger; what is no mention teaches nothing about concepts.

    :param trust: what to make of a lesson, in [0, 1], by its place; 1 where it is not there. Lessons of trust 0 are
        left out.
    """
    trust = trust or {}
    groups = defaultdict[tuple[str, str | None], list[Lesson]](list)
    for lesson in lessons:
        if lesson.is_mention and trust.get(lesson.place, 1.0) > 0:
            groups[lesson.query, lesson.concept_id].append(lesson)
    signals = (_signal(group, [trust.get(lesson.place, 1.0) for lesson in group]) for group in groups.values())
    return tuple(sorted(signals, key=lambda signal: (signal.seq, signal.query)))


def alias_documents(lessons: Iterable[Lesson]) -> Mapping[tuple[str, str], frozenset[str]]:
    """By query and concept the documents in which the one means the other."""
    found = defaultdict[tuple[str, str], set[str]](set)
    for lesson in lessons:
        if lesson.concept_id:
            found[lesson.query, lesson.concept_id].add(lesson.place[0])
    return {key: frozenset(documents) for key, documents in found.items()}


def _signal(group: Sequence[Lesson], trusts: Sequence[float]) -> Signal:
    first = group[0]
    return Signal(
        query=first.query,
        concept_id=first.concept_id,
        refuted=tuple(sorted({key for lesson in group for key in lesson.refuted} - {first.concept_id})),
        documents=frozenset(lesson.place[0] for lesson in group),
        n=len(group),
        trust=sum(trusts) / len(group),
        seq=max(lesson.seq for lesson in group),
        changed=any(lesson.changed for lesson in group),
    )

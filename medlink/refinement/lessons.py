"""Lessons: what annotators decided, as training and measuring take it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from medlink.curation.adjudication import NOT_A_MENTION, Decision, Resolve
from medlink.curation.rulings import hear
from medlink.records import Verdict
from medlink.text import normalise

#: Document id, start and end of a mention.
Place = tuple[str, int, int]


@dataclass(frozen=True, slots=True)
class Lesson:
    """What holds for one mention.

    :param query: what is looked up for the mention: its long form or surface, normalised; never empty.
    :param concept_id: what it means; ``None`` where no concept fits, or where it is no mention.
    :param is_mention: whether it is one at all.
    :param refuted: concepts that it does not mean: corrected, or shown and not accepted; sorted.
    :param overruled: what the system had proposed before the annotators said otherwise; empty where they did not.
    :param changed: whether somebody said other than what the system had proposed, or marked what it had missed.
    :param annotators: who decided it so, sorted.
    :param seq: place in the ledger of the last event behind it; higher is later.
    :param at: when that was said.
    """

    query: str
    place: Place
    concept_id: str | None
    is_mention: bool
    refuted: tuple[str, ...]
    overruled: str
    changed: bool
    annotators: tuple[str, ...]
    seq: int
    at: datetime


_CHANGING = frozenset({Verdict.CORRECT, Verdict.NIL, Verdict.NOT_A_MENTION, Verdict.MISSED})


def take_lessons(decisions: Iterable[Decision], *, resolve: Resolve | None = None) -> Iterator[Lesson]:
    """The lesson of each decision that is not open and whose mention has a letter or digit, in the order given.

    :param resolve: brings refuted ids to the ontology at hand, as it did the decisions' concepts.
    """
    for decision in decisions:
        if decision.is_open:
            continue
        span, heard = decision.span, hear(decision, resolve)
        if not (query := normalise(heard.written)):
            continue
        yield Lesson(
            query=query,
            place=(span.doc_id, span.start, span.end),
            concept_id=decision.concept_id,
            is_mention=decision.outcome != NOT_A_MENTION,
            refuted=heard.rejected,
            overruled=heard.overruled,
            changed=any(one.verdict in _CHANGING for one in heard.said),
            annotators=heard.annotators,
            seq=heard.seq,
            at=heard.last,
        )

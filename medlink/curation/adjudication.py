"""From what each annotator says about a span to what holds: agreement, adjudication, or an open conflict."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby

from medlink.records import Annotation, Verdict
from medlink.store.events import Entry
from medlink.text import flatten

#: What an id means today, ``None`` where nothing; see :meth:`medlink.curation.concepts.Resolver.current`.
Resolve = Callable[[str], str | None]

NIL = "NIL"
NOT_A_MENTION = "not a mention"


class Policy(StrEnum):
    """How annotators who differ are brought to one answer. An adjudicator's word always stands above the others."""

    ADJUDICATOR = "adjudicator"
    """Only an adjudicator decides; without one the conflict stays open."""
    MAJORITY = "majority"
    """More than half of the annotators."""
    LATEST = "latest"
    """Whoever spoke last."""


class Basis(StrEnum):
    """What a decision rests on."""

    AGREEMENT = "agreement"
    ADJUDICATOR = "adjudicator"
    MAJORITY = "majority"
    LATEST = "latest"
    CONFLICT = "conflict"
    """Open: annotators differ, and nobody decided. Nothing is learned from it."""
    GONE = "gone"
    """Open: a concept has no successor in the ontology at hand."""


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of a document that was judged.

    :param doc_hash: of the document's text, empty where it is not known.
    :param surface: with a space for each white-space character.
    """

    doc_id: str
    doc_hash: str
    start: int
    end: int
    surface: str


@dataclass(frozen=True, slots=True)
class Decision:
    """What holds for a span.

    :param outcome: a concept's id, :data:`NIL` or :data:`NOT_A_MENTION`; empty where it is open.
    :param votes: the current events that count, each with its outcome, in the order of recording; empty outcomes are
        concepts that are gone.
    """

    span: Span
    outcome: str
    basis: Basis
    votes: tuple[tuple[str, Entry], ...]

    @property
    def is_open(self) -> bool:
        """Whether nothing may be learned from it."""
        return not self.outcome

    @property
    def concept_id(self) -> str | None:
        """The concept that holds; ``None`` for NIL, no mention, and while it is open."""
        return None if self.outcome in ("", NIL, NOT_A_MENTION) else self.outcome


def decide_spans(
    current: Iterable[Entry], *, policy: Policy = Policy.ADJUDICATOR, resolve: Resolve | None = None
) -> Iterator[Decision]:
    """The decision on each span about which somebody says something, in the order given; one document in memory.

    Who says *ignore* says nothing.

    :param current: the last event of each annotator on each span, spans together, as ``Ledger.current`` gives them.
    :param resolve: brings ids to the ontology at hand; by default they stay as they were said.
    """
    for span, entries in groupby(current, key=span_of):
        votes = [
            (outcome_of(entry.event.annotation, resolve), entry)
            for entry in entries
            if entry.event.annotation.verdict is not Verdict.IGNORE
        ]
        if votes:
            outcome, basis = _settle(votes, policy)
            yield Decision(span, outcome, basis, tuple(votes))


def span_of(entry: Entry) -> Span:
    """The span that an event is about."""
    said = entry.event.annotation
    return Span(said.doc_id, said.doc_hash, said.start, said.end, flatten(said.surface))


def outcome_of(annotation: Annotation, resolve: Resolve | None = None) -> str:
    """What an annotation says a span is: a current concept, :data:`NIL`, :data:`NOT_A_MENTION`, or "" where it is gone.

    A missed mention without a concept is NIL.
    """
    if annotation.verdict is Verdict.NOT_A_MENTION:
        return NOT_A_MENTION
    if annotation.concept_id is None:
        return NIL
    return annotation.concept_id if resolve is None else resolve(annotation.concept_id) or ""


def _settle(votes: list[tuple[str, Entry]], policy: Policy) -> tuple[str, Basis]:
    by_adjudicators = [vote for vote in votes if vote[1].event.annotation.adjudicator]
    heard = by_adjudicators or votes
    outcomes = [outcome for outcome, _ in heard]
    if "" in outcomes:
        return "", Basis.GONE
    if len(set(outcomes)) == 1:
        all_agree = len({outcome for outcome, _ in votes}) == 1
        return outcomes[0], Basis.AGREEMENT if all_agree else Basis.ADJUDICATOR
    if by_adjudicators or policy is Policy.LATEST:
        # Of several adjudicators, too, the last word holds.
        last = max(heard, key=lambda vote: (vote[1].at, vote[1].seq))
        return last[0], Basis.ADJUDICATOR if by_adjudicators else Basis.LATEST
    if policy is Policy.MAJORITY:
        outcome, n_votes = Counter(outcomes).most_common(1)[0]
        if 2 * n_votes > len(outcomes):
            return outcome, Basis.MAJORITY
    return "", Basis.CONFLICT

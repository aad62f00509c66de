"""What a link says in the end: the chosen concept and its rivals, as every output format words it."""

from __future__ import annotations

from dataclasses import dataclass

from medlink.records import Candidate, Link


@dataclass(frozen=True, slots=True)
class Decision:
    """The outcome of a link.

    :param concept_id: the chosen concept, empty for NIL.
    :param name: its preferred name; empty for NIL, and for a concept that was no candidate.
    :param score: the chosen concept's score in [0, 1]; for NIL the best candidate's, which was too low.
    :param alternatives: the other candidates, best first; for NIL all of them.
    """

    concept_id: str
    name: str
    score: float
    alternatives: tuple[Candidate, ...]

    @property
    def is_nil(self) -> bool:
        """Whether no concept was chosen."""
        return not self.concept_id


def decide(link: Link) -> Decision:
    """The outcome of a link.

    >>> from medlink.records import Mention
    >>> seizure = Candidate("HP:0001250", "Seizure", "fit", 1.0, None, 0.92)
    >>> link = Link(Mention("note", 0, 3, "fit"), (seizure,), "HP:0001250", "r1", "2025-01-16")
    >>> decide(link).name, decide(link).alternatives
    ('Seizure', ())
    """
    chosen = next((c for c in link.candidates if c.concept_id == link.concept_id), None)
    return Decision(
        concept_id=link.concept_id or "",
        name=chosen.name if chosen else "",
        score=chosen.score if chosen else link.score,
        alternatives=tuple(c for c in link.candidates if c is not chosen),
    )


def round_score(score: float) -> float:
    """The score as files hold it: rounded to 4 decimals, never a negative zero.

    >>> round_score(0.123449), round_score(-0.00001)
    (0.1234, 0.0)
    """
    return round(score, 4) + 0.0

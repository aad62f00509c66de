"""Changes: links that a release makes otherwise than they were recorded, and what is behind each."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from enum import StrEnum

from medlink.errors import SettingError
from medlink.records import Mention, Ruling
from medlink.refinement.precedents import Near
from medlink.store.logged import Outcome, Run


class Cause(StrEnum):
    """Why a link changes."""

    RULING = "ruling"
    """Annotators decided on this mention, or on its wording."""
    LEARNING = "learning"
    """Another release ranks otherwise."""
    ONTOLOGY = "ontology"
    """The ontology is another one than then."""
    WITHDRAWN = "withdrawn"
    """Annotators' decisions are others than then, and none holds for this mention."""
    OTHER = "other"
    """Another version of medlink, or other settings."""


@dataclass(frozen=True, slots=True)
class Change:
    """A link to another concept than it was recorded with.

    :param old_release: that made it; ``new_release`` likewise.
    :param margin: by which the best candidate is ahead of the second.
    :param ruling: that decides it, where that is the cause.
    :param near: where it was learned, the corrections nearest to it.
    :param review: whether a person should look at it.
    """

    mention: Mention
    old: Outcome
    new: Outcome
    old_release: str
    new_release: str
    margin: float
    cause: Cause
    ruling: Ruling | None = None
    near: tuple[Near, ...] = ()
    review: bool = False


@dataclass(frozen=True, slots=True)
class ReviewLimits:
    """What a person should look at: a change to NIL, a low score, a second candidate close behind.

    What was decided on the very mention needs no second look.

    :param below: scores below this, in [0, 1].
    :param margin: leads over the second candidate below this, in [0, 1].
    """

    below: float = 0.5
    margin: float = 0.1

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if not 0 <= value <= 1:
                raise SettingError("no such limit", where=name, expected="0 to 1", got=str(value))

    def asks_for(self, outcome: Outcome, margin: float, ruling: Ruling | None) -> bool:
        """Whether a person should look at a link that became this."""
        if ruling is not None and (ruling.place or outcome.concept_id is None):
            return False
        return outcome.concept_id is None or outcome.score < self.below or margin < self.margin


@dataclass(slots=True)
class Tally:
    """What a relinking found, counted while it goes on.

    :param n_nil_gained: links that lost their concept; ``n_nil_lost`` got one.
    :param n_rescored: links to the same concept with another score.
    """

    n_documents: int = 0
    n_links: int = 0
    n_changed: int = 0
    n_rescored: int = 0
    n_nil_gained: int = 0
    n_nil_lost: int = 0
    n_review: int = 0
    causes: dict[str, int] = field(default_factory=lambda: {cause.value: 0 for cause in Cause})

    @property
    def n_unchanged(self) -> int:
        """Links to the same concept as before, or to none as before."""
        return self.n_links - self.n_changed

    def count(self, changes: Iterable[Change]) -> None:
        """Adds changes."""
        for change in changes:
            self.n_changed += 1
            self.causes[change.cause] += 1
            self.n_nil_gained += change.new.concept_id is None
            self.n_nil_lost += change.old.concept_id is None
            self.n_review += change.review


def cause_of(before: Run, now: Run, ruling: Ruling | None) -> Cause:
    """Why a link changes, given what both runs depended on, and the ruling that decides it now."""
    if ruling is not None:
        return Cause.RULING
    if before.release != now.release:
        return Cause.LEARNING
    if before.content_hash != now.content_hash:
        return Cause.ONTOLOGY
    return Cause.WITHDRAWN if before.corrections != now.corrections else Cause.OTHER

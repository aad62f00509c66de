"""What passes from release to release about annotators: how often they seemed wrong, and which lessons are doubted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import ConfigDict, TypeAdapter, ValidationError

from medlink.errors import ArtifactError
from medlink.refinement.lessons import Lesson, Place
from medlink.refinement.suspects import Tally
from medlink.store.release import BELIEFS

# A lesson that is believed so far needs no record.
_SURE = 0.999


@dataclass(frozen=True, slots=True)
class Doubt:
    """A lesson that is not quite believed.

    :param seq: its place in the ledger: what annotators decide anew is not doubted for what they said before.
    :param trust: the probability that it is right, in [0, 1].
    """

    place: Place
    seq: int
    trust: float


@dataclass(frozen=True, slots=True)
class Beliefs:
    """What was thought of all lessons so far, each batch before its training.

    :param tally: of all batches that became a release.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    tally: Tally = field(default_factory=Tally)
    doubts: tuple[Doubt, ...] = ()

    def trust_in(self, lessons: tuple[Lesson, ...]) -> dict[Place, float]:
        """How far the doubted among some lessons are believed; those that were decided anew are left out."""
        trust = {(doubt.place, doubt.seq): doubt.trust for doubt in self.doubts}
        keys = ((lesson.place, lesson.seq) for lesson in lessons)
        return {key[0]: trust[key] for key in keys if key in trust}

    def with_batch(self, tally: Tally, lessons: tuple[Lesson, ...], trust: Mapping[Place, float]) -> Beliefs:
        """The beliefs after another batch.

        :param lessons: of the batch.
        """
        known = ((lesson, trust.get(lesson.place, 1.0)) for lesson in lessons)
        fresh = tuple(Doubt(lesson.place, lesson.seq, round(own, 4)) for lesson, own in known if own < _SURE)
        return Beliefs(self.tally + tally, self.doubts + fresh)


_BELIEFS = TypeAdapter(Beliefs)


def write_beliefs(beliefs: Beliefs, folder: Path) -> None:
    """Writes beliefs into the folder of a release."""
    (folder / BELIEFS).write_bytes(_BELIEFS.dump_json(beliefs) + b"\n")


def read_beliefs(folder: Path) -> Beliefs:
    """The beliefs in the folder of a release; none where it holds none.

    :raises ArtifactError: when they are damaged.
    """
    path = folder / BELIEFS
    if not path.exists():
        return Beliefs()
    try:
        return _BELIEFS.validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise ArtifactError(
            "what is believed of annotators cannot be read", where=str(path), got=type(error).__name__
        ) from error

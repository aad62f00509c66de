"""What the link log holds: runs, documents, and the links that were made."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime

from medlink import __version__
from medlink.errors import StoreError
from medlink.records import Link, Mention
from medlink.store.database import Kind

LINK_LOG = Kind(
    name="link log",
    folder="link_log",
    error=StoreError,
    if_missing="'medlink link NOTES' makes one, unless told --no-log.",
    if_damaged="Delete it and link the notes again: it holds nothing that they do not give.",
)


@dataclass(frozen=True, slots=True)
class Target:
    """What documents are linked to.

    :param ontology: its key in the catalogue.
    :param branches: ids of the branches that are kept; none for all of it.
    """

    ontology: str
    branches: tuple[str, ...] = ()

    @property
    def packed_branches(self) -> str:
        """The branches as the log holds them, in one order."""
        return pack(sorted(set(self.branches)))


@dataclass(frozen=True, slots=True)
class Run:
    """What a run's links depend on.

    :param release: of the linker.
    :param content_hash: of the ontology's concepts.
    :param corrections: fingerprint of the rulings, empty where there were none.
    :param threshold: a mention whose best score is lower is NIL; ``None`` where that is left to the release.
    """

    target: Target
    release: str
    ontology_version: str
    content_hash: str
    corrections: str
    threshold: float | None
    medlink: str = __version__


@dataclass(frozen=True, slots=True)
class RunRecord:
    """A run in the log.

    :param kind: ``link`` or ``relink``.
    """

    id: int
    kind: str
    recorded_at: datetime
    run: Run


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a mention is linked to.

    :param concept_id: ``None`` for NIL.
    :param score: of the best candidate, 0 where there is none; four decimals, as files of links have it.
    :param candidates: the best concepts, best first.
    """

    concept_id: str | None
    score: float
    candidates: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LoggedLink:
    """A link in the log.

    :param mention: without sentence and assertion, its section normalised.
    :param query_id: the number of its query.
    """

    mention: Mention
    query_id: int
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class LoggedDocument:
    """A document's links in the log, by place.

    :param run_id: of the run that they are from.
    """

    id: int
    doc_id: str
    run_id: int
    links: tuple[LoggedLink, ...]


def outcome_of(link: Link) -> Outcome:
    """What the log keeps of a link."""
    candidates = tuple(candidate.concept_id for candidate in link.candidates)
    return Outcome(link.concept_id, round(link.score, 4) + 0.0, candidates)


def pack_outcome(outcome: Outcome) -> tuple[str | None, float, str]:
    """The outcome as a row of the log ends."""
    return outcome.concept_id, outcome.score, pack(outcome.candidates)


pack = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode

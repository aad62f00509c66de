"""What a new release of an ontology does to a ledger: ids that moved, and ids that lead nowhere."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from medlink.curation.checks import Refused
from medlink.curation.concepts import Resolver
from medlink.curation.quarantine import Quarantine
from medlink.store.events import Entry


@dataclass(frozen=True, slots=True)
class MigrationReport:
    """How a ledger's concepts stand in an ontology.

    :param ontology: its name and version.
    :param n_events: current events that name a concept.
    :param moved: from, to, number of current events.
    :param gone: the id, the reason, number of current events; nothing is learned from these until they are mended.
    :param quarantine: the file with the events whose concept is gone, empty where there is none.
    """

    ontology: str
    n_events: int
    moved: tuple[tuple[str, str, int], ...]
    gone: tuple[tuple[str, str, int], ...]
    quarantine: str = ""


def migrate_concepts(current: Iterable[Entry], resolver: Resolver, quarantine: Quarantine) -> MigrationReport:
    """How the current events stand in the resolver's ontology; those whose concept is gone go to quarantine.

    The ledger is not changed: it keeps what was said, and every use asks anew what that means. A mended quarantine
    file, taken in again, adds events that stand above the old ones.

    :param current: as ``Ledger.current`` gives them.
    :param quarantine: to be given its events; it is finished here.
    """
    moved, gone, n_events = Counter[tuple[str, str]](), Counter[tuple[str, str]](), 0
    for entry in current:
        said = entry.event.annotation
        if said.concept_id is None:
            continue
        n_events += 1
        today = resolver.current(said.concept_id)
        if today is None:
            reason = resolver.problem(said.concept_id)
            gone[said.concept_id, reason] += 1
            quarantine.add(Refused(said, reason))
        elif today != said.concept_id:
            moved[said.concept_id, today] += 1
    quarantine.finish()
    lexicon = resolver.lexicon
    return MigrationReport(
        ontology=f"{lexicon.ontology_name} {lexicon.version}",
        n_events=n_events,
        moved=tuple((before, after, count) for (before, after), count in sorted(moved.items())),
        gone=tuple((concept_id, reason, count) for (concept_id, reason), count in sorted(gone.items())),
        quarantine=str(quarantine.path or ""),
    )

"""What a new release of an ontology touches of what was said or linked before."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from medlink.curation.concepts import Resolver
from medlink.ontology.diff import Diff
from medlink.store.events import Entry
from medlink.store.link_log import LinkLog


@dataclass(frozen=True, slots=True)
class Touched:
    """Uses of one concept that the new release changes.

    :param kind: ``renamed``, ``merged`` or ``retired``.
    :param successors: the concepts that stand for it now.
    :param n_uses: corrections or links that name it.
    """

    id: str
    kind: str
    successors: tuple[str, ...]
    n_uses: int


@dataclass(frozen=True, slots=True)
class TouchedReport:
    """How many uses a release touches.

    :param n_uses: all uses that name a concept.
    :param touched: the most used concept first, ties by id.
    """

    n_uses: int
    touched: tuple[Touched, ...]

    @property
    def n_touched(self) -> int:
        """Uses of concepts that changed."""
        return sum(one.n_uses for one in self.touched)


def count_touched(concept_ids: Iterable[str | None], diff: Diff, resolver: Resolver) -> TouchedReport:
    """How many uses of concepts a new release touches; each is read once, so they may come from a store.

    :param concept_ids: one for each use, such as a correction in the ledger or a link in a log; ``None`` counts not.
    :param resolver: of the old release: an id that was written otherwise, or earlier, counts as what it meant there.
    """
    uses = Counter(concept_id for concept_id in concept_ids if concept_id is not None)
    counted = Counter[str]()
    for concept_id, n_uses in uses.items():
        counted[resolver.current(concept_id) or concept_id] += n_uses
    successors = {gone.id: gone.successors for gone in (*diff.merged, *diff.retired)}
    touched = [
        Touched(concept_id, kind, successors.get(concept_id, (concept_id,)), counted[concept_id])
        for concept_id, kind in diff.changed_ids.items()
        if concept_id in counted
    ]
    return TouchedReport(counted.total(), tuple(sorted(touched, key=lambda one: (-one.n_uses, one.id))))


def corrected_concepts(current: Iterable[Entry]) -> Iterable[str | None]:
    """The concept that each event names.

    :param current: as ``Ledger.current`` gives them.
    """
    return (entry.event.annotation.concept_id for entry in current)


def linked_concepts(log: LinkLog) -> Iterator[str | None]:
    """The concept that each recorded link means now, one document after the other."""
    for target in log.targets():
        for document in log.documents(log.document_numbers(target)):
            yield from (link.outcome.concept_id for link in document.links)

"""What the ledger says of concepts: how often each was meant, and how often it was proposed in vain."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from math import log, log1p

from medlink.records import Ruling

#: The columns that :meth:`Experience.describe` gives.
COLUMNS = ("confirmed", "known", "documents", "overruled", "trusted")

_Counts = Mapping[str, Mapping[str, int]]


@dataclass(frozen=True)
class Experience:
    """Counts of decided mentions, by concept and document.

    :param confirmed: by concept id and document id the mentions that mean it.
    :param overruled: by concept id and document id the mentions for which it was proposed and put aside.
    :param left_out: documents that do not count, so that a mention is not explained by itself.
    """

    confirmed: _Counts = field(default_factory=dict)
    overruled: _Counts = field(default_factory=dict)
    left_out: Collection[str] = frozenset()
    _known: dict[str, tuple[float, ...]] = field(default_factory=dict, init=False, repr=False, compare=False)

    @classmethod
    def of(cls, rulings: Iterable[Ruling]) -> Experience:
        """What rulings about single mentions say."""
        confirmed, overruled = defaultdict[str, Counter[str]](Counter), defaultdict[str, Counter[str]](Counter)
        for ruling in rulings:
            if ruling.place is None:
                continue
            if ruling.concept_id:
                confirmed[ruling.concept_id][ruling.place[0]] += 1
            if ruling.overruled:
                overruled[ruling.overruled][ruling.place[0]] += 1
        return cls(dict(confirmed), dict(overruled))

    def without(self, documents: Collection[str]) -> Experience:
        """The same, had these documents not been annotated."""
        return Experience(self.confirmed, self.overruled, frozenset(documents))

    def describe(self, concept_id: str) -> tuple[float, ...]:
        """The values of :data:`COLUMNS`; all 0 for a concept that nobody has said anything about.

        ``confirmed``, ``documents`` and ``overruled`` are the logarithms of one more than the mentions that mean it,
        the documents that these stand in, and the mentions for which it was put aside; ``known`` says whether there is
        any of the first; ``trusted`` is log((confirmed + 1) / (confirmed + overruled + 1)).
        """
        if concept_id not in self._known:
            self._known[concept_id] = self._count(concept_id)
        return self._known[concept_id]

    def _count(self, concept_id: str) -> tuple[float, ...]:
        meant = [n for doc_id, n in self.confirmed.get(concept_id, {}).items() if doc_id not in self.left_out]
        n_aside = sum(n for doc_id, n in self.overruled.get(concept_id, {}).items() if doc_id not in self.left_out)
        n_meant = sum(meant)
        trusted = log((n_meant + 1) / (n_meant + n_aside + 1))
        return log1p(n_meant), float(n_meant > 0), log1p(len(meant)), log1p(n_aside), trusted


#: No ledger.
NOTHING = Experience()

"""The linker: mentions in, links out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from medlink.encoder.protocol import Encoder
from medlink.index.name_index import NameIndex
from medlink.linking.cache import RecentCache
from medlink.linking.candidates import NameMatches, find_names
from medlink.linking.ranker import Ranker, rank_concepts
from medlink.linking.settings import LinkerSettings
from medlink.ontology.lexicon import Lexicon
from medlink.records import Candidate, Link, Mention
from medlink.text import normalise

# Rankings that a linker remembers: notes repeat the same findings, and a ranking takes about two kilobytes.
REMEMBERED = 1 << 15


@dataclass(frozen=True, slots=True)
class Linker:
    """Links mentions to the concepts of one lexicon; the same mention gives the same link in any company.

    :param index: of ``lexicon.names``, in their order, with vectors of ``encoder``.
    """

    lexicon: Lexicon
    index: NameIndex
    encoder: Encoder
    ranker: Ranker
    settings: LinkerSettings
    _recent: RecentCache[tuple[str, int], tuple[Candidate, ...]] = field(
        default_factory=lambda: RecentCache(REMEMBERED), init=False, repr=False, compare=False
    )

    @property
    def release(self) -> str:
        """The id of what decides: the encoder's weights, as the rest is fixed by the version of medlink."""
        return f"base-{self.encoder.fingerprint[:12]}"

    def rank(self, queries: Sequence[str], *, k: int | None = None) -> list[tuple[Candidate, ...]]:
        """The ``k`` best concepts of each query, best first; none for a query without a letter or digit.

        Each distinct query is encoded and searched once while it is remembered.

        :param k: concepts a query, by default ``settings.top_k``.
        """
        limit = k or self.settings.top_k
        normal = [normalise(query) for query in queries]
        known = {query: self._recent[query, limit] for query in dict.fromkeys(normal) if (query, limit) in self._recent}
        fresh = self._rank_new(sorted({query for query in normal if query} - known.keys()), limit)
        self._recent.update({(query, limit): candidates for query, candidates in fresh.items()})
        return [fresh.get(query) or known.get(query, ()) for query in normal]

    def rank_document(self, queries: Sequence[str], *, k: int | None = None) -> list[tuple[Candidate, ...]]:
        """The ``k`` best concepts of each of one document's mentions, ranked together; see :meth:`rank`."""
        return self.rank(queries, k=k)

    def find(self, queries: Sequence[str], *, k: int) -> list[NameMatches]:
        """The names that may be what each query means, at least ``k`` from each index where there are so many.

        :param queries: normalised and distinct, none empty.
        """
        return find_names(
            queries,
            self.lexicon,
            index=self.index,
            encoder=self.encoder,
            n_neighbours=max(self.settings.n_neighbours, k),
        )

    def _rank_new(self, queries: Sequence[str], limit: int) -> dict[str, tuple[Candidate, ...]]:
        found = self.find(queries, k=limit)
        return {matches.query: rank_concepts(matches, self.lexicon, self.ranker)[:limit] for matches in found}

    def link(self, mentions: Sequence[Mention]) -> list[Link]:
        """One link for each mention, in their order; NIL where no candidate reaches the threshold."""
        ranked = self.rank([mention.query for mention in mentions])
        return [self._decide(mention, candidates) for mention, candidates in zip(mentions, ranked, strict=True)]

    def _decide(self, mention: Mention, candidates: tuple[Candidate, ...]) -> Link:
        sure = bool(candidates) and candidates[0].score >= self.settings.threshold
        return Link(
            mention=mention,
            candidates=candidates,
            concept_id=candidates[0].concept_id if sure else None,
            release=self.release,
            ontology_version=self.lexicon.version,
        )

"""The linker: mentions in, links out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from medlink.detection.name_words import vocabulary_of
from medlink.encoder.adapter import AdaptedEncoder, Adapter
from medlink.encoder.protocol import Encoder
from medlink.index.name_index import NameIndex
from medlink.linking.cache import RecentCache
from medlink.linking.candidates import NameMatches, find_names
from medlink.linking.context import DEFAULT_CONTEXT, ContextWeights, rank_together
from medlink.linking.corrections import Corrections
from medlink.linking.experience import Experience
from medlink.linking.ranker import Ranker, rank_all
from medlink.linking.settings import DEFAULT_THRESHOLD, LinkerSettings
from medlink.linking.wording import Rarity
from medlink.ontology.equivalents import Equivalents
from medlink.ontology.lexicon import Lexicon
from medlink.records import Candidate, Link, Mention
from medlink.text import normalise

# Rankings that a linker remembers: notes repeat the same findings, and a ranking takes about four kilobytes.
REMEMBERED = 1 << 15
# Candidates that are kept of each ranking, so that other mentions of the document can speak for them.
DEPTH = 20


@dataclass(frozen=True)
class Linker:
    """Links mentions to the concepts of one lexicon; a document's links depend on nothing outside it.

    :param index: of ``lexicon.names``, in their order, with vectors of ``encoder``.
    :param encoder: of names; of queries, too, but for the adapter.
    :param corrections: what annotators decided, which stands above the ranker.
    :param context: what a document's other mentions count.
    :param adapter: what queries go through behind the encoder.
    :param release_folder: of the release that all this comes from; ``None`` for what ships.
    :param ontology: the lexicon without the names that annotators added; ``None`` where that is the lexicon.
    """

    lexicon: Lexicon
    index: NameIndex
    encoder: Encoder
    ranker: Ranker
    settings: LinkerSettings
    corrections: Corrections = field(default_factory=Corrections)
    context: ContextWeights = DEFAULT_CONTEXT
    adapter: Adapter | None = None
    release_folder: Path | None = None
    ontology: Lexicon | None = None
    _recent: RecentCache[str, tuple[Candidate, ...]] = field(
        default_factory=lambda: RecentCache(REMEMBERED), init=False, repr=False, compare=False
    )

    @property
    def release(self) -> str:
        """The id of what decides: a release's; of what ships the encoder's, as medlink's version fixes the rest."""
        return self.release_folder.name if self.release_folder else f"base-{self.encoder.fingerprint[:12]}"

    @property
    def threshold(self) -> float:
        """The score below which a mention is NIL."""
        return DEFAULT_THRESHOLD if self.settings.threshold is None else self.settings.threshold

    @cached_property
    def query_encoder(self) -> Encoder:
        """What encodes queries."""
        return AdaptedEncoder(self.encoder, self.adapter) if self.adapter else self.encoder

    @cached_property
    def rarity(self) -> Rarity:
        """How much each word says among the lexicon's names."""
        return Rarity(vocabulary_of(self.lexicon))

    @property
    def experience(self) -> Experience:
        """What annotators said of concepts."""
        return self.corrections.experience

    @cached_property
    def equivalents(self) -> Equivalents:
        """What the lexicon says about the systems in ``settings.maps``.

        :raises UnknownNameError: when nothing refers to one of them.
        """
        return Equivalents(self.lexicon, self.settings.maps)

    def rank(self, queries: Sequence[str], *, k: int | None = None) -> list[tuple[Candidate, ...]]:
        """The ``k`` best concepts of each query by itself, best first; none for a query without a letter or digit.

        Each distinct query is encoded and searched once while it is remembered.

        :param k: concepts a query, at most ``DEPTH``; by default ``settings.top_k``.
        """
        normal = [normalise(query) for query in queries]
        alone = self._rank_alone(normal)
        return [alone[query][: k or self.settings.top_k] if query else () for query in normal]

    def rank_document(self, queries: Sequence[str], *, k: int | None = None) -> list[tuple[Candidate, ...]]:
        """As :meth:`rank`, for the mentions of one document, each in the light of the others.

        :param queries: all of the document's mentions.
        """
        normal = [normalise(query) for query in queries]
        together = rank_together(self._rank_alone(normal), self.lexicon, self.context)
        return [together[query][: k or self.settings.top_k] if query else () for query in normal]

    def remember(self, rankings: dict[str, tuple[Candidate, ...]]) -> None:
        """Takes rankings as known, so that nobody ranks these queries again while they are remembered.

        :param rankings: by normalised query what :meth:`rank` gives for it to ``DEPTH``.
        """
        self._recent.update(rankings)

    def remembers(self, query: str) -> bool:
        """Whether the ranking of a normalised query is known."""
        return query in self._recent

    def find(self, queries: Sequence[str], *, own_names: bool = True) -> list[NameMatches]:
        """The names that may be what each query means.

        :param queries: normalised and distinct, none empty.
        :param own_names: if not, a query that is a name is looked up as if the lexicon lacked that name.
        """
        return find_names(
            queries,
            self.lexicon,
            index=self.index,
            encoder=self.query_encoder,
            n_neighbours=self.settings.n_neighbours,
            own_names=own_names,
        )

    def _rank_alone(self, normal: Sequence[str]) -> dict[str, tuple[Candidate, ...]]:
        """The candidates of each distinct query, empty ones left out."""
        wanted = dict.fromkeys(query for query in normal if query)
        ranked = {query: self._recent[query] for query in wanted if query in self._recent}
        fresh: dict[str, tuple[Candidate, ...]] = {}
        if unknown := sorted(wanted.keys() - ranked.keys()):
            found = self.find(unknown)
            rankings = rank_all(found, self.lexicon, self.ranker, self.rarity, self.experience)
            fresh = {matches.query: ranking[:DEPTH] for matches, ranking in zip(found, rankings, strict=True)}
            self._recent.update(fresh)
        return {query: fresh[query] if query in fresh else ranked[query] for query in wanted}

    def link(self, mentions: Sequence[Mention]) -> list[Link]:
        """One link for each mention, in their order; NIL where no candidate reaches the threshold.

        The mentions of one document speak for each other's candidates: all that are to count are given at once.
        """
        normal = [normalise(mention.query) for mention in mentions]
        alone = self._rank_alone(normal)  # one pass of the encoder for all
        documents: dict[str, list[int]] = {}
        for place, mention in enumerate(mentions):
            documents.setdefault(mention.doc_id, []).append(place)
        links: dict[int, Link] = {}
        for places in documents.values():
            own = {query: alone[query] for place in places if (query := normal[place])}
            together = rank_together(own, self.lexicon, self.context)
            links |= {place: self._decide(mentions[place], together.get(normal[place], ())[:DEPTH]) for place in places}
        return [links[place] for place in range(len(mentions))]

    def _decide(self, mention: Mention, ranked: tuple[Candidate, ...]) -> Link:
        """The link of a mention, given its candidates to ``DEPTH``."""
        threshold = self.threshold
        corrected = self.corrections.apply(mention, ranked, self.lexicon, threshold=threshold)
        if corrected is None:
            chosen = ranked[0].concept_id if ranked and ranked[0].score >= threshold else None
        else:
            ranked, chosen = corrected.candidates, corrected.concept_id
        return Link(
            mention=mention,
            candidates=ranked[: self.settings.top_k],
            concept_id=chosen,
            release=self.release,
            ontology_version=self.lexicon.version,
            equivalents=self.equivalents.of(chosen) if chosen and self.settings.maps else (),
        )

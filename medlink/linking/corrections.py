"""Corrections that count at once: annotators' rulings stand above the ranker, before anything is trained."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from medlink.linking.experience import Experience
from medlink.linking.ranker import trust
from medlink.ontology.aliases import ALIAS
from medlink.ontology.lexicon import Lexicon
from medlink.records import TELLING, Candidate, Mention, Ruling
from medlink.text import flatten, normalise, wording_key

# The probability that a mention means what was decided on that very mention. Annotators who differ are adjudicated
# first, so what is left are slips.
AT_PLACE = 0.99


@dataclass(frozen=True, slots=True)
class Corrected:
    """A mention's candidates with what annotators decided.

    :param candidates: best first; a confirmed concept is the first, rejected ones stand last with score 0.
    :param concept_id: the choice, ``None`` for NIL.
    """

    candidates: tuple[Candidate, ...]
    concept_id: str | None
    ruling: Ruling


@dataclass(frozen=True)
class Corrections:
    """Rulings, ready to be looked up by mention."""

    rulings: tuple[Ruling, ...] = field(default=(), repr=False)

    @cached_property
    def fingerprint(self) -> str:
        """Differs where any ruling does; part of what links depend on."""
        if not self.rulings:
            return ""
        digest = hashlib.sha256()
        for ruling in self.rulings:
            digest.update(repr(ruling).encode(errors="surrogatepass"))
        return digest.hexdigest()[:16]

    def __repr__(self) -> str:
        """Without the rulings' texts, as it goes into the description of a run."""
        return f"Corrections({len(self.rulings)} rulings, {self.fingerprint!r})"

    def find(self, mention: Mention) -> Ruling | None:
        """What was decided on this very mention, else on its wording in its section, else on its wording everywhere."""
        if not self.rulings:
            return None
        at_place = self._places.get((mention.doc_id, mention.start, mention.end))
        if at_place is not None and at_place.surface == flatten(mention.surface):
            return at_place
        key, section = wording_key(mention.query), normalise(mention.section)
        in_section = self._wordings.get((key, section)) if section else None
        return in_section or self._wordings.get((key, ""))

    def decide(self, mention: Mention, lexicon: Lexicon) -> Ruling | None:
        """The ruling that decides a mention; ``None`` where it is left to the ranker, see :meth:`apply`."""
        ruling = self.find(mention)
        if ruling is None or _is_doubtful(ruling, mention, lexicon):
            return None
        if ruling.concept_id and not lexicon.resolve(ruling.concept_id):
            return None
        return ruling

    def apply(
        self, mention: Mention, candidates: Sequence[Candidate], lexicon: Lexicon, *, threshold: float
    ) -> Corrected | None:
        """The candidates as annotators decided; ``None`` where the mention is left to the ranker.

        That is where no ruling fits, where its concept is not in the lexicon, and where the ontology itself gives the
        wording to several concepts and fewer than :data:`medlink.records.TELLING` documents say which: one does not
        speak for others.

        The confirmed concept's score becomes the chance that the next mention of the wording means it too, when all
        ``n`` before have: (n + 1) / (n + 2), by Laplace's rule of succession. For the very mention that was decided it
        is :data:`AT_PLACE`. It is never less than the ranker gave it, nor than the threshold. The others share what is
        left of 1.

        :param candidates: as many as there are, best first.
        """
        ruling = self.decide(mention, lexicon)
        if ruling is None:
            return None
        confirmed = ruling.concept_id and lexicon.resolve(ruling.concept_id)
        trusted = AT_PLACE if ruling.place else (ruling.n_mentions + 1) / (ruling.n_mentions + 2)
        kept = [candidate for candidate in candidates if candidate.concept_id not in ruling.rejected]
        out = [replace(candidate, score=0.0) for candidate in candidates if candidate.concept_id in ruling.rejected]
        first: list[Candidate] = []
        if confirmed:
            own = next((candidate for candidate in kept if candidate.concept_id == confirmed), None)
            own = own or _alias(confirmed, mention, lexicon)
            first = [replace(own, score=round(max(own.score, trusted, threshold), 6))]
            kept = [candidate for candidate in kept if candidate.concept_id != confirmed]
        left = 1.0 - (first[0].score if first else trusted)
        ranked = (*first, *_share(kept, left), *sorted(out, key=lambda candidate: trust(candidate, lexicon)))
        return Corrected(ranked, confirmed or None, ruling)

    def new_names(self, lexicon: Lexicon) -> tuple[tuple[str, str], ...]:
        """Wordings with a confirmed concept that are no name in the lexicon: surface and concept id."""
        found = {
            (ruling.surface, ruling.concept_id)
            for ruling in self._wordings.values()
            if ruling.concept_id and ruling.concept_id in lexicon.concepts and not lexicon.lookup(ruling.surface)
        }
        return tuple(sorted(found))

    def aliases(self, lexicon: Lexicon) -> tuple[tuple[str, str], ...]:
        """The decided mentions as names: each distinct query and concept that are not already name and bearer, sorted.

        Also what annotators call by different concepts is here, as a name of each: the ranker decides between them.
        """
        found = {
            (ruling.query, concept_id)
            for ruling in self._places.values()
            if ruling.query and ruling.concept_id and (concept_id := lexicon.resolve(ruling.concept_id))
        }
        return tuple(
            (query, concept_id)
            for query, concept_id in sorted(found)
            if all(posting.concept_id != concept_id for posting in lexicon.lookup(query))
        )

    @cached_property
    def experience(self) -> Experience:
        """What the rulings say of concepts."""
        return Experience.of(self.rulings)

    @cached_property
    def _places(self) -> dict[tuple[str, int, int], Ruling]:
        return {ruling.place: ruling for ruling in self.rulings if ruling.place is not None}

    @cached_property
    def _wordings(self) -> dict[tuple[str, str], Ruling]:
        return {(ruling.key, ruling.section): ruling for ruling in self.rulings if ruling.place is None}


def describe_ruling(corrected: Corrected, lexicon: Lexicon) -> tuple[str, ...]:
    """The ruling in sentences."""
    ruling = corrected.ruling
    who = f"by {', '.join(ruling.annotators)}, " if ruling.annotators else ""
    where = f" under “{ruling.section}”" if ruling.section else ""
    mentions = "1 mention" if ruling.n_mentions == 1 else f"{ruling.n_mentions} mentions"
    documents = "1 document" if ruling.n_documents == 1 else f"{ruling.n_documents} documents"
    decided = f"Annotators decided that “{ruling.surface}”{where}"
    meaning = f"means {_name(corrected.concept_id, lexicon)}" if corrected.concept_id else "is no concept here"
    reasons = [f"{decided} {meaning}: {mentions} in {documents}, {who}last on {ruling.last:%Y-%m-%d}."]
    if ruling.rejected:
        reasons.append(f"They rejected {', '.join(_name(key, lexicon) for key in ruling.rejected)}.")
    return tuple(reasons)


def _is_doubtful(ruling: Ruling, mention: Mention, lexicon: Lexicon) -> bool:
    if ruling.place or ruling.section or ruling.n_documents >= TELLING:
        return False
    own = {posting.concept_id for posting in lexicon.lookup(mention.query) if posting.name.kind != ALIAS}
    return len(own) > 1


def _name(concept_id: str, lexicon: Lexicon) -> str:
    concept = lexicon.concepts.get(concept_id)
    return f"{concept_id} {concept.name}" if concept else concept_id


def _alias(concept_id: str, mention: Mention, lexicon: Lexicon) -> Candidate:
    """The candidate of a concept that the index did not find: the wording is now one of its names."""
    return Candidate(concept_id, lexicon.concepts[concept_id].name, mention.query, lexical=1.0, dense=None, score=0.0)


def _share(candidates: Iterable[Candidate], left: float) -> tuple[Candidate, ...]:
    """The candidates with scores that sum to at most ``left``, their order kept."""
    kept = tuple(candidates)
    total = sum(candidate.score for candidate in kept)
    if total <= left:
        return kept
    return tuple(replace(candidate, score=round(candidate.score * left / total, 6)) for candidate in kept)

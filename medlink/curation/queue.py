"""What to annotate next: the questions whose answers are expected to change most links, and a share drawn by chance."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from random import Random

from medlink.curation.adjudication import Policy, decide_spans
from medlink.curation.rulings import make_rulings
from medlink.errors import SettingError
from medlink.records import TELLING, Link, Mention
from medlink.store.events import Entry
from medlink.text import flatten, normalise, wording_key

#: Document id, start and end of a mention.
Place = tuple[str, int, int]


@dataclass(frozen=True, slots=True)
class QueueSettings:
    """What a user may choose about the queue.

    :param n: questions at most, at least 1.
    :param random_share: of them that are drawn by chance, in [0, 1].
    :param seed: of the drawing.
    """

    n: int = 200
    random_share: float = 0.1
    seed: int = 0

    def __post_init__(self) -> None:
        if self.n < 1:
            raise SettingError("too few questions", where="n", expected="1 or more", got=f"{self.n}")
        if not 0.0 <= self.random_share <= 1.0:
            raise SettingError("no share", where="random_share", expected="0 to 1", got=f"{self.random_share}")

    @property
    def n_random(self) -> int:
        """Questions to draw by chance."""
        return round(self.n * self.random_share)


@dataclass(frozen=True, slots=True)
class Question:
    """A mention to ask annotators about.

    :param value: how many links the answer is expected to change, see :func:`choose_questions`.
    :param n_alike: mentions of its wording that are not settled, itself included.
    :param is_random: whether it was drawn by chance.
    """

    mention: Mention
    value: float
    n_alike: int
    is_random: bool

    @property
    def place(self) -> Place:
        """Where the mention stands."""
        return place_of(self.mention)


@dataclass(frozen=True)
class Asked:
    """What annotators were asked before.

    :param places: the mentions that somebody said something about, if only to *ignore* them, with their surfaces.
    :param ruled: the wordings that are decided alike, by key and normalised section (empty for every section), with
        the number of documents that say so.
    :param contrary: keys of the wordings that mean several things, so that an answer counts for its own place alone.
    """

    places: frozenset[tuple[Place, str]] = frozenset()
    ruled: Mapping[tuple[str, str], int] = field(default_factory=dict)
    contrary: frozenset[str] = frozenset()


def what_was_asked(current: Iterable[Entry], *, policy: Policy = Policy.ADJUDICATOR) -> Asked:
    """What the ledger knows already.

    :param current: what holds, as ``Ledger.current`` gives it.
    """
    places: set[tuple[Place, str]] = set()

    def noted() -> Iterator[Entry]:
        for entry in current:
            said = entry.event.annotation
            places.add(((said.doc_id, said.start, said.end), flatten(said.surface)))
            yield entry

    rulings = make_rulings(decide_spans(noted(), policy=policy))
    ruled = {(ruling.key, ruling.section): ruling.n_documents for ruling in rulings if ruling.place is None}
    contrary = {ruling.key for ruling in rulings if ruling.key and (ruling.key, "") not in ruled}
    return Asked(frozenset(places), ruled, frozenset(contrary))


def choose_questions(
    links: Iterable[Link], asked: Asked | None = None, settings: QueueSettings | None = None
) -> tuple[Question, ...]:
    """At most ``settings.n`` questions, the most valuable first, those drawn by chance anywhere among them.

    An answer rules over all mentions of its wording, so the value of a question is the number of links that are
    expected to change: the sum over what the mention may mean of its probability, as the scores give it, times the
    mentions of the wording that are linked otherwise. Where all of them are linked alike that is the uncertainty of
    the link times the frequency of the wording. A wording that is a name of several concepts is ruled only when
    :data:`medlink.records.TELLING` documents agree, so each of that many questions has its part of the value. One that
    was decided in several ways is not ruled: an answer changes its own link at most.

    Nothing is asked twice: mentions that were asked about and mentions of a ruled wording are left out, and a wording
    gets no more questions than rule it, each in another document. Of its mentions with at least half of its best value
    those in documents with fewer questions are preferred.

    The random share is drawn first, from all mentions that are left, each with the same chance, so a wording may come
    several times: the part of them whose link is accepted estimates the accuracy of all these links without bias.

    :param links: of mentions at distinct places, in any order.
    """
    settings = settings or QueueSettings()
    wordings = _group(links, asked or Asked())
    items = sorted((item for wording in wordings for item in wording.items), key=_Item.order)
    random = Random(settings.seed)  # noqa: S311 - a sample, no secret
    drawn = random.sample(items, min(settings.n_random, len(items)))
    wording_of = {wording.key: wording for wording in wordings}
    chosen = _most_valuable(wordings, drawn, settings.n - len(drawn))
    queue = [_question(item, wording_of[item.key], is_random=False) for item in chosen]
    queue.sort(key=lambda question: -question.value)
    for item in drawn:
        queue.insert(random.randint(0, len(queue)), _question(item, wording_of[item.key], is_random=True))
    return tuple(queue)


def place_of(mention: Mention) -> Place:
    """Where a mention stands."""
    return mention.doc_id, mention.start, mention.end


@dataclass(frozen=True, slots=True)
class _Item:
    """A mention that may be asked about.

    :param concept_id: what it is linked to, ``None`` for NIL.
    :param outcomes: the probability of each concept that it may mean, and of NIL.
    """

    mention: Mention
    key: str
    concept_id: str | None
    outcomes: Mapping[str | None, float]
    names_several: bool

    def order(self) -> tuple[Place, str]:
        """What sorts items, whatever order they came in."""
        return place_of(self.mention), self.mention.surface


@dataclass(frozen=True)
class _Wording:
    """The mentions of a wording that may be asked about.

    :param n_needed: documents that must yet agree before the wording is ruled; 0 where it never is.
    """

    key: str
    items: tuple[_Item, ...]
    n_needed: int

    def value(self, item: _Item) -> float:
        """How many links the answer to one question is expected to change."""
        own = 1.0 - item.outcomes.get(item.concept_id, 0.0)
        if not self.n_needed:
            return own
        unchanged = sum(chance * self._linked[outcome] for outcome, chance in item.outcomes.items())
        return max(own, (len(self.items) - unchanged) / self.n_needed)

    def order(self) -> tuple[float, int, tuple[Place, str]]:
        """What sorts wordings, the most valuable first."""
        return -max(map(self.value, self.items)), -len(self.items), min(map(_Item.order, self.items))

    @property
    def worthy(self) -> list[_Item]:
        """The mentions with at least half of the best value, as an answer about a clear one tells little of others."""
        floor = max(map(self.value, self.items)) / 2
        return [item for item in self.items if self.value(item) >= floor]

    @cached_property
    def _linked(self) -> Counter[str | None]:
        return Counter(item.concept_id for item in self.items)


def _group(links: Iterable[Link], asked: Asked) -> list[_Wording]:
    """The mentions that may be asked about by wording."""
    found = defaultdict[str, list[_Item]](list)
    for link in links:
        key, section = wording_key(link.mention.query), normalise(link.mention.section)
        place = place_of(link.mention), flatten(link.mention.surface)
        if place not in asked.places and not (section and (key, section) in asked.ruled):
            found[key].append(_item(link, key))
    wordings = (_Wording(key, tuple(items), _n_needed(key, items, asked)) for key, items in found.items())
    return [wording for wording in wordings if wording.n_needed >= 0]


def _item(link: Link, key: str) -> _Item:
    exact = [candidate for candidate in link.candidates if candidate.lexical == 1.0]
    return _Item(link.mention, key, link.concept_id, _outcomes(link), names_several=len(exact) > 1)


def _outcomes(link: Link) -> dict[str | None, float]:
    """The scores as probabilities; what they leave of 1 is NIL's."""
    total = sum(candidate.score for candidate in link.candidates)
    outcomes: dict[str | None, float] = {c.concept_id: c.score / max(total, 1.0) for c in link.candidates}
    return outcomes | {None: max(1.0 - total, 0.0)}


def _n_needed(key: str, items: Sequence[_Item], asked: Asked) -> int:
    """Documents that must yet agree before a wording is ruled; 0 where it never is, -1 where it is already."""
    if not key or key in asked.contrary:  # without a letter or digit there is no wording to rule
        return 0
    needed = TELLING if any(item.names_several for item in items) else 1
    n_agreeing = asked.ruled.get((key, ""), 0)
    if n_agreeing >= needed:
        return -1
    n_documents = len({item.mention.doc_id for item in items})
    return needed - n_agreeing if n_documents >= needed - n_agreeing else 0


def _most_valuable(wordings: Iterable[_Wording], drawn: Iterable[_Item], n: int) -> list[_Item]:
    """At most ``n`` items, the most valuable wordings first; what was drawn counts as asked."""
    asked_of = defaultdict[str, set[str]](set)
    per_document = Counter[str]()

    def take(item: _Item) -> None:
        asked_of[item.key].add(item.mention.doc_id)
        per_document[item.mention.doc_id] += 1

    for item in drawn:
        take(item)
    chosen: list[_Item] = []
    for wording in sorted(wordings, key=_Wording.order):
        for _ in range(max(wording.n_needed, 1) - len(asked_of[wording.key])):
            free = [item for item in wording.worthy if item.mention.doc_id not in asked_of[wording.key]]
            if not free or len(chosen) == n:
                break
            best = min(free, key=lambda item: (per_document[item.mention.doc_id], -wording.value(item), item.order()))
            take(best)
            chosen.append(best)
    return chosen


def _question(item: _Item, wording: _Wording, *, is_random: bool) -> Question:
    return Question(item.mention, wording.value(item), len(wording.items), is_random)

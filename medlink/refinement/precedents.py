"""Precedents: the corrections that are nearest to a text, and whether they speak for what it is linked to."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from medlink.encoder.protocol import Encoder
from medlink.index.dense import DenseIndex
from medlink.refinement.lessons import Lesson, Place

# How many corrections stand behind a change or an explanation.
N_SHOWN = 3
# Distinct texts that are looked at, of which those that speak for the link are shown first.
_N_NEAREST = 32


class Pull(StrEnum):
    """What a correction does to a link."""

    TOWARDS = "towards"
    """It says that its own mention means the concept of the link, or where the link is NIL, that it means none."""
    AWAY = "away"
    """It says that its own mention does not mean what the link was before, or its nearest rival."""
    NONE = ""
    """It is near, and speaks for neither."""


@dataclass(frozen=True, slots=True)
class Precedent:
    """Corrections of one text that decide alike.

    :param query: the text, normalised.
    :param place: of the latest of them: document id, start and end.
    :param concept_id: what they say it means, ``None`` for nothing.
    :param refuted: what they say it does not mean; sorted.
    :param n_lessons: how many they are.
    :param seq: place in the ledger of the latest.
    """

    query: str
    place: Place
    concept_id: str | None
    is_mention: bool
    refuted: tuple[str, ...]
    n_lessons: int
    seq: int

    @property
    def id(self) -> str:
        """What names the latest of them: ``note-7:12-20``."""
        doc_id, start, end = self.place
        return f"{doc_id}:{start}-{end}"


@dataclass(frozen=True, slots=True)
class Near:
    """A precedent as seen from a text.

    :param cosine: of both texts' vectors, in [-1, 1].
    """

    precedent: Precedent
    cosine: float
    pull: Pull


@dataclass(frozen=True, slots=True)
class Shift:
    """A link that changed, or that is to be explained.

    :param new: its concept, ``None`` for NIL.
    :param old: what it was before, or its nearest rival; ``None`` for NIL or where there is nothing.
    """

    query: str
    new: str | None
    old: str | None = None


def group_lessons(lessons: Iterable[Lesson]) -> tuple[Precedent, ...]:
    """The precedents of some lessons, by query, concept and whether it is a mention."""
    groups: dict[tuple[str, str, bool], Precedent] = {}
    for lesson in lessons:
        key = (lesson.query, lesson.concept_id or "", lesson.is_mention)
        own = Precedent(lesson.query, lesson.place, lesson.concept_id, lesson.is_mention, lesson.refuted, 1, lesson.seq)
        groups[key] = _merge(groups[key], own) if key in groups else own
    return tuple(groups[key] for key in sorted(groups))


def _merge(one: Precedent, other: Precedent) -> Precedent:
    latest = max(one, other, key=lambda precedent: precedent.seq)
    refuted = tuple(sorted({*one.refuted, *other.refuted}))
    return replace(latest, refuted=refuted, n_lessons=one.n_lessons + other.n_lessons)


class Precedents:
    """Precedents that are found by the cosine of their texts' vectors with that of another text.

    :param encoder: of queries.
    """

    def __init__(self, precedents: Sequence[Precedent], encoder: Encoder) -> None:
        self._encoder = encoder
        by_query: dict[str, list[Precedent]] = {}
        for precedent in precedents:
            by_query.setdefault(precedent.query, []).append(precedent)
        self._by_row = [by_query[query] for query in sorted(by_query)]
        self._index = DenseIndex(encoder.encode(sorted(by_query))) if by_query else None

    def __len__(self) -> int:
        return sum(map(len, self._by_row))

    def find(self, shifts: Sequence[Shift], *, k: int = N_SHOWN) -> list[tuple[Near, ...]]:
        """The ``k`` nearest precedents of each link, those that speak for it before the others.

        :param shifts: with normalised queries, none empty.
        """
        if self._index is None or not shifts:
            return [()] * len(shifts)
        queries = list(dict.fromkeys(shift.query for shift in shifts))
        found = self._index.search(self._encoder.encode(queries), min(_N_NEAREST, len(self._by_row)))
        places = {query: place for place, query in enumerate(queries)}
        return [
            self._choose(shift, found.rows[place].tolist(), found.scores[place].tolist(), k)
            for shift in shifts
            for place in (places[shift.query],)
        ]

    def _choose(self, shift: Shift, rows: list[int], cosines: list[float], k: int) -> tuple[Near, ...]:
        near = [
            Near(precedent, round(cosine, 4), pull_of(precedent, shift))
            for row, cosine in zip(rows, cosines, strict=True)
            if row >= 0
            for precedent in self._by_row[row]
        ]
        order = sorted(near, key=lambda one: (one.pull is Pull.NONE, -one.cosine, one.precedent.id))
        return tuple(order[:k])


def pull_of(precedent: Precedent, shift: Shift) -> Pull:
    """What a precedent does to a link."""
    if precedent.concept_id == shift.new:
        return Pull.TOWARDS
    return Pull.AWAY if shift.old is not None and shift.old in precedent.refuted else Pull.NONE

"""The parts of a set of gold mentions that are reported each for itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from medlink.evaluation.biosyn import Query
from medlink.text import normalise

ALL, PAIRS = "all mentions", "unique pairs"
UNSEEN_SURFACES, UNSEEN_CONCEPTS = "unseen surfaces", "unseen concepts"
MEANINGS = {
    ALL: "every gold mention counts once",
    PAIRS: "every pair of normalised mention and gold ids counts once; its mentions share that equally",
    UNSEEN_SURFACES: "mentions that stand in none of the seen files, after normalisation",
    UNSEEN_CONCEPTS: "mentions none of whose gold ids stands in a seen file",
}


@dataclass(frozen=True, slots=True)
class Subset:
    """Some of the queries.

    :param rows: their places, ascending.
    :param weights: *Shape:* (n_rows,), above 0, how much each counts.
    """

    name: str
    rows: tuple[int, ...]
    weights: tuple[float, ...]

    @property
    def n(self) -> int:
        """What the weights add up to: mentions, or pairs."""
        return round(sum(self.weights))


def make_subsets(queries: Sequence[Query], seen: Sequence[Query] | None = None) -> tuple[Subset, ...]:
    """All mentions and unique pairs; and, where something was seen, the mentions with an unseen surface or concept.

    :param seen: the queries of the files that a system may have learned from, such as train and dev; ``None`` where
        there are no such files.
    """
    pairs = [(normalise(query.mention), query.gold) for query in queries]
    count = Counter(pairs)
    subsets = [_plain(ALL, [True] * len(queries))]
    subsets.append(Subset(PAIRS, tuple(range(len(pairs))), tuple(1 / count[pair] for pair in pairs)))
    if seen is not None:
        surfaces = {normalise(query.mention) for query in seen}
        concepts = frozenset[str]().union(*(query.gold for query in seen))
        subsets.append(_plain(UNSEEN_SURFACES, [surface not in surfaces for surface, _ in pairs]))
        subsets.append(_plain(UNSEEN_CONCEPTS, [not gold & concepts for _, gold in pairs]))
    return tuple(subsets)


def _plain(name: str, kept: Sequence[bool]) -> Subset:
    rows = tuple(row for row, keep in enumerate(kept) if keep)
    return Subset(name, rows, (1.0,) * len(rows))

"""Gold mentions against rankings of names: every system is judged by one rule."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from tqdm import tqdm

from medlink.evaluation.biosyn import Query, ids_of
from medlink.evaluation.systems import Answer, System
from medlink.ontology.lexicon import Lexicon
from medlink.text import normalise

_BLOCK = 256

# The ids of all concepts that bear a name.
Bearers = Callable[[str], frozenset[str]]


@dataclass(frozen=True, slots=True)
class Judgement:
    """How a system did on one query.

    :param rank: of the first right answer, from 1 on; 0 where there is none.
    :param best: the first answer, right or not; ``None`` where there is none.
    """

    rank: int
    best: Answer | None


def judge(
    queries: Sequence[Query], system: System, lexicon: Lexicon, *, show_progress: bool = False
) -> list[Judgement]:
    """How the system did on each query.

    An answer is a name; it is right if any concept that bears it is (BioSyn's rule). The linker answers with one name
    a concept, TF-IDF may with several: the two compare at rank 1, and further down the linker covers more concepts.
    """
    answers = _rank_documents if system.by_document else _rank_mentions
    with tqdm(
        total=len(queries), desc=f"ranking: {system.name}", unit="mention", disable=not show_progress
    ) as progress:
        judged: dict[int, Judgement] = {}
        for place, found in answers(queries, system):
            judged[place] = _judge(found, queries[place].gold, lexicon)
            progress.update()
    return [judged[place] for place in range(len(queries))]


def bearers_of(name: str, lexicon: Lexicon) -> frozenset[str]:
    """The ids of all concepts that bear a normalised name."""
    row = lexicon.row_of(name)
    postings = lexicon.postings(row) if row is not None else ()
    return frozenset().union(*(ids_of(posting.concept_id) for posting in postings))


def _rank_mentions(queries: Sequence[Query], system: System) -> Iterator[tuple[int, list[Answer]]]:
    """Each query's place with its answers; each distinct normalised mention is ranked once."""
    places = _group(normalise(query.mention) for query in queries)
    mentions = sorted(places)
    for start in range(0, len(mentions), _BLOCK):
        block = mentions[start : start + _BLOCK]
        for mention, found in zip(block, system.rank(block), strict=True):
            yield from ((place, found) for place in places[mention])


def _rank_documents(queries: Sequence[Query], system: System) -> Iterator[tuple[int, list[Answer]]]:
    """Each query's place with its answers; the mentions of a document are ranked together."""
    for places in _group(query.doc_id for query in queries).values():
        yield from zip(places, system.rank([queries[place].mention for place in places]), strict=True)


def _group(keys: Iterator[str]) -> dict[str, list[int]]:
    """The places of each key, in order."""
    groups: dict[str, list[int]] = {}
    for place, key in enumerate(keys):
        groups.setdefault(key, []).append(place)
    return groups


def _judge(answers: Sequence[Answer], gold: frozenset[str], lexicon: Lexicon) -> Judgement:
    right = (rank for rank, answer in enumerate(answers, start=1) if bearers_of(answer.name, lexicon) & gold)
    return Judgement(next(right, 0), answers[0] if answers else None)

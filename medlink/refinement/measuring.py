"""A linker on the guard set: what it answers, how sure it is, and where its vectors lie."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from medlink.evaluation.calibration import Answers
from medlink.linking.linker import DEPTH, Linker
from medlink.linking.ranker import rank_concepts
from medlink.ontology.lexicon import Lexicon
from medlink.records import Candidate
from medlink.refinement.guard import Case, CaseSet, Way
from medlink.text import normalise

_BLOCK = 256
# Pairs of names whose vectors are looked at: enough for the rank of vectors of some hundred numbers.
N_PAIRS = 1000


@dataclass(frozen=True, slots=True, eq=False)
class Outcomes:
    """How a linker did on some cases, without what annotators decided standing above it.

    :param right: *Shape:* (n_cases,), bool; NIL is an answer like any other.
    :param score: *Shape:* (n_cases,), the probability that the linker gives its answer, in [0, 1].
    :param answers: *Length* n_cases, ``None`` for NIL.
    """

    cases: tuple[Case, ...]
    right: NDArray[np.bool_]
    score: NDArray[np.float64]
    answers: tuple[str | None, ...]

    @property
    def accuracy(self) -> float:
        """The share of right answers, 0 where there is no case."""
        return float(self.right.mean()) if len(self.cases) else 0.0

    @property
    def clusters(self) -> tuple[str, ...]:
        """The document of each case, of a name its concept. *Length* n_cases."""
        return tuple(case.place[0] for case in self.cases)

    @property
    def graded(self) -> Answers:
        """The answers as calibration takes them."""
        return Answers(self.right, self.score)


@dataclass(frozen=True, slots=True, eq=False)
class Vectors:
    """Where some names lie.

    :param names: *Shape:* (n_pairs, width), unit length.
    :param siblings: *Shape:* (n_pairs, width), each another name of the same concept.
    """

    names: NDArray[np.float32]
    siblings: NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """A linker on the guard set.

    :param guard: by the parts' names, in their order; empty parts are left out.
    :param corrections: on what the batch corrected; ``None`` where it corrected nothing.
    """

    release: str
    guard: Mapping[str, Outcomes]
    corrections: Outcomes | None
    vectors: Vectors


def measure(
    linker: Linker, guard: Iterable[CaseSet], corrections: CaseSet | None = None, *, show_progress: bool = False
) -> Measured:
    """How a linker does on the guard set and on the corrections of a batch.

    Parent and child are to be measured with the same sets.
    """
    answered = {part.name: ask(linker, part, show_progress=show_progress) for part in guard if part.cases}
    fixed = ask(linker, corrections, show_progress=show_progress) if corrections and corrections.cases else None
    return Measured(linker.release, answered, fixed, place_names(linker))


def ask(linker: Linker, part: CaseSet, *, show_progress: bool = False) -> Outcomes:
    """What a linker answers to some cases."""
    # Whether a name is sure enough says nothing, as NIL is never right; what is found first does.
    threshold = linker.threshold if part.way is Way.DOCUMENT else 0.0
    cases: list[Case] = []
    decisions: list[tuple[str | None, float]] = []
    with tqdm(total=len(part.cases), desc=f"guard: {part.name}", unit="case", disable=not show_progress) as progress:
        for block in _blocks(part):
            for case, ranked in _rank(linker, block, part.way):
                cases.append(case)
                decisions.append(_decide(ranked, threshold))
            progress.update(len(block))
    right = [
        answer in case.gold if answer else not case.gold for case, (answer, _) in zip(cases, decisions, strict=True)
    ]
    scores = np.array([score for _, score in decisions], np.float64)
    return Outcomes(tuple(cases), np.array(right, np.bool_), scores, tuple(answer for answer, _ in decisions))


def place_names(linker: Linker, *, n_pairs: int = N_PAIRS) -> Vectors:
    """The vectors of some names and of others of their concepts, chosen by the ontology alone."""
    pairs = name_pairs(linker.ontology or linker.lexicon, n_pairs)  # aliases differ between parent and child
    vectors = linker.encoder.encode([name for pair in pairs for name in pair])
    return Vectors(vectors[::2], vectors[1::2])


def name_pairs(lexicon: Lexicon, n_pairs: int) -> list[tuple[str, str]]:
    """Two names each of concepts that are spread over the ontology evenly."""
    named = [
        names
        for concept in lexicon.concepts.values()
        if len(names := list(dict.fromkeys(filter(None, (normalise(name.text) for name in concept.names))))) > 1
    ]
    places = np.linspace(0, len(named) - 1, min(n_pairs, len(named))).astype(int).tolist() if named else []
    return [(named[place][0], named[place][1]) for place in places]


def _blocks(part: CaseSet) -> Iterator[list[Case]]:
    """The cases in groups that are encoded together, the mentions of a document side by side."""
    cases = sorted(part.cases, key=lambda case: case.place) if part.way is Way.DOCUMENT else part.cases
    block: list[Case] = []
    for _, group in groupby(cases, key=lambda case: case.place[0]):
        block += group
        if len(block) >= _BLOCK:
            yield block
            block = []
    if block:
        yield block


def _rank(linker: Linker, cases: Sequence[Case], way: Way) -> Iterator[tuple[Case, tuple[Candidate, ...]]]:
    """Each of the cases with its candidates."""
    queries = [case.query for case in cases]
    if way is Way.NAME_HIDDEN:
        found = linker.find(sorted(set(queries)), own_names=False)
        ranked = {
            one.query: rank_concepts(one, linker.lexicon, linker.ranker, linker.rarity, linker.experience)[:DEPTH]
            for one in found
        }
        yield from ((case, ranked[case.query]) for case in cases)
        return
    linker.rank(queries, k=DEPTH)  # one pass of the encoder for all documents
    for _, group in groupby(cases, key=lambda case: case.place[0]):
        together = list(group)
        yield from zip(together, linker.rank_document([case.query for case in together], k=DEPTH), strict=True)


def _decide(ranked: Sequence[Candidate], threshold: float) -> tuple[str | None, float]:
    """The answer and its probability; that of NIL is what the candidates leave of 1."""
    if ranked and ranked[0].score >= threshold:
        return ranked[0].concept_id, ranked[0].score
    return None, min(1.0, max(0.0, 1.0 - sum(candidate.score for candidate in ranked)))

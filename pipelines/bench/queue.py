"""What a question is worth: accuracy against annotated mentions, for `medlink queue` and simpler ways to choose.

Usage: python -m pipelines.bench.queue [--round 50] [--annotated 1000] [--seeds 5] [--chart docs/queue.png]
Corpus, below $MEDLINK_BENCH_DATA: the training split of NCBI Disease (Dogan et al. 2014) in ``ncbi-disease``, linked to
MEDIC of July 2012 in ``medic-2012``.

The gold mentions, with the abbreviations that their abstracts define expanded, are linked once, without corrections.
Then rounds are simulated: some mentions are chosen, an annotator who says what the gold says judges them, and all links
are corrected by the rulings that follow, as the next ``medlink link`` would. A link is right when its concept is one of
the gold's, any of a composite's (the rule of BELB, Garda et al. 2023); the annotator names the proposed concept where
it is right, else the first. What is chosen:

- ``queue``: as medlink queue does, a tenth of it by chance;
- ``doubt``: the least certain links, one of a wording; ``frequency``: the most frequent wordings;
- ``random, no repeats``: by chance, never a wording that is ruled already;
- ``random``: by chance among all mentions that nobody has annotated, the mean of some seeds.

Prints and appends accuracy over all links, and over those that nobody has annotated.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from statistics import mean
from typing import Any

import spacy
from spacy.tokens import Doc, Span
from spacy.util import filter_spans
from tqdm import tqdm

from medlink import __version__
from medlink.curation.adjudication import decide_spans
from medlink.curation.queue import Asked, Place, QueueSettings, choose_questions, place_of, what_was_asked
from medlink.curation.rulings import make_rulings
from medlink.detection.abbreviations import AbbreviationExpander
from medlink.detection.attributes import LABEL, SPANS_KEY
from medlink.detection.tokens import tokenise_by_words
from medlink.evaluation.annotations import Annotation as Gold
from medlink.evaluation.annotations import Corpus
from medlink.evaluation.chart import FAINT, OTHERS, OURS, import_matplotlib
from medlink.evaluation.concept_map import ConceptMap
from medlink.evaluation.corpora import read_corpus
from medlink.linking.assemble import link_to, load_lexicon
from medlink.linking.corrections import Corrections
from medlink.linking.linker import DEPTH
from medlink.linking.recipe import Recipe
from medlink.linking.settings import DEFAULT_THRESHOLD, LinkerSettings
from medlink.ontology.lexicon import Lexicon
from medlink.records import Annotation, Link, Mention, Proposal, Source, Verdict
from medlink.store.events import Entry, Event
from medlink.store.workspace import default_workspace_root
from medlink.text import wording_key
from pipelines.bench.results import append_result, bench_data

CORPUS = "ncbi-disease/NCBItrainset_corpus.txt"
ONTOLOGY = "medic-2012/medic_06Jul2012.txt"
SHOWN = LinkerSettings().top_k
THRESHOLD = DEFAULT_THRESHOLD
NOW = datetime(2026, 1, 5, tzinfo=UTC)
QUEUE, DOUBT, FREQUENCY, FRESH, RANDOM = "queue", "doubt", "frequency", "random, no repeats", "random"
# Counts of annotated mentions that the table shows.
MILESTONES = (0, 50, 100, 200, 400, 600, 800, 1000)


@dataclass(frozen=True)
class Case:
    """Links with the truth about them.

    :param links: of all mentions, without corrections, with candidates to :data:`DEPTH`.
    :param gold: by place the concepts of which any is right.
    """

    links: tuple[Link, ...]
    gold: Mapping[Place, frozenset[str]]
    lexicon: Lexicon
    concepts: ConceptMap

    def is_right(self, mention: Mention, concept_id: str | None) -> bool:
        """Whether a mention means the concept."""
        return concept_id is not None and self.concepts.concept(concept_id) in self.gold[place_of(mention)]

    def answer(self, link: Link) -> Annotation:
        """What the annotator says of a link."""
        is_right = self.is_right(link.mention, link.concept_id)
        return answer_link(link, self.gold[place_of(link.mention)], self.lexicon, is_right=is_right)


def answer_link(link: Link, gold: frozenset[str], lexicon: Lexicon, *, is_right: bool) -> Annotation:
    """What an annotator who says what the gold says makes of a link; NIL where the ontology lacks the concept."""
    mention = link.mention
    concept_id = link.concept_id if is_right else min(gold)
    known = concept_id is not None and lexicon.resolve(concept_id) is not None
    return Annotation(
        mention.doc_id,
        mention.start,
        mention.end,
        mention.surface,
        (Verdict.ACCEPT if is_right else Verdict.CORRECT) if known else Verdict.NIL,
        Source("gold"),
        "gold",
        concept_id=concept_id if known else None,
        expanded=mention.expanded,
        proposed=tuple(Proposal(candidate.concept_id, candidate.score) for candidate in link.candidates[:SHOWN]),
        annotator="gold",
    )


@dataclass(frozen=True, slots=True)
class Point:
    """Where a simulation stands after a round.

    :param accuracy: of all links; ``unseen`` of those that nobody has annotated.
    """

    n_annotated: int
    accuracy: float
    unseen: float


#: Chooses among the links those to annotate: what was asked, those that nobody has annotated, how many, a seed.
Choose = Callable[[Asked, Sequence[Link], int, int], Iterable[Place]]


def load_case() -> Case:
    """The corpus with its links."""
    corpus = read_corpus([bench_data() / CORPUS], "pubtator")
    recipe = Recipe(
        default_workspace_root(), ontology=str(bench_data() / ONTOLOGY), linking=LinkerSettings(top_k=DEPTH)
    )
    lexicon = load_lexicon(recipe, show_progress=True)
    concepts = ConceptMap(lexicon)
    gold = {(one.doc_id, one.start, one.end): one.concepts for one in concepts.resolve_all(corpus.annotations)}
    mentions = [mention for mention in mentions_of(corpus) if gold[place_of(mention)]]
    links = link_to(recipe, lexicon, show_progress=True).link(mentions)
    return Case(tuple(links), gold, lexicon, concepts)


def mentions_of(corpus: Corpus) -> Iterator[Mention]:
    """The gold mentions, each with the long form where its abstract defines it as an abbreviation."""
    nlp = spacy.blank("en")
    tokenise_by_words(nlp)
    expand = AbbreviationExpander(nlp, spans_key=SPANS_KEY)
    by_document: dict[str, dict[tuple[int, int], Gold]] = {}
    for one in corpus.annotations:
        by_document.setdefault(one.doc_id, {})[one.start, one.end] = one
    for document in corpus.documents:
        places = by_document.get(document.id, {})
        doc = nlp.make_doc(document.text)
        doc.ents = filter_spans(_spans(doc, places))
        long_forms = {(ent.start_char, ent.end_char): ent._.medlink_expanded for ent in expand(doc).ents}
        for start, end in sorted(places):
            surface = document.text[start:end]
            yield Mention(document.id, start, end, surface, expanded=long_forms.get((start, end), ""))


def _spans(doc: Doc, places: Iterable[tuple[int, int]]) -> Iterator[Span]:
    for start, end in places:
        span = doc.char_span(start, end, label=LABEL, alignment_mode="strict")
        if span is not None:
            yield span


def choose_by_queue(asked: Asked, links: Sequence[Link], n: int, seed: int) -> Iterable[Place]:
    """As medlink queue does."""
    return [question.place for question in choose_questions(links, asked, QueueSettings(n, seed=seed))]


def choose_by_chance_without_repeats(asked: Asked, links: Sequence[Link], n: int, seed: int) -> Iterable[Place]:
    """By chance among the mentions that are not settled."""
    questions = choose_questions(links, asked, QueueSettings(n, random_share=1.0, seed=seed))
    return [question.place for question in questions]


def choose_by_chance(asked: Asked, links: Sequence[Link], n: int, seed: int) -> Iterable[Place]:
    """By chance among all mentions."""
    return [place_of(link.mention) for link in Random(seed).sample(links, min(n, len(links)))]


def choose_by(key: Callable[[Link, int], float]) -> Choose:
    """The mentions that are not settled with the highest keys, given the link and its wording's frequency; one a
    wording.
    """

    def choose(asked: Asked, links: Sequence[Link], n: int, seed: int) -> Iterable[Place]:
        by_place = {place_of(link.mention): link for link in links}
        left = choose_questions(links, asked, QueueSettings(len(links), random_share=1.0, seed=seed))
        left = tuple(sorted(left, key=lambda question: -key(by_place[question.place], question.n_alike)))
        first = {wording_key(question.mention.query): question.place for question in reversed(left)}
        ordered = dict.fromkeys(first[wording_key(question.mention.query)] for question in left)
        return list(ordered)[:n]

    return choose


def doubt(link: Link) -> float:
    """The chance that a link is wrong."""
    return 1.0 - link.score if link.concept_id is not None else link.score


STRATEGIES: dict[str, Choose] = {
    QUEUE: choose_by_queue,
    DOUBT: choose_by(lambda link, n_alike: doubt(link)),
    FREQUENCY: choose_by(lambda link, n_alike: n_alike),
    FRESH: choose_by_chance_without_repeats,
    RANDOM: choose_by_chance,
}


def simulate(case: Case, choose: Choose, *, per_round: int, n_annotated: int, seed: int) -> list[Point]:
    """The points of rounds until enough is annotated, or nothing is left to ask."""
    by_place = {place_of(link.mention): link for link in case.links}
    shown = {place: replace(link, candidates=link.candidates[:SHOWN]) for place, link in by_place.items()}
    entries: list[Entry] = []
    points = [measure(case, entries)]
    while len(entries) < n_annotated:
        left = [link for place, link in shown.items() if place in by_place]
        places = choose(what_was_asked(entries), left, per_round, seed * 1000 + len(points))
        for place in places:
            event = Event(case.answer(by_place.pop(place)))
            entries.append(Entry(len(entries) + 1, len(points), NOW, event))
        if not places:
            break
        points.append(measure(case, entries))
    return points


def measure(case: Case, entries: Sequence[Entry]) -> Point:
    """How good all links are with the rulings that follow from what was said."""
    corrections = Corrections(make_rulings(decide_spans(entries)))
    annotated = {(said.doc_id, said.start, said.end) for said in (entry.event.annotation for entry in entries)}
    n_right = n_right_unseen = 0
    for link in case.links:
        corrected = corrections.apply(link.mention, link.candidates, case.lexicon, threshold=THRESHOLD)
        is_right = case.is_right(link.mention, corrected.concept_id if corrected else link.concept_id)
        n_right += is_right
        n_right_unseen += is_right and place_of(link.mention) not in annotated
    n_links = len(case.links)
    return Point(len(annotated), n_right / n_links, n_right_unseen / (n_links - len(annotated)))


def average(runs: Sequence[Sequence[Point]]) -> list[Point]:
    """The mean of runs, round by round, as far as all of them go."""
    return [
        Point(
            round(mean(point.n_annotated for point in points)),
            mean(point.accuracy for point in points),
            mean(point.unseen for point in points),
        )
        for points in zip(*runs, strict=False)
    ]


def needed_for(points: Sequence[Point], accuracy: float) -> int | None:
    """Annotated mentions after which the accuracy of all links is reached first; ``None`` where it never is."""
    return next((point.n_annotated for point in points if point.accuracy >= accuracy), None)


def report(case: Case, curves: Mapping[str, Sequence[Point]], options: argparse.Namespace) -> None:
    """Prints the table and appends its lines."""
    print(f"{len(case.links):,} mentions; accuracy of all links / of those that nobody has annotated")
    print(f"{'annotated':20}" + "".join(f"{n:>13}" for n in MILESTONES))
    for name, points in curves.items():
        shown = {point.n_annotated: point for point in points if point.n_annotated in MILESTONES}
        cells = (f"{shown[n].accuracy:.3f} / {shown[n].unseen:.3f}" if n in shown else "" for n in MILESTONES)
        print(f"{name:20}" + "".join(f"{cell:>14}" for cell in cells))
        for point in shown.values():
            append_result(
                "queue",
                set="ncbi-disease",
                split="train",
                strategy=name,
                n_mentions=len(case.links),
                n_annotated=point.n_annotated,
                accuracy=round(point.accuracy, 4),
                accuracy_unseen=round(point.unseen, 4),
                per_round=options.round,
                n_seeds=options.seeds,
                medlink=__version__,
            )
    goal = curves[RANDOM][-1]
    for name, points in curves.items():
        n_needed = needed_for(points, goal.accuracy)
        print(f"{name}: {n_needed} annotated mentions for the {goal.accuracy:.3f} of {goal.n_annotated} by chance")


def draw(curves: Mapping[str, Sequence[Point]], path: Path) -> None:
    """Writes the curves as a PNG."""
    figure = import_matplotlib().Figure(figsize=(9, 3.8), dpi=160, layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    _draw_panel(left, curves, "all links", lambda point: point.accuracy)
    _draw_panel(right, curves, "links that nobody has annotated", lambda point: point.unseen)
    left.legend(frameon=False, fontsize=8, loc="lower right")
    left.set_ylabel("accuracy", fontsize=8.5)
    figure.supxlabel("annotated mentions  ·  NCBI Disease, training split", fontsize=9)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, format="png")


_STYLES = {
    QUEUE: (OURS, "-"),
    DOUBT: (OTHERS, ":"),
    FREQUENCY: (OTHERS, "-."),
    FRESH: (OTHERS, "--"),
    RANDOM: (OTHERS, "-"),
}


def _draw_panel(axis: Any, curves: Mapping[str, Sequence[Point]], title: str, of: Callable[[Point], float]) -> None:  # noqa: ANN401
    axis.set_title(title, fontsize=10, fontweight="bold", loc="left")
    for name, points in curves.items():
        colour, line = _STYLES[name]
        axis.plot([p.n_annotated for p in points], [of(p) for p in points], line, color=colour, label=name)
    axis.grid(color=FAINT, linewidth=0.8)
    axis.set_axisbelow(True)
    axis.spines[["top", "right", "left"]].set_visible(False)
    axis.spines["bottom"].set_color(FAINT)
    axis.tick_params(length=0, labelsize=8.5)


def main() -> None:
    """Simulates every strategy."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--round", type=int, default=50, help="mentions a round")
    parser.add_argument("--annotated", type=int, default=1000, help="mentions in the end")
    parser.add_argument("--seeds", type=int, default=5, help="runs whose mean is shown")
    parser.add_argument("--chart", type=Path, help="PNG to write")
    options = parser.parse_args()
    case = load_case()
    curves: dict[str, list[Point]] = {}
    for name, choose in tqdm(STRATEGIES.items(), desc="strategies", disable=None):
        runs = [
            simulate(case, choose, per_round=options.round, n_annotated=options.annotated, seed=seed)
            for seed in range(options.seeds)
        ]
        curves[name] = average(runs)
    report(case, curves, options)
    if options.chart:
        draw(curves, options.chart)
        print(f"Wrote {options.chart}")


if __name__ == "__main__":
    main()

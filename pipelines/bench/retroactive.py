"""What batches of corrections do to a linker: accuracy, forgetting and cost after each, for several ways to learn.

Usage: python -m pipelines.bench.retroactive --stream TRAIN.pubtator DEV.pubtator --test TEST.pubtator --names NAMES
    [--type Disease] [--other GSC_FOLDER] [--arms none aliases naive adapter surface full retrain medcat] [--seeds 0]
    --out DIR

The gold mentions of the stream come in the order of its documents, some 250 at a time. The linker that holds then links
them; simulated annotators accept what the gold says and correct the rest; the ledger takes it; the arm learns; then the
gold mentions of the test are linked, each at its best concept (accuracy at 1). Abbreviations that a document defines
are expanded. A link is right when its concept is one of the gold's, any of a composite's (the rule of BELB, Garda et
al. 2023). Arms:

- ``none``: nothing is learned;
- ``aliases``: what annotators decided counts at once, as in any workspace, and nothing is trained;
- ``naive``: the surface tower is fine-tuned on each batch alone, without memory, replay, ranker or gate;
- ``surface``: refined at the quarters of the stream, or after each batch (``--often``); ``adapter``, ``full``: once, at
  its end;
- ``retrain``: as ``surface``, with ten times the steps, at the end;
- ``medcat``: MedCAT v2, trained on the same documents by its own way, in an environment of its own.

Subsets of the test: surfaces that neither the ontology nor the stream has; concepts that no document of the stream
names; mentions that suffer a confusion that was corrected elsewhere under another wording. ``--other`` measures the
gold mentions of another ontology, HPO, which nobody corrected, at the quarters. Arms run one after the other and
resume: what DIR has is not run again. The table and ``curves.png`` in DIR show all that it has.
"""

from __future__ import annotations

import argparse
import json
import resource
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from medlink import __version__
from medlink.curation.adjudication import decide_spans
from medlink.curation.queue import place_of
from medlink.curation.rulings import make_rulings
from medlink.encoder.combined import CombinedEncoder
from medlink.evaluation.concept_map import ConceptMap
from medlink.evaluation.corpora import read_corpus
from medlink.evaluation.gsc import read_gsc_queries
from medlink.index.dense import DenseIndex
from medlink.index.name_index import NameIndex
from medlink.index.vectors import NameVectors
from medlink.linking.assemble import load_index, load_lexicon, make_linker
from medlink.linking.corrections import Corrections
from medlink.linking.linker import Linker
from medlink.linking.recipe import Recipe
from medlink.linking.settings import LinkerSettings
from medlink.ontology.aliases import extended_lexicon
from medlink.ontology.lexicon import Lexicon
from medlink.records import Link, Mention
from medlink.refinement.child import move_names
from medlink.refinement.cost import CostMeter
from medlink.refinement.gate import judge
from medlink.refinement.guard import correction_cases, lesson_cases, ontology_cases, split_lessons
from medlink.refinement.lessons import Lesson, take_lessons
from medlink.refinement.measuring import measure
from medlink.refinement.memory import Memory
from medlink.refinement.refine import Lessons, Means, refine
from medlink.refinement.settings import Mode, RefineSettings, Start
from medlink.store.events import Entry, Event
from medlink.store.workspace import default_workspace_root
from medlink.text import normalise
from pipelines.bench.queue import answer_link, mentions_of
from pipelines.bench.results import append_result
from pipelines.bench.retroactive_report import report

NOW = datetime(2026, 1, 5, tzinfo=UTC)
N_GUARD_NAMES = 500
WHOLE_HPO = ("HP:0000001",)
NONE, ALIASES, NAIVE, SURFACE, ADAPTER, FULL, RETRAIN, MEDCAT = ARMS = (
    "none", "aliases", "naive", "surface", "adapter", "full", "retrain", "medcat"
)  # fmt: skip

Gold = Mapping[tuple[str, int, int], frozenset[str]]


@dataclass(frozen=True, slots=True)
class Arm:
    """A way to learn.

    :param settings: of a refinement; ``None`` where nothing is trained.
    :param at_end: whether it learns once, at the end of the stream, instead of after each batch.
    :param at_quarters: whether it learns at the quarters of the stream alone.
    :param anew: whether it starts from what ships each time.
    :param is_gated: whether a child must pass the gate, with a tenth of the documents guarded.
    :param forgets: whether it sees the last batch alone.
    :param device: what trains.
    """

    settings: RefineSettings | None = None
    at_end: bool = False
    at_quarters: bool = False
    anew: bool = False
    is_gated: bool = True
    forgets: bool = False
    device: str = "cpu"


def make_arm(name: str, seed: int, overrides: Mapping[str, Any]) -> Arm:
    """The arm of a name.

    :param overrides: settings of the refinement to change, for ablations.
    """
    surface = RefineSettings(seed=seed, **overrides)
    if name == SURFACE:
        return Arm(surface, at_quarters=True)
    if name == ADAPTER:
        changes = {"mode": Mode.ADAPTER, "learning_rate": 2e-3} | dict(overrides)
        return Arm(surface.model_copy(update=changes), at_end=True)
    if name == FULL:
        changes = {"mode": Mode.FULL, "learning_rate": 1e-4, "n_lessons": 96, "n_replay": 96, "max_steps": 200}
        changes |= {"trained_layers": 6, **overrides}
        return Arm(surface.model_copy(update=changes), at_end=True)
    if name == RETRAIN:
        changes = {"max_steps": 10 * surface.max_steps, "epochs": 10 * surface.epochs}
        return Arm(surface.model_copy(update=changes), at_end=True, anew=True)
    if name == NAIVE:
        changes = {"n_replay": 0, "n_pool": 0, "alpha": 0.0, "stay": 0.0, "new_share": 1.0, "ranker": False}
        changes["start"] = Start.PARENT
        return Arm(surface.model_copy(update=changes), is_gated=False, forgets=True)
    return Arm()


@dataclass(frozen=True)
class Case:
    """What is measured on.

    :param batches: of the stream.
    :param other: queries by document with their gold, and a linker to their ontology.
    """

    batches: tuple[tuple[Mention, ...], ...]
    test: tuple[Mention, ...]
    gold: Gold
    base: Linker
    concepts: ConceptMap
    other: tuple[Linker, Mapping[str, list[tuple[str, frozenset[str]]]]] | None

    @property
    def lexicon(self) -> Lexicon:
        """Of the names, without aliases."""
        return self.base.lexicon

    def is_right(self, mention: Mention, concept_id: str | None) -> bool:
        """Whether a mention means the concept."""
        return concept_id is not None and self.concepts.concept(concept_id) in self.gold[place_of(mention)]

    @cached_property
    def base_answers(self) -> dict[tuple[str, int, int], str | None]:
        """What the linker says before anything is learned."""
        mentions = [*(mention for batch in self.batches for mention in batch), *self.test]
        return {place_of(link.mention): link.concept_id for link in self.base.link(mentions)}

    @cached_property
    def subsets(self) -> dict[str, NDArray[np.bool_]]:
        """Parts of the test, by name."""
        stream = [mention for batch in self.batches for mention in batch]
        queries = {normalise(mention.query) for mention in stream}
        named = {concept for mention in stream for concept in self.gold[place_of(mention)]}
        corrected = {pair for mention in stream for pair in self._confusions(mention)}
        new = [normalise(m.query) not in queries and self.lexicon.row_of(normalise(m.query)) is None for m in self.test]
        untouched = [self.gold[place_of(mention)].isdisjoint(named) for mention in self.test]
        alike = [
            normalise(mention.query) not in queries and not corrected.isdisjoint(self._confusions(mention))
            for mention in self.test
        ]
        return {
            "all": np.ones(len(self.test), np.bool_),
            "unseen surfaces": np.array(new),
            "untouched concepts": np.array(untouched),
            "same confusion": np.array(alike),
        }

    def _confusions(self, mention: Mention) -> set[tuple[str, str]]:
        """What it is taken for at first, with what it means; none where that is right."""
        answer = self.base_answers[place_of(mention)]
        if answer is None or self.is_right(mention, answer):
            return set()
        return {(self.concepts.concept(answer), meant) for meant in self.gold[place_of(mention)]}


def load_case(options: argparse.Namespace) -> Case:
    """The stream, the test and the linkers."""
    linking = LinkerSettings(top_k=20, threshold=0.0)
    recipe = Recipe(default_workspace_root(), ontology=str(options.names), linking=linking, remembers=True)
    lexicon = load_lexicon(recipe, show_progress=True)
    base = make_linker(recipe, lexicon, load_index(lexicon, recipe, show_progress=True))
    if not isinstance(base.encoder, CombinedEncoder):
        raise SystemExit("the bench is about the encoder with two towers")
    concepts = ConceptMap(lexicon)
    gold: dict[tuple[str, int, int], frozenset[str]] = {}
    stream = _read(options.stream, options.type, concepts, gold)
    test = _read([options.test], options.type, concepts, gold)
    batches = tuple(_in_batches(stream, options.batch))[: options.max_batches]
    return Case(batches, tuple(test), gold, base, concepts, _load_other(options, base))


def _read(
    files: Sequence[Path], kind: str | None, concepts: ConceptMap, gold: dict[tuple[str, int, int], frozenset[str]]
) -> list[Mention]:
    corpus = read_corpus(files, "pubtator")
    if kind:
        corpus = replace(corpus, annotations=tuple(one for one in corpus.annotations if one.kind == kind))
    found = {(one.doc_id, one.start, one.end): one.concepts for one in concepts.resolve_all(corpus.annotations)}
    gold |= {place: meant for place, meant in found.items() if meant}
    return [m for m in mentions_of(corpus) if gold.get(place_of(m)) and normalise(m.query)]


def _in_batches(mentions: Sequence[Mention], size: int) -> Iterator[tuple[Mention, ...]]:
    batch: list[Mention] = []
    for place, mention in enumerate(mentions):
        batch.append(mention)
        last = place + 1 == len(mentions) or mentions[place + 1].doc_id != mention.doc_id
        if last and len(batch) >= size:
            yield tuple(batch)
            batch = []
    if batch:
        yield tuple(batch)


def _load_other(
    options: argparse.Namespace, base: Linker
) -> tuple[Linker, Mapping[str, list[tuple[str, frozenset[str]]]]] | None:
    if not options.other:
        return None
    recipe = Recipe(default_workspace_root(), branches=WHOLE_HPO, linking=LinkerSettings(top_k=20, threshold=0.0))
    lexicon = load_lexicon(recipe, show_progress=True)
    linker = make_linker(recipe, lexicon, load_index(lexicon, recipe, show_progress=True))
    documents: dict[str, list[tuple[str, frozenset[str]]]] = {}
    for query in read_gsc_queries(options.other, lexicon):
        documents.setdefault(query.doc_id, []).append((query.mention, query.gold))
    return replace(linker, encoder=base.encoder), documents


def with_parts(linker: Linker, parts: Linker) -> Linker:
    """The linker to one ontology with what another one has learned: its vectors are made anew where a tower moved."""
    learned = replace(linker, encoder=parts.encoder, ranker=parts.ranker, adapter=parts.adapter)
    return move_names(learned, linker)[0]


def with_corrections(linker: Linker, corrections: Corrections) -> Linker:
    """The linker with what annotators decided, as :func:`medlink.linking.assemble.make_linker` puts it together."""
    lexicon = extended_lexicon(linker.lexicon, corrections.aliases(linker.lexicon))
    aliases = lexicon.names[len(linker.lexicon.names) :]
    vectors = linker.encoder.encode(aliases)
    index = linker.index.extended(aliases, vectors.astype(np.float16).astype(np.float32)) if aliases else linker.index
    return replace(linker, lexicon=lexicon, index=index, corrections=corrections, ontology=linker.lexicon)


def without_aliases(child: Linker, base: Linker) -> Linker:
    """The child as a linker to the ontology alone."""
    rows = np.arange(len(base.lexicon.names))
    vectors = child.index.dense.vectors.take(rows)
    parts = [vectors[:, tower.start : tower.stop] for tower in child.encoder.towers]
    index = NameIndex(base.index.ngrams, DenseIndex(NameVectors.of(*parts)))
    return replace(child, lexicon=base.lexicon, index=index, corrections=Corrections(), ontology=None)


def annotate(case: Case, links: Sequence[Link], first: int, batch: int) -> list[Entry]:
    """What annotators who say what the gold says make of links."""
    entries = []
    for number, link in enumerate(links, start=first):
        is_right = case.is_right(link.mention, link.concept_id)
        annotation = answer_link(link, case.gold[place_of(link.mention)], case.lexicon, is_right=is_right)
        entries.append(Entry(number, batch, NOW, Event(annotation)))
    return entries


@dataclass(frozen=True, slots=True)
class Learned:
    """What an arm has learned so far.

    :param linker: to the ontology alone.
    """

    linker: Linker
    memory: Memory | None = None


def run_arm(case: Case, arm: Arm, name: str, seed: int, out: Path, *, every: int) -> None:
    """Runs an arm and writes a line for each measured batch; what there is already is run again, as nothing else is
    kept, unless all of it is there.
    """
    path = out / f"{name}-{seed}.jsonl"
    n_batches = len(case.batches)
    quarters = {round(n_batches * share) for share in (0.25, 0.5, 0.75, 1.0)}
    if path.exists() and any(
        json.loads(line)["batch"] == n_batches for line in path.read_text(encoding="utf-8").splitlines()
    ):
        return
    state, entries, lines = Learned(case.base), list[Entry](), []
    seen_until = 0
    for number, batch in enumerate(tqdm(case.batches, desc=name, unit="batch"), start=1):
        corrections = Corrections() if name == NONE else corrections_of(entries)
        links = with_corrections(state.linker, corrections).link(batch)
        found = np.array([case.is_right(link.mention, link.concept_id) for link in links])
        entries += annotate(case, links, len(entries) + 1, number)
        facts: dict[str, Any] = {"on_arrival": round(float(found.mean()), 4)}
        learns = number == n_batches or not (arm.at_end or (arm.at_quarters and number not in quarters))
        if arm.settings and learns:
            state, learned = learn(case, arm, state, entries, seen_until)
            facts |= learned
            seen_until = len(entries)
        if (number in quarters or number % every == 0) and (number == n_batches or not arm.at_end):
            facts |= measure_state(
                case, state, corrections_of(entries) if name != NONE else Corrections(), batch, found
            )
            if number in quarters and case.other:
                facts["other"] = measure_other(case, state.linker)
            lines.append({"arm": name, "seed": seed, "batch": number, "n_mentions": len(entries), **facts})
            path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")


def corrections_of(entries: Sequence[Entry]) -> Corrections:
    """What the entries of a ledger decide."""
    return Corrections(make_rulings(decide_spans(by_place(entries))))


def by_place(entries: Sequence[Entry]) -> list[Entry]:
    """The entries in the order that decisions are taken in."""
    return sorted(
        entries, key=lambda e: (e.event.annotation.doc_id, e.event.annotation.start, e.event.annotation.end, e.seq)
    )


def learn(case: Case, arm: Arm, state: Learned, entries: Sequence[Entry], since: int) -> tuple[Learned, dict[str, Any]]:
    """What an arm learns of the ledger as it stands, and what that took."""
    if arm.settings is None:
        return state, {}
    started = time.monotonic()
    heard = entries[since:] if arm.forgets else entries
    lessons = tuple(take_lessons(decide_spans(by_place(heard))))
    training, guard = split_lessons(lessons) if arm.is_gated else (lessons, ())
    kept = {lesson.place[0] for lesson in training}
    mine = [entry for entry in heard if entry.event.annotation.doc_id in kept]
    start = case.base if arm.anew else state.linker
    before = with_corrections(state.linker, corrections_of([entry for entry in mine if entry.seq <= since]))
    parent = with_corrections(start, corrections_of(mine))
    meter = CostMeter()
    with tempfile.TemporaryDirectory() as folder:
        child = refine(
            parent,
            Lessons(training, since=-1 if arm.anew else since),
            arm.settings,
            Path(folder),
            origin=with_corrections(case.base, corrections_of(mine)),
            memory=None if arm.anew or arm.forgets else state.memory,
            meter=meter,
            means=Means(device=arm.device),
        )
        linker = _kept(child.linker)
    seconds = time.monotonic() - started
    facts: dict[str, Any] = {
        "seconds": round(seconds, 1),
        "phases": {name: round(spent, 1) for name, spent in meter.total().seconds.items()},
        "work": len(child.steps) * (arm.settings.n_lessons + arm.settings.n_replay),
        "n_encoded": child.moved.n_encoded,
    }
    if arm.is_gated:
        facts["gate"] = _judge(case, before, linker, training, guard, since)
        facts["seconds_gate"] = round(time.monotonic() - started - seconds, 1)
        if facts["gate"] and not arm.anew:
            return replace(state, memory=child.memory), facts
    return Learned(without_aliases(linker, case.base), child.memory), facts


def _kept(linker: Linker) -> Linker:
    """The linker with its weights read, as its folder is about to go; every mention at its best concept."""
    encoder = linker.encoder
    if isinstance(encoder, CombinedEncoder):
        _ = encoder.surface.fingerprint, encoder.surface.encode(["a"])
        _ = encoder.semantic.fingerprint, encoder.semantic.encode(["a"])
    return replace(linker, release_folder=None, settings=replace(linker.settings, threshold=0.0))


def _judge(
    case: Case, parent: Linker, child: Linker, training: Sequence[Lesson], guard: Sequence[Lesson], since: int
) -> list[str]:
    """The budgets that the child does not keep."""
    sets = [lesson_cases(guard), ontology_cases(case.lexicon, n_names=N_GUARD_NAMES)]
    batch = correction_cases([lesson for lesson in training if lesson.seq > since])
    judgement = judge(measure(parent, sets, batch), measure(child, sets, batch))
    return [f"{check.name} {check.part}".strip() for check in judgement.failed]


def measure_state(
    case: Case, state: Learned, corrections: Corrections, batch: Sequence[Mention], found: NDArray[np.bool_]
) -> dict[str, Any]:
    """Right and wrong of each test mention with the scores, and what became of the batch's errors."""
    linker = with_corrections(state.linker, corrections)
    started = time.monotonic()
    links = linker.link(case.test)
    seconds = time.monotonic() - started
    again = linker.link(batch)
    fixed = [case.is_right(link.mention, link.concept_id) for link, was in zip(again, found, strict=True) if not was]
    return {
        "right": "".join("01"[case.is_right(link.mention, link.concept_id)] for link in links),
        "scores": [round(link.score, 3) for link in links],
        "fixed": round(float(np.mean(fixed)), 4) if fixed else None,
        "seconds_test": round(seconds, 1),
        "peak_mib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }


def measure_other(case: Case, parts: Linker) -> str:
    """Right and wrong of each gold mention of the other ontology, of which nobody said anything."""
    if case.other is None:
        return ""
    linker, documents = case.other
    moved = with_parts(linker, parts)
    moved.rank([query for queries in documents.values() for query, _ in queries])
    right = []
    for queries in documents.values():
        for (_, gold), ranked in zip(queries, moved.rank_document([query for query, _ in queries]), strict=True):
            right.append(bool(ranked) and ranked[0].concept_id in gold)
    return "".join("01"[one] for one in right)


def describe_case(case: Case) -> dict[str, Any]:
    """What the report needs to know of the test."""
    return {
        "documents": [mention.doc_id for mention in case.test],
        "subsets": {name: "".join("01"[bool(one)] for one in chosen) for name, chosen in case.subsets.items()},
        "n_stream": sum(map(len, case.batches)),
        "n_batches": len(case.batches),
        "other_documents": [d for d, queries in case.other[1].items() for _ in queries] if case.other else [],
    }


def run_medcat_arm(case: Case, options: argparse.Namespace, out: Path) -> None:
    """MedCAT on the same documents, in one run of its own."""
    from pipelines.bench.medcat_corrections import WAYS, names_of, run_medcat

    path = out / f"{MEDCAT}-0.jsonl"
    if path.exists():
        return
    texts = {
        document.id: document.text
        for file in (*options.stream, options.test)
        for document in read_corpus([file], "pubtator").documents
    }
    batches = [{"name": str(i), "documents": _documents(case, b, texts)} for i, b in enumerate(case.batches, start=1)]
    test = _documents(case, case.test, texts)
    answers = run_medcat({"names": names_of(case.lexicon), "texts": [], "batches": batches, "test": test})
    lines = []
    for milestone in answers["milestones"]:
        number = 0 if milestone["name"] == "none" else int(milestone["name"])
        for way in WAYS:
            given = {(one["doc_id"], one["start"], one["end"]): one[way] for one in milestone["answers"]}
            right = "".join("01"[case.is_right(m, given.get(place_of(m)))] for m in case.test)
            lines.append(
                {
                    "arm": f"{MEDCAT} ({way})",
                    "seed": 0,
                    "batch": number,
                    "n_mentions": milestone["n_corrections"],
                    "seconds": milestone["seconds_to_teach"],
                    "peak_mib": milestone["peak_mib"],
                    "right": right,
                }
            )
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")


def _documents(case: Case, mentions: Sequence[Mention], texts: Mapping[str, str]) -> list[dict[str, Any]]:
    documents: dict[str, list[dict[str, Any]]] = {}
    for mention in mentions:
        meant = sorted(case.gold[place_of(mention)])
        documents.setdefault(mention.doc_id, []).append({"start": mention.start, "end": mention.end, "concepts": meant})
    return [{"id": key, "text": texts[key], "mentions": found} for key, found in documents.items()]


def main() -> None:
    """Runs what DIR lacks and reports what it has."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stream", type=Path, nargs="+", required=True, metavar="FILE")
    parser.add_argument("--test", type=Path, required=True, metavar="FILE")
    parser.add_argument("--names", type=Path, required=True, metavar="FILE")
    parser.add_argument("--type", help="annotations of this type alone")
    parser.add_argument("--other", type=Path, metavar="FOLDER")
    parser.add_argument("--arms", nargs="+", choices=ARMS, default=ARMS, metavar="ARM")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--batch", type=int, default=250, help="mentions in a batch, about")
    parser.add_argument("--max-batches", type=int, help="of the stream, from its beginning")
    parser.add_argument("--every", type=int, default=1, help="batches from one measurement to the next")
    parser.add_argument("--often", action="store_true", help="refine after each batch, not at the quarters alone")
    parser.add_argument("--device", default="cpu", help="what trains: cpu, cuda, mps")
    parser.add_argument("--no-gate", action="store_true", help="judge no child, and guard no document")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="of the refinement's settings")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    overrides = {key: json.loads(value) for key, _, value in (text.partition("=") for text in options.set)}
    case = load_case(options)
    (options.out / "case.json").write_text(json.dumps(describe_case(case)), encoding="utf-8")
    for name in options.arms:
        for seed in options.seeds if name not in (NONE, ALIASES, MEDCAT) else [0]:
            if name == MEDCAT:
                run_medcat_arm(case, options, options.out)
            else:
                arm = make_arm(name, seed, overrides)
                arm = replace(
                    arm,
                    is_gated=arm.is_gated and not options.no_gate,
                    at_quarters=arm.at_quarters and not options.often,
                    device=options.device,
                )
                run_arm(case, arm, name, seed, options.out, every=options.every)
    for line in report(options.out):
        append_result(
            "retroactive", test=options.test.name, **line, settings=json.dumps(overrides), medlink=__version__
        )


if __name__ == "__main__":
    main()

"""Fits the decision which candidates are mentions, on corpora that people annotated; writes ``decision.json``.

Usage: python -m pipelines.fit_decision --data FOLDER [--out medlink/detection/decision.json]

Without the recogniser the train splits of NCBI Disease and BC5CDR and the 22 dev documents of HPO GSC-2024 count; with
it the dev splits of the first two, as it knows the train splits by heart. The test splits are never read.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from spacy.tokens import Doc
from tqdm import tqdm

from medlink.detection.detector import MentionDetector
from medlink.detection.evidence import FEATURES, N_PLAIN_FEATURES, Candidate, features_of
from medlink.detection.pipeline import build_detector
from medlink.detection.readings import Kind
from medlink.detection.settings import DEFAULT_NER
from medlink.evaluation.annotations import Annotation, Corpus
from medlink.evaluation.concept_map import ConceptMap
from medlink.evaluation.corpora import read_corpus
from medlink.linking.assemble import load_lexicon
from medlink.linking.recipe import Recipe
from medlink.ontology.lexicon import Lexicon
from medlink.store.workspace import default_workspace_root
from pipelines.bench.notes import TASKS, Task, cut_to_split

OUT = Path("medlink/detection/decision.json")
_REGULARISATION = 1.0


def read_task(data: Path, task: Task, *, recogniser: bool) -> Corpus:
    """The documents of a task that count here."""
    split = "dev" if recogniser or "all" in task.files else "train"
    corpus = read_corpus([data / (task.files.get("all") or task.files[split])], task.form)
    return cut_to_split(corpus, task, split).of_kinds(frozenset(task.kinds))


def is_mention(candidate: Candidate, gold: list[Annotation], concepts: frozenset[str]) -> bool:
    """Whether a candidate is annotated: the same span, and where it was read as another name, the same concept.

    A part of an enumeration need only lie in a mention of its concept.

    :param concepts: those that its name may mean.
    """
    exact = [one for one in gold if (one.start, one.end) == (candidate.start, candidate.end)]
    if candidate.kind in (None, Kind.EXACT):
        return bool(exact)
    around = [one for one in gold if one.start < candidate.end and candidate.start < one.end]
    return any(concepts & one.concepts for one in (around if candidate.kind is Kind.SHARED else exact))


def examples_of(
    corpus: Corpus, lexicon: Lexicon, task: Task, *, recogniser: bool
) -> Iterator[tuple[NDArray[np.float64], bool]]:
    """The features of all candidates, and whether they are mentions."""
    settings = replace(task.detection, ner=DEFAULT_NER if recogniser else None)
    nlp = build_detector(lexicon, settings=settings)
    detector = nlp.get_pipe("medlink_detector")
    assert isinstance(detector, MentionDetector)  # noqa: S101
    concepts = ConceptMap(lexicon)
    gold: Mapping[str, list[Annotation]] = defaultdict(list)
    for annotation in concepts.resolve_all(corpus.annotations):
        gold[annotation.doc_id].append(annotation)
    for document in tqdm(corpus.documents, desc=corpus.documents[0].id, unit="note"):
        doc: Doc = nlp.make_doc(document.text)
        nlp.get_pipe("medlink_sentences")(doc)
        candidates = detector.candidates(doc)
        for candidate in candidates:
            if not (task.detection.nested or recogniser) and _is_inside(candidate, candidates):
                continue
            meant = {concepts.concept(posting.concept_id) for posting in lexicon.lookup(candidate.name)}
            yield features_of(candidate), is_mention(candidate, gold[document.id], frozenset(meant))


def _is_inside(candidate: Candidate, others: list[Candidate]) -> bool:
    """Whether a candidate lies within another match, so that it does not count where mentions do not overlap."""
    return any(
        other.kind is not None
        and other.start <= candidate.start
        and candidate.end <= other.end
        and (other.start, other.end) != (candidate.start, candidate.end)
        for other in others
    )


def fit(data: Path, *, recogniser: bool) -> dict[str, float]:
    """The weights, each corpus as heavy as the others."""
    rows, labels, weights = [], [], []
    for task in TASKS:
        if recogniser and task.detection.nested:
            continue  # it was trained on corpora without nested mentions, and would call the inner ones wrong
        file = data / task.ontology
        ontology = str(file) if file.is_file() else task.ontology
        lexicon = load_lexicon(Recipe(default_workspace_root(), ontology=ontology))
        corpus = read_task(data, task, recogniser=recogniser)
        found = list(examples_of(corpus, lexicon, task, recogniser=recogniser))
        n_mentions = sum(label for _, label in found)
        sys.stdout.write(f"{task.name}: {len(found)} candidates, {n_mentions} of them mentions\n")
        rows += [row for row, _ in found]
        labels += [label for _, label in found]
        weights += [1000 / n_mentions] * len(found)
    model = LogisticRegression(C=_REGULARISATION, fit_intercept=False, max_iter=2000)
    model.fit(np.array(rows), np.array(labels), sample_weight=np.array(weights))
    names = FEATURES if recogniser else FEATURES[:N_PLAIN_FEATURES]
    return {name: round(float(weight), 4) for name, weight in zip(names, model.coef_[0], strict=True)}


def main() -> None:
    """Fits and writes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the corpora")
    parser.add_argument("--out", type=Path, default=OUT)
    arguments = parser.parse_args()
    stored = {
        "plain": fit(arguments.data, recogniser=False),
        "recognised": fit(arguments.data, recogniser=True),
    }
    arguments.out.write_text(json.dumps(stored, indent=2) + "\n", encoding="utf-8")
    sys.stdout.write(f"{json.dumps(stored, indent=2)}\n{arguments.out}\n")


if __name__ == "__main__":
    main()

"""What medcat_corrections.py runs in MedCAT's own environment: it builds, teaches and asks MedCAT, and knows no medlink.

Usage: PYTHON medcat_inside.py TASK ANSWERS, of which medcat_corrections.py says what is in them.
"""

from __future__ import annotations

import json
import logging
import random
import resource
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy
import pandas
import spacy
from gensim.models import Word2Vec
from medcat import __version__
from medcat.cat import CAT
from medcat.cdb import CDB
from medcat.components.types import CoreComponentType
from medcat.config import Config
from medcat.model_creation.cdb_maker import CDBMaker
from medcat.preprocessors.cleaners import prepare_name
from medcat.vocab import Vocab

Row = Mapping[str, Any]

SEPARATOR = "\x1f"  # in no name, so that none is cut in two
WIDTH = 200  # of the word vectors
ALWAYS = -2.0  # a similarity threshold that lets every answer through
TEACH, ALIASES = "train", "aliases"


def make_config(settings: Row, folder: Path) -> Config:
    """MedCAT's defaults, but for its tokeniser, short names and nested mentions."""
    config = Config()
    config.general.log_level = logging.ERROR
    config.general.spell_check = settings["spell_check"]
    config.general.show_nested_entities = settings["nested"]
    if settings["tokeniser"] == "spacy":
        config.general.nlp.provider = "spacy"
        config.general.nlp.modelname = str(save_tokeniser(folder))
    config.cdb_maker.multi_separator = SEPARATOR
    config.components.ner.min_name_len = settings["min_name_len"]
    config.components.ner.upper_case_limit_len = settings["upper_case_limit_len"]
    config.components.linking.similarity_threshold = settings["similarity_threshold"]
    return config


def save_tokeniser(folder: Path) -> Path:
    """A folder with spaCy's English tokeniser and its table of lemmas, for a model that would have to be fetched."""
    nlp = spacy.blank("en")
    nlp.add_pipe("lemmatizer", config={"mode": "lookup"})
    nlp.initialize()
    path = folder / "en_lookup_lemmas"
    nlp.to_disk(path)
    return path


class MedCat:
    """A model of MedCAT's, with the ids as they were given, which it folds to capitals."""

    def __init__(self, names: Sequence[Row], texts: Sequence[str], settings: Row, folder: Path) -> None:
        self.ids = {row["id"].strip().upper(): row["id"] for row in names}
        if len(self.ids) < len(names):
            sys.exit("Two concepts' ids differ in case alone; MedCAT takes them for one.")
        self.settings = settings
        config = make_config(settings, folder)
        self.cdb: CDB = CDBMaker(config).prepare_csvs([as_table(names)])
        self.cat = CAT(cdb=self.cdb, vocab=Vocab(), config=config)
        self._fill_vocab(names, texts)

    def _fill_vocab(self, names: Sequence[Row], texts: Sequence[str]) -> None:
        """Counts and word2vec vectors of the words of texts and names."""
        every = [*texts, *(name for row in names for name in row["names"])]
        sentences = [self._words(text) for text in every]
        model = Word2Vec(sentences, vector_size=WIDTH, window=10, min_count=1, sg=1, epochs=5, workers=1, seed=0)
        counts = Counter(word for words in sentences for word in words)
        vocab = self.cat.vocab
        for word, count in counts.items():
            vocab.add_word(word, count, model.wv[word].astype(float))
        vocab.init_cumsums()

    def _words(self, text: str) -> list[str]:
        doc = self.cat.pipe.tokenizer_with_tag(text)
        return [token.base.lower for token in doc if not token.to_skip and token.base.lower.strip()]

    def read(self, texts: Iterable[str]) -> None:
        """Its training without labels."""
        self.cat.trainer.train_unsupervised(list(texts))

    def teach(self, batch: Row) -> int:
        """Its training on corrections, as MedCATtrainer exports them; how many there were."""
        export = {"projects": [self._project(batch)]}
        annotations = [one for document in export["projects"][0]["documents"] for one in document["annotations"]]
        if self.settings["learn"] == ALIASES:
            for one in annotations:
                self.cat.trainer.add_and_train_concept(one["cui"], one["value"])
        else:
            self.cat.trainer.train_supervised_raw(
                export, nepochs=self.settings["epochs"], use_filters=False, disable_progress=True
            )
        self.cdb._reset_subnames()
        return len(annotations)

    def _project(self, batch: Row) -> dict[str, Any]:
        documents = [
            {
                "id": number,
                "name": document["id"],
                "text": document["text"],
                "last_modified": "",
                "annotations": list(self._annotations(document)),
            }
            for number, document in enumerate(batch["documents"], start=1)
        ]
        return {"id": 1, "name": batch["name"], "cuis": "", "tuis": "", "documents": documents}

    def _annotations(self, document: Row) -> Iterator[dict[str, Any]]:
        """The mentions that mean a concept it has, each with the first such one."""
        for mention in document["mentions"]:
            known = [one for one in mention["concepts"] if one.strip().upper() in self.ids]
            if known:
                start, end = mention["start"], mention["end"]
                yield {
                    "start": start,
                    "end": end,
                    "value": document["text"][start:end],
                    "cui": known[0].strip().upper(),
                    "validated": True,
                    "correct": True,
                    "deleted": False,
                    "killed": False,
                    "alternative": False,
                    "manually_created": False,
                }

    def find(self, text: str) -> list[tuple[int, int, str]]:
        """What it detects and links in a text: start, end and concept."""
        return [self._place(entity) for entity in self.cat(text).linked_ents]

    def _place(self, entity: Any) -> tuple[int, int, str]:  # noqa: ANN401
        return entity.base.start_char_index, entity.base.end_char_index, self.ids[entity.cui]

    def link(self, text: str, spans: Sequence[tuple[int, int]]) -> dict[tuple[int, int], str]:
        """The concepts of given spans, of those whose words are a name that it has: its linker without its detector."""
        pipe = self.cat.pipe
        doc = pipe.tokenizer_with_tag(text)
        entities, spans_of = [], []
        for start, end in spans:
            at = [token.base.index for token in doc if start <= token.base.char_index < end]
            names = self._names(text[start:end])
            if at and names:
                entity = pipe.tokenizer.create_entity(doc, at[0], at[-1] + 1, "concept")
                entity.detected_name = names[0]
                entity.link_candidates = list(dict.fromkeys(
                    cui for name in names for cui in self.cdb.name2info[name]["per_cui_status"]
                ))
                entities.append(entity)
                spans_of.append((start, end))
        linker = pipe.get_component(CoreComponentType.linking)
        answers = {}
        for entity, span in zip(entities, spans_of, strict=True):
            if linker.predict_entities(doc, [entity]):
                answers[span] = self.ids[entity.cui]
        return answers

    def _names(self, surface: str) -> list[str]:
        config = self.cat.config
        parts = (config.general, config.preprocessing, config.cdb_maker)
        prepared = prepare_name(surface, self.cat.pipe.tokenizer_with_tag, {}, parts)
        return [name for name in prepared if name in self.cdb.name2info]


def as_table(names: Sequence[Row]) -> pandas.DataFrame:
    """The table that its CDBMaker takes; the first name of a concept is its primary one."""
    rows = [
        (row["id"], name, "P" if number == 0 else "A") for row in names for number, name in enumerate(row["names"])
    ]
    return pandas.DataFrame(rows, columns=["cui", "name", "name_status"])


def choose(start: int, end: int, found: Iterable[tuple[int, int, str]]) -> tuple[str | None, str]:
    """What was found at a span, and how: exactly there, else what overlaps it best, the first and longest of equals."""
    best = max(
        ((min(end, at_end) - max(start, at)) / (max(end, at_end) - min(start, at)), concept) for at, at_end, concept in found
    ) if found else (0.0, None)
    return best[1], ""


def measure(model: MedCat, test: Sequence[Row]) -> dict[str, Any]:
    """Its answers about the gold mentions of the test documents."""
    answers: list[dict[str, Any]] = []
    before = time.perf_counter()
    found = {document["id"]: model.find(document["text"]) for document in test}
    seconds_found = time.perf_counter() - before
    before = time.perf_counter()
    linked = {}
    for document in test:
        linked[document["id"]] = model.link(document["text"], [(m["start"], m["end"]) for m in document["mentions"]])
    seconds_given = time.perf_counter() - before
    for document in test:
        for mention in document["mentions"]:
            start, end = mention["start"], mention["end"]
            overlapping = [one for one in found[document["id"]] if one[0] < end and start < one[1]]
            exact = [one for one in overlapping if one[:2] == (start, end)]
            best = exact or sorted(overlapping, key=lambda one: -overlap(one, start, end))
            there = best[0][2] if best else None
            given = linked[document["id"]].get((start, end))
            answers.append({"doc_id": document["id"], "start": start, "end": end, "found": there, "exact": bool(exact), "given": given or there, "known": given is not None})
    return {"answers": answers, "seconds_found": seconds_found, "seconds_given": seconds_given}


def overlap(one: tuple[int, int, str], start: int, end: int) -> float:
    return (min(one[1], end) - max(one[0], start)) / (max(one[1], end) - min(one[0], start))


def main() -> None:
    """Builds, teaches batch by batch and asks after each."""
    task = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    settings = {"spell_check": True, "nested": True, "tokeniser": "spacy", "min_name_len": 3, "upper_case_limit_len": 4, "similarity_threshold": 0.25, "learn": TEACH, "epochs": 1, "self_supervised": True, **task.get("settings", {}), **json.loads(sys.argv[3] if len(sys.argv) > 3 else "{}")}
    random.seed(0)
    numpy.random.seed(0)
    logging.disable(logging.ERROR)
    with tempfile.TemporaryDirectory() as folder:
        t = time.perf_counter()
        model = MedCat(task["names"], task["texts"], settings, Path(folder))
        print("built", time.perf_counter() - t, flush=True)
        t = time.perf_counter()
        if settings["self_supervised"]:
            model.read(task["texts"])
        print("read", time.perf_counter() - t, flush=True)
        gold = {(d["id"], m["start"], m["end"]): set(m["concepts"]) for d in task["test"] for m in d["mentions"]}

        def show(name):
            r = measure(model, task["test"])
            n = len(gold)
            f = sum(a["found"] in gold[a["doc_id"], a["start"], a["end"]] for a in r["answers"])
            g = sum(a["given"] in gold[a["doc_id"], a["start"], a["end"]] for a in r["answers"])
            none = sum(a["given"] is None for a in r["answers"])
            print(name, n, f"found {f/n:.4f} given {g/n:.4f} none {none}", f"{r['seconds_found']:.1f} {r['seconds_given']:.1f}", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024, flush=True)

        show("none")
        for batch in task["batches"]:
            t = time.perf_counter()
            n = model.teach(batch)
            print("taught", n, time.perf_counter() - t)
            show(batch["name"])


if __name__ == "__main__":
    main()

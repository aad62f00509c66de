"""MedCAT v2 with a concept database of given names: taught, asked what it finds, and asked what given spans mean.

All of it is MedCAT's own but for three things that would have to be fetched or that it has no call for. Its tokeniser
is spaCy's for English with spaCy's table of lemmas, in place of a model with a tagger. Its vocabulary has word2vec
vectors of the words of the names and of texts that nobody annotated, in place of one made from a large corpus. Given
spans reach its linker with what its dictionary has for their words.
"""

from __future__ import annotations

import json
import logging
import random
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy
import pandas
import spacy
from gensim.models import Word2Vec
from medcat.cat import CAT
from medcat.cdb import CDB
from medcat.components.types import CoreComponentType
from medcat.config import Config
from medcat.model_creation.cdb_maker import CDBMaker
from medcat.preprocessors.cleaners import prepare_name
from medcat.vocab import Vocab

Row = Mapping[str, Any]
Place = tuple[int, int]
Found = tuple[int, int, str]

SEPARATOR = "\x1f"  # in no name, so that none is cut in two
SEED = 0

_PACK, _IDS = "pack", "ids.json"


@dataclass(frozen=True, slots=True)
class Settings:
    """What differs from MedCAT's defaults; what each is worth to it was measured on NCBI Disease, train to dev.

    :param tokeniser: ``spacy``, or ``regex``, its default, which has no lemmas: a point or two of accuracy.
    :param min_name_len: of names that it detects, in characters, and
    :param upper_case_limit_len: below which names count in capitals alone; its defaults, 3 and 4, cost it eight points.
    :param similarity_threshold: contexts less alike give no answer, below -1 every answer counts; 0.25, its default,
        costs it a link in a thousand.
    :param nested: whether it also says what lies inside a longer mention.
    :param width: of the word vectors.
    """

    tokeniser: str = "spacy"
    min_name_len: int = 2
    upper_case_limit_len: int = 2
    similarity_threshold: float = -2.0
    nested: bool = True
    spell_check: bool = True
    width: int = 200


class MedCat:
    """A model of MedCAT's; ids are those given, which it folds to capitals inside.

    :param ids: the concepts' ids as they were given, by those that MedCAT knows.
    """

    def __init__(self, cat: CAT, ids: Mapping[str, str]) -> None:
        logging.disable(logging.ERROR)
        random.seed(SEED)
        numpy.random.seed(SEED)  # noqa: NPY002 - MedCAT draws from it
        self.cat = cat
        self._cdb: CDB = cat.cdb
        self._ids = ids

    @classmethod
    def build(cls, names: Sequence[Row], texts: Sequence[str], settings: Settings, folder: Path) -> Self:
        """A model of given names, which knows no context yet.

        :param names: rows of ``id`` and ``names``, the first of which is the primary one.
        :param texts: of which the vocabulary is made besides the names.
        :param folder: for its tokeniser.
        """
        logging.disable(logging.ERROR)
        ids = {_fold(row["id"]): str(row["id"]) for row in names}
        if len(ids) < len(names):
            sys.exit("Two concepts' ids differ in case alone; MedCAT takes them for one.")
        config = _make_config(settings, folder)
        cdb = CDBMaker(config).prepare_csvs([_as_table(names)])
        model = cls(CAT(cdb=cdb, vocab=Vocab(), config=config), ids)
        model._fill_vocab([*texts, *(name for row in names for name in row["names"])], settings.width)
        return model

    @classmethod
    def load(cls, folder: Path) -> Self:
        """The model that :meth:`save` left."""
        cat = CAT.load_model_pack(str(folder / _PACK))
        return cls(cat, json.loads((folder / _IDS).read_text(encoding="utf-8")))

    def save(self, folder: Path) -> None:
        """Writes it as a model pack, as MedCAT calls it."""
        self.cat.save_model_pack(str(folder), pack_name=_PACK, make_archive=False, add_hash_to_pack_name=False)
        (folder / _IDS).write_text(json.dumps(self._ids), encoding="utf-8")

    def _fill_vocab(self, texts: Iterable[str], width: int) -> None:
        sentences = [self._words(text) for text in texts]
        model = Word2Vec(sentences, vector_size=width, window=10, min_count=1, sg=1, epochs=5, workers=1, seed=SEED)
        for word, count in Counter(word for words in sentences for word in words).items():
            self.cat.vocab.add_word(word, count, model.wv[word].astype(float))
        self.cat.vocab.init_cumsums()

    def _words(self, text: str) -> list[str]:
        doc = self.cat.pipe.tokenizer_with_tag(text)
        return [token.base.lower for token in doc if not token.to_skip and token.base.lower.strip()]

    def knows(self, concept: str) -> bool:
        """Whether it has the concept."""
        return _fold(concept) in self._ids

    def read(self, texts: Iterable[str]) -> None:
        """Its training without labels: contexts of the names that only one concept bears."""
        self.cat.trainer.train_unsupervised(list(texts))

    def teach(self, export: Mapping[str, Any], epochs: int = 1) -> None:
        """Its training on what MedCATtrainer exports: its ``train_supervised_raw``."""
        self.cat.trainer.train_supervised_raw(export, nepochs=epochs, disable_progress=True)
        self._cdb._reset_subnames()

    def add_names(self, export: Mapping[str, Any]) -> None:
        """The wordings alone of what MedCATtrainer exports, as names of their concepts."""
        for project in export["projects"]:
            for document in project["documents"]:
                for one in document["annotations"]:
                    self.cat.trainer.add_and_train_concept(one["cui"], one["value"])
        self._cdb._reset_subnames()

    def find(self, text: str) -> list[Found]:
        """Start, end and concept of what it detects and links."""
        found = self.cat(text).linked_ents
        return [(one.base.start_char_index, one.base.end_char_index, self._ids[one.cui]) for one in found]

    def link(self, text: str, spans: Iterable[Place]) -> dict[Place, str]:
        """The concepts of given spans, those whose words are no name of its left out: its linker, not its detector."""
        doc = self.cat.pipe.tokenizer_with_tag(text)
        linker = self.cat.pipe.get_component(CoreComponentType.linking)
        answers = {}
        for start, end in spans:
            entity = self._entity(doc, start, end, self._known_names(text[start:end]))
            if entity is not None and linker.predict_entities(doc, [entity]):
                answers[start, end] = self._ids[entity.cui]
        return answers

    def _entity(self, doc: Any, start: int, end: int, names: Sequence[str]) -> Any:  # noqa: ANN401
        tokens = [token.base.index for token in doc if start <= token.base.char_index < end]
        if not tokens or not names:
            return None
        entity = self.cat.pipe.tokenizer.create_entity(doc, tokens[0], tokens[-1] + 1, "concept")
        entity.detected_name = names[0]
        candidates = (cui for name in names for cui in self._cdb.name2info[name]["per_cui_status"])
        entity.link_candidates = list(dict.fromkeys(candidates))
        return entity

    def _known_names(self, surface: str) -> list[str]:
        config = self.cat.config
        parts = (config.general, config.preprocessing, config.cdb_maker)
        prepared = prepare_name(surface, self.cat.pipe.tokenizer_with_tag, {}, parts)
        return [name for name in prepared if name in self._cdb.name2info]


def export_of(name: str, documents: Iterable[Row], model: MedCat) -> dict[str, Any]:
    """Documents with mentions, as MedCATtrainer exports them.

    A mention goes with the first of its concepts that the model has, and is left out where it has none of them:
    MedCAT has no word for a mention without a concept, and what is marked as deleted it would learn as right.
    """
    rows = [
        {"id": number, "name": document["id"], "text": document["text"], "last_modified": ""}
        | {"annotations": list(_annotations(document, model))}
        for number, document in enumerate(documents, start=1)
    ]
    return {"projects": [{"id": 1, "name": name, "cuis": "", "tuis": "", "documents": rows}]}


def _annotations(document: Row, model: MedCat) -> Iterator[dict[str, Any]]:
    flags = ("deleted", "alternative", "killed", "irrelevant", "manually_created")
    for mention in document["mentions"]:
        known = next((one for one in mention["concepts"] if model.knows(one)), None)
        if known is not None:
            start, end = mention["start"], mention["end"]
            yield {
                "start": start,
                "end": end,
                "value": document["text"][start:end],
                "cui": _fold(known),
                "validated": True,
                "correct": True,
                **dict.fromkeys(flags, False),
            }


def _make_config(settings: Settings, folder: Path) -> Config:
    config = Config()
    config.general.log_level = logging.ERROR
    config.general.spell_check = settings.spell_check
    config.general.show_nested_entities = settings.nested
    config.general.nlp.provider = settings.tokeniser
    if settings.tokeniser == "spacy":
        config.general.nlp.modelname = str(_save_tokeniser(folder))
    config.cdb_maker.multi_separator = SEPARATOR
    config.components.ner.min_name_len = settings.min_name_len
    config.components.ner.upper_case_limit_len = settings.upper_case_limit_len
    config.components.linking.similarity_threshold = settings.similarity_threshold
    return config


def _save_tokeniser(folder: Path) -> Path:
    nlp = spacy.blank("en")
    nlp.add_pipe("lemmatizer", config={"mode": "lookup"})
    nlp.initialize()
    path = folder / "en_lookup_lemmas"
    nlp.to_disk(path)
    return path


def _as_table(names: Sequence[Row]) -> pandas.DataFrame:
    rows = [(row["id"], name, "P" if number == 0 else "A") for row in names for number, name in enumerate(row["names"])]
    return pandas.DataFrame(rows, columns=["cui", "name", "name_status"])


def _fold(concept: str) -> str:
    return concept.strip().upper()

"""The spaCy pipeline that finds the mentions of a note."""

from __future__ import annotations

import re
import sys
from typing import Any

import spacy
from spacy.language import Language

from medlink.detection.dictionary import DictionaryDetector
from medlink.detection.settings import DetectionSettings
from medlink.errors import SettingError
from medlink.ontology.lexicon import Lexicon
from medlink.text import WORD

# The components are known to spaCy by the names in pyproject.toml; importing them here makes them known in a checkout.
from medlink.detection import abbreviations, assertion, sections, sentences  # noqa: F401  isort: skip

# A token is a word of medlink.text, or one other character.
_TOKEN = re.compile(rf"{WORD.pattern}|[\s\S]")


def tokenise_by_words(nlp: Language) -> None:
    """Make the tokens of a pipeline the words of :func:`medlink.text.tokenise` and single other characters.

    Every mention found in a text is then a run of whole tokens.
    """
    tokenizer: Any = nlp.tokenizer
    tokenizer.rules = {}
    tokenizer.prefix_search = tokenizer.suffix_search = tokenizer.token_match = tokenizer.url_match = None
    tokenizer.infix_finditer = _TOKEN.finditer


def build_detector(lexicon: Lexicon, *, settings: DetectionSettings) -> Language:
    """A spaCy pipeline that finds mentions, expands the abbreviations that a note defines, and says in
    which section each stands and what the note says about it.

    The mentions are in ``doc.ents``, with ``settings.nested`` also in ``doc.spans["medlink"]``;
    :func:`medlink.detection.mentions.mentions_of` reads them. Notes may have any length.

    :param lexicon: whose names are the mentions, unless ``settings.ner`` names another recogniser.
    :raises SettingError: when spaCy cannot load ``settings.ner``.
    """
    nlp = _blank(lexicon, nested=settings.nested) if settings.ner is None else _load(settings.ner)
    nlp.max_length = sys.maxsize
    for name in ("medlink_abbreviations", "medlink_sections", "medlink_assertion"):
        if name not in nlp.pipe_names:
            nlp.add_pipe(name)
    return nlp


def _blank(lexicon: Lexicon, *, nested: bool) -> Language:
    nlp = spacy.blank("en")
    tokenise_by_words(nlp)
    nlp.add_pipe("medlink_sentences")
    dictionary = nlp.add_pipe("medlink_dictionary", config={"nested": nested})
    if isinstance(dictionary, DictionaryDetector):
        dictionary.lexicon = lexicon
    return nlp


def _load(ner: str) -> Language:
    try:
        nlp = spacy.load(ner)
    except OSError as error:
        raise SettingError(
            "spaCy cannot load this pipeline",
            where="ner",
            expected="the name of an installed spaCy pipeline, or the path of a saved one",
            got=repr(ner),
            hint="Install it first; nothing is downloaded",
        ) from error
    if not any("token.is_sent_start" in nlp.get_pipe_meta(name).assigns for name in nlp.pipe_names):
        nlp.add_pipe("medlink_sentences", first=True)
    return nlp

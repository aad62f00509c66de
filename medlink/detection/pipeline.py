"""The spaCy pipeline that finds the mentions of a note."""

from __future__ import annotations

import sys

import spacy
from spacy.language import Language

from medlink.detection.detector import MentionDetector
from medlink.detection.settings import DEFAULT_NER, DetectionSettings
from medlink.detection.tokens import tokenise_by_words
from medlink.errors import SettingError
from medlink.ontology.lexicon import Lexicon

# The components are known to spaCy by the names in pyproject.toml; importing them here makes them known in a checkout.
from medlink.detection import abbreviations, assertion, dictionary, recogniser, sections, sentences  # noqa: F401  isort: skip


def build_detector(lexicon: Lexicon, *, settings: DetectionSettings) -> Language:
    """A spaCy pipeline that finds mentions, expands the abbreviations that a note defines, and says in
    which section each stands and what the note says about it.

    The mentions are in ``doc.ents``, with ``settings.nested`` also in ``doc.spans["medlink"]``;
    :func:`medlink.detection.mentions.mentions_of` reads them. Notes may have any length.

    :param lexicon: whose names are the mentions, unless ``settings.ner`` names another recogniser.
    :raises SettingError: when spaCy cannot load ``settings.ner``.
    """
    nlp = _blank(lexicon, settings) if settings.ner in (None, DEFAULT_NER) else _load(settings.ner)
    nlp.max_length = sys.maxsize
    for name in ("medlink_abbreviations", "medlink_sections", "medlink_assertion"):
        if name not in nlp.pipe_names:
            nlp.add_pipe(name)
    return nlp


def _blank(lexicon: Lexicon, settings: DetectionSettings) -> Language:
    nlp = spacy.blank("en")
    tokenise_by_words(nlp)
    nlp.add_pipe("medlink_sentences")
    config = {
        "nested": settings.nested,
        "keep": settings.keep,
        "recogniser": settings.ner == DEFAULT_NER,
        "style": settings.style,
    }
    detector = nlp.add_pipe("medlink_detector", config=config)
    if isinstance(detector, MentionDetector):
        detector.lexicon = lexicon
    return nlp


def _load(ner: str | None) -> Language:
    try:
        nlp = spacy.load(str(ner))
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

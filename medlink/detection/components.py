"""The steps of detection as functions on a ``Doc``, for a pipeline of somebody else's."""

from __future__ import annotations

from collections.abc import Callable

from spacy.language import Language
from spacy.tokens import Doc

from medlink.detection.abbreviations import AbbreviationExpander
from medlink.detection.assertion import AssertionMarker
from medlink.detection.attributes import SPANS_KEY
from medlink.detection.detector import MentionDetector
from medlink.detection.sections import SectionMarker
from medlink.detection.settings import DEFAULT_KEEP
from medlink.ontology.lexicon import Lexicon


def detection_components(nlp: Language, lexicon: Lexicon) -> tuple[Callable[[Doc], Doc], ...]:
    """What finds the lexicon's names in a doc, expands its abbreviations, marks sections and assertion, in order.

    :param nlp: the pipeline whose docs they will see.
    """
    detector = MentionDetector(
        lexicon_folder=None, nested=False, spans_key=SPANS_KEY, keep=DEFAULT_KEEP, recogniser=False
    )
    detector.lexicon = lexicon
    return (
        detector,
        AbbreviationExpander(nlp, spans_key=SPANS_KEY),
        SectionMarker(spans_key=SPANS_KEY),
        AssertionMarker(spans_key=SPANS_KEY),
    )

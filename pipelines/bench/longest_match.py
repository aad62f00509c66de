"""The plainest rival: the longest stretches of words that are a name, capitals aside, by spaCy's phrase matcher."""

from __future__ import annotations

from collections.abc import Iterator

import spacy
from spacy.matcher import PhraseMatcher
from spacy.util import filter_spans

from medlink.evaluation.annotations import Annotation
from medlink.ontology.lexicon import Lexicon
from medlink.records import Document

_SHORTEST = 3


class LongestMatch:
    """Every name of at least three characters as the ontology writes it; a homonym means its most trusted bearer.

    :param lexicon: whose names are found.
    """

    def __init__(self, lexicon: Lexicon) -> None:
        self._lexicon = lexicon
        self._nlp = spacy.blank("en")
        self._matcher = PhraseMatcher(self._nlp.vocab, attr="LOWER")
        names = {name.text for concept in lexicon.concepts.values() for name in concept.names}
        self._matcher.add("name", [self._nlp.make_doc(name) for name in sorted(names) if len(name) >= _SHORTEST])

    def annotate(self, document: Document) -> Iterator[Annotation]:
        """What it finds in a document."""
        for span in filter_spans(self._matcher(self._nlp.make_doc(document.text), as_spans=True)):
            bearers = self._lexicon.lookup(span.text)
            if bearers:
                concepts = frozenset({bearers[0].concept_id})
                yield Annotation(document.id, span.start_char, span.end_char, span.text, concepts)

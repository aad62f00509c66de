"""Assertion: which mentions a note denies, doubts, or tells of the past, of a condition, or of a relative."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from spacy.language import Language
from spacy.tokens import Doc, Span

from medlink.detection.assertion_kinds import FAMILY, HISTORICAL, HYPOTHETICAL, UNCERTAIN
from medlink.detection.assertion_scopes import assert_findings
from medlink.detection.attributes import SPANS_KEY, register_attributes
from medlink.detection.sentences import mark_sentences
from medlink.records import Assertion

EVIDENCE: dict[str, tuple[str, ...]] = {
    "family history": (FAMILY,),
    "past medical history": (HISTORICAL,),
    "past surgical history": (HISTORICAL,),
    "past psychiatric history": (HISTORICAL,),
    "differential diagnosis": (UNCERTAIN,),
    "return precautions": (HYPOTHETICAL,),
    "risks": (HYPOTHETICAL,),
}
"""What a section says about the findings that stand in it, unless its sentence says otherwise."""


class AssertionMarker:
    """A spaCy component that sets ``span._.medlink_assertion`` of the mentions about which the note says more.

    It looks at ``doc.ents`` and at the span group, sentence by sentence; a doc without sentences gets those of
    :func:`medlink.detection.sentences.mark_sentences`. Where ``medlink_sections`` has been over the doc, sections
    count as :data:`EVIDENCE` says. Labels that others have set stay.

    :param spans_key: the span group with further mentions, where the doc has it.
    """

    def __init__(self, *, spans_key: str) -> None:
        register_attributes()
        self.spans_key = spans_key

    def __call__(self, doc: Doc) -> Doc:
        """The doc with its mentions marked."""
        if not doc.has_annotation("SENT_START"):
            mark_sentences(doc)
        mentions = sorted((*doc.ents, *doc.spans.get(self.spans_key, ())), key=lambda span: span.start)
        text, place = doc.text, 0
        for sentence in doc.sents:
            begin = place
            while place < len(mentions) and mentions[place].start < sentence.end:
                place += 1
            for section, holders in groupby(mentions[begin:place], key=lambda span: span._.medlink_section):
                self._mark(text, sentence, list(holders), evidence=EVIDENCE.get(section, ()))
        return doc

    @staticmethod
    def _mark(text: str, sentence: Span, mentions: Sequence[Span], *, evidence: tuple[str, ...]) -> None:
        findings = [(mention.start_char, mention.end_char) for mention in mentions]
        bounds = (sentence.start_char, sentence.end_char)
        found = assert_findings(text, findings, bounds, evidence=evidence)
        for mention, finding in zip(mentions, findings, strict=True):
            labels = {*found[finding].labels, *mention._.medlink_assertion}
            mention._.medlink_assertion = Assertion(**dict.fromkeys(labels, True)).labels


@Language.factory(
    "medlink_assertion",
    requires=["doc.ents"],
    assigns=["span._.medlink_assertion"],
    default_config={"spans_key": SPANS_KEY},
)
def make_assertion(nlp: Language, name: str, spans_key: str) -> AssertionMarker:
    """The assertion component; see :class:`AssertionMarker`."""
    return AssertionMarker(spans_key=spans_key)

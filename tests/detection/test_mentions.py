from __future__ import annotations

import pickle

import pytest
import spacy
from spacy.language import Language
from spacy.tokens import Doc, DocBin, Span, SpanGroup

from medlink.detection.mentions import mentions_of
from medlink.records import Assertion, Mention


def test_mentions_of_reads_everything(detector: Language) -> None:
    text = "Note 1.\r\n\r\nNo chest\u00a0pain 🙂.  A short PR interval (SPR)."
    sentence, definition = (11, 27), (29, len(text))
    assert mentions_of(detector(text), "d") == (
        Mention("d", 14, 24, "chest\u00a0pain", sentence=sentence, assertion=Assertion(negated=True)),
        Mention("d", 31, 48, "short PR interval", sentence=definition),
        Mention("d", 50, 53, "SPR", expanded="short PR interval", sentence=definition),
    )


@pytest.mark.parametrize("text", ["", "\n", "nothing here"])
def test_mentions_of_a_doc_without_mentions_is_empty(detector: Language, text: str) -> None:
    assert mentions_of(detector(text), "d") == ()


def test_mentions_of_reads_the_span_group(nested_detector: Language) -> None:
    doc = nested_detector("No chest pain. Fever")
    mentions = mentions_of(doc, "d", spans_key="medlink")
    assert [(mention.surface, mention.assertion.negated) for mention in mentions] == [
        ("chest pain", True),
        ("pain", True),
        ("Fever", False),
    ]
    assert [mention.surface for mention in mentions_of(doc, "d")] == ["chest pain", "Fever"]


def test_mentions_of_a_missing_span_group_is_empty(detector: Language) -> None:
    assert mentions_of(detector("fever"), "d", spans_key="medlink") == ()


def test_mentions_of_orders_spans_and_takes_each_once() -> None:
    doc = Doc(spacy.blank("en").vocab, words=["chest", "pain", "now"])
    spans = [Span(doc, 1, 2, label="B"), Span(doc, 0, 2, label="A"), Span(doc, 0, 1), Span(doc, 1, 2, label="C")]
    doc.spans["any"] = SpanGroup(doc, spans=spans)
    mentions = mentions_of(doc, "d", spans_key="any")
    assert [(mention.surface, mention.label) for mention in mentions] == [
        ("chest", ""),
        ("chest pain", "A"),
        ("pain", "B"),
    ]


def test_mentions_of_a_doc_without_sentences_takes_the_whole_text() -> None:
    doc = Doc(spacy.blank("en").vocab, words=["chest", "pain"])
    doc.ents = [Span(doc, 1, 2, label="X")]
    (mention,) = mentions_of(doc, "d")
    assert mention.sentence == (0, len("chest pain"))


def test_mentions_of_survives_pickle_and_docbin(detector: Language) -> None:
    doc = detector("No short PR interval (SPR). No fever.")
    expected = mentions_of(doc, "d")
    packed = DocBin(docs=[doc], store_user_data=True).to_bytes()
    (restored,) = DocBin().from_bytes(packed).get_docs(detector.vocab)
    assert len(expected) == 3
    assert mentions_of(restored, "d") == expected
    assert mentions_of(pickle.loads(pickle.dumps(doc)), "d") == expected  # noqa: S301

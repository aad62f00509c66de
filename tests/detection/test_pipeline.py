from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import spacy
from hypothesis import given, settings
from hypothesis import strategies as st
from spacy.language import Language
from spacy.pipeline import EntityRuler

from medlink.detection.mentions import mentions_of
from medlink.detection.pipeline import build_detector
from medlink.detection.settings import DetectionSettings
from medlink.detection.tokens import tokenise_by_words
from medlink.errors import SettingError
from medlink.ontology.lexicon import Lexicon
from medlink.text import tokenise

TEXTS = [
    "A short PR interval (SPR).\r\nNo chest pain, fever or cough.\r\n\r\nSPR again.",
    "",
    "FAMILY HISTORY: seizures. Denies headache but has rash.",
]
WORDS = spacy.blank("en")
tokenise_by_words(WORDS)


def _summary(nlp: Language, text: str) -> list[tuple[str, str, bool]]:
    return [(mention.surface, mention.expanded, mention.assertion.negated) for mention in mentions_of(nlp(text), "d")]


def test_build_detector_does_it_all(detector: Language) -> None:
    assert _summary(detector, TEXTS[0]) == [
        ("short PR interval", "", False),
        ("SPR", "short PR interval", False),
        ("chest pain", "", True),
        ("fever", "", True),
        ("cough", "", True),
        ("SPR", "short PR interval", False),
    ]
    assert [sent.text for sent in detector(TEXTS[2]).sents] == [
        "FAMILY HISTORY: seizures.",
        "Denies headache but has rash.",
    ]


def test_build_detector_needs_no_more_than_the_text(detector: Language) -> None:
    alone = [mentions_of(detector(text), "d") for text in TEXTS]
    assert [mentions_of(doc, "d") for doc in detector.pipe(reversed(TEXTS), batch_size=2)] == alone[::-1]


def test_build_detector_works_in_several_processes(detector: Language) -> None:
    alone = [mentions_of(detector(text), "d") for text in TEXTS]
    assert [mentions_of(doc, "d") for doc in detector.pipe(TEXTS, n_process=2, batch_size=1)] == alone


@given(st.text(max_size=120))
@settings(max_examples=300)
def test_tokenise_by_words_makes_every_word_a_token(text: str) -> None:
    doc = WORDS(text)
    tokens = {(token.idx, token.idx + len(token)) for token in doc}
    assert doc.text == text
    assert {(token.start, token.end) for token in tokenise(text)} <= tokens


@given(st.text(alphabet=st.sampled_from("aé\u0301\u0328'_-.(s3 \u00a0\u2009\r\n\t🙂\u200d❤\ufe0fﬁ½"), max_size=60))
@settings(max_examples=300)
def test_tokenise_by_words_makes_every_word_a_token_among_odd_characters(text: str) -> None:
    tokens = {(token.idx, token.idx + len(token)) for token in WORDS(text)}
    assert {(token.start, token.end) for token in tokenise(text)} <= tokens


@pytest.mark.slow
def test_build_detector_takes_a_note_of_more_than_a_million_characters(detector: Language) -> None:
    text = "No fever 🙂.\r\n" * 90_000 + "chest pain"
    doc = detector(text)
    assert len(text) > 1_000_000
    assert text[doc.ents[-1].start_char :] == "chest pain"
    assert len(doc.ents) == 90_001


def _save_recogniser(folder: Path) -> str:
    nlp = spacy.blank("en")
    ruler = nlp.add_pipe("entity_ruler")
    assert isinstance(ruler, EntityRuler)
    ruler.add_patterns([{"label": "DISEASE", "pattern": name} for name in ("gouty arthritis", "lupus")])
    nlp.to_disk(folder)
    return str(folder)


def test_build_detector_takes_the_mentions_of_another_recogniser(lexicon: Lexicon, tmp_path: Path) -> None:
    nlp = build_detector(lexicon, settings=DetectionSettings(ner=_save_recogniser(tmp_path)))
    mentions = mentions_of(nlp("Fever. Denies gouty arthritis (GA). Has lupus, GA."), "d")
    assert [(m.surface, m.expanded, m.assertion.negated, m.label) for m in mentions] == [
        ("gouty arthritis", "", True, "DISEASE"),
        ("GA", "gouty arthritis", True, "DISEASE"),
        ("lupus", "", False, "DISEASE"),
        ("GA", "gouty arthritis", False, "DISEASE"),
    ]
    assert mentions[-1].sentence == (36, 50)


def test_build_detector_keeps_the_sentences_of_another_recogniser(lexicon: Lexicon, tmp_path: Path) -> None:
    nlp = spacy.load(_save_recogniser(tmp_path / "plain"))
    nlp.add_pipe("sentencizer", config={"punct_chars": ["|"]})
    nlp.to_disk(tmp_path / "with sentences")
    detector = build_detector(lexicon, settings=DetectionSettings(ner=str(tmp_path / "with sentences")))
    assert [sent.text for sent in detector("No lupus. More | here").sents] == ["No lupus. More |", "here"]


def test_build_detector_names_a_recogniser_that_cannot_be_loaded(lexicon: Lexicon) -> None:
    with pytest.raises(SettingError, match="'en_missing_model'"):
        build_detector(lexicon, settings=DetectionSettings(ner="en_missing_model"))


def test_build_detector_takes_a_saved_detector_as_recogniser(
    lexicon: Lexicon, detector: Language, tmp_path: Path
) -> None:
    detector.to_disk(tmp_path)
    again = build_detector(lexicon, settings=DetectionSettings(ner=str(tmp_path)))
    assert [_summary(again, text) for text in TEXTS] == [_summary(detector, text) for text in TEXTS]


_IN_A_FRESH_PROCESS = """
import sys, medlink.detection.pipeline, spacy
from medlink.detection.mentions import mentions_of
mentions = mentions_of(spacy.load(sys.argv[1])("No short PR interval (SPR)"), "d")
sys.stdout.write(repr([(m.surface, m.expanded, m.assertion.negated) for m in mentions]))
"""


@pytest.mark.slow
def test_a_saved_detector_works_in_a_fresh_process(detector: Language, tmp_path: Path) -> None:
    detector.to_disk(tmp_path)
    done = subprocess.run(
        [sys.executable, "-c", _IN_A_FRESH_PROCESS, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[('short PR interval', '', True), ('SPR', 'short PR interval', True)]"

from __future__ import annotations

from pathlib import Path

import pytest
import spacy
from spacy.language import Language
from spacy.tokens import Doc

from medlink.detection.detector import MentionDetector, labels_of
from medlink.detection.recogniser import load_recogniser
from medlink.detection.tokens import tokenise_by_words
from medlink.ontology.persistence import write_lexicon
from tests.detection.lexicons import lexicon_with

LEXICON = lexicon_with(
    {"T:1": ["Renal agenesis"], "T:2": ["Renal hypoplasia"], "T:3": ["Hypoplasia"], "T:4": ["Arthrogryposis"]}
)
TEXT = "Renal hypoplasia and agenesis; arthrogryphosis, no plan."


def _pipeline(**config: object) -> Language:
    nlp = spacy.blank("en")
    tokenise_by_words(nlp)
    detector = nlp.add_pipe("medlink_detector", config=config)
    assert isinstance(detector, MentionDetector)
    detector.lexicon = LEXICON
    return nlp


def _ents(doc: Doc) -> list[tuple[str, str]]:
    return [(ent.text, ent._.medlink_expanded) for ent in doc.ents]


def test_mentions_have_the_name_that_they_are_read_as_and_a_probability() -> None:
    doc = _pipeline()(TEXT)
    assert _ents(doc) == [
        ("Renal hypoplasia", ""),
        ("agenesis", "Renal agenesis"),
        ("arthrogryphosis", "Arthrogryposis"),
    ]
    assert all(0 < ent._.medlink_detection < 1 for ent in doc.ents)


def test_nested_mentions_reach_over_their_enumeration() -> None:
    doc = _pipeline(nested=True)(TEXT)
    assert [span.text for span in doc.spans["medlink"]] == [
        "Renal hypoplasia",
        "Renal hypoplasia and agenesis",
        "hypoplasia",
        "arthrogryphosis",
    ]


def test_a_higher_bar_keeps_less() -> None:
    kept = [len(_pipeline(keep=keep)(TEXT).ents) for keep in (0.01, 0.75, 0.999)]
    assert kept == [3, 1, 0]


def test_entities_that_are_there_stay() -> None:
    nlp = _pipeline()
    ruler = nlp.add_pipe("entity_ruler", first=True)
    ruler.add_patterns([{"label": "X", "pattern": "hypoplasia"}])  # type: ignore[attr-defined]
    assert [(ent.text, ent.label_) for ent in nlp("renal hypoplasia").ents] == [("hypoplasia", "X")]


def test_the_lexicon_comes_from_a_folder_and_goes_with_the_pipeline(tmp_path: Path) -> None:
    write_lexicon(LEXICON, tmp_path / "lexicon")
    nlp = spacy.blank("en")
    nlp.add_pipe("medlink_detector", config={"lexicon": str(tmp_path / "lexicon")})
    again = spacy.blank("en")
    again.add_pipe("medlink_detector")
    again.from_bytes(nlp.to_bytes())
    assert _ents(again("renal hypoplasia/agenesis")) == _ents(nlp("renal hypoplasia/agenesis"))


@pytest.mark.parametrize("text", ["", " \r\n", "\u200b", "a\u0301 \U0001f9ea, and/or " * 20])
def test_odd_texts_have_no_mentions(text: str) -> None:
    assert _pipeline()(text).ents == ()


@pytest.mark.slow
def test_the_recogniser_finds_what_no_name_says() -> None:
    doc = _pipeline(recogniser=True)("She had seizures, myocarditis and renal hypoplasia.")
    assert {ent.text: ent.label_ for ent in doc.ents} == {
        "seizures": "Disease",
        "myocarditis": "Disease",
        "renal hypoplasia": "Disease",
    }


@pytest.mark.slow
def test_a_lexicon_has_the_labels_of_its_names() -> None:
    recogniser = load_recogniser()
    drugs = lexicon_with({f"T:{n}": [name] for n, name in enumerate(["Aspirin", "Ibuprofen", "Lithium", "Dopamine"])})
    assert labels_of(LEXICON, recogniser) == {"Disease"}
    assert labels_of(drugs, recogniser) == {"Chemical"}

from __future__ import annotations

import time
from itertools import pairwise

import pytest
import spacy
from hypothesis import given
from hypothesis import strategies as st
from spacy.tokens import Doc

from medlink.detection.sentences import mark_sentences, sentence_starts

WRAPPED = (
    "The patient is a forty-year-old teacher with a long history of\n"
    "Marfan syndrome who was seen in our clinic for a follow-up visit\n"
    "because of chest pain."
)


def _sentences(text: str) -> list[str]:
    return [text[start:end].strip() for start, end in pairwise([*sentence_starts(text), len(text)])]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("", [], id="empty"),
        pytest.param(" \r\n\t ", [], id="blank"),
        pytest.param("No fever", ["No fever"], id="no stop"),
        pytest.param("No fever. Cough.", ["No fever.", "Cough."], id="full stop"),
        pytest.param("Fever? No. Cough!", ["Fever?", "No.", "Cough!"], id="question"),
        pytest.param("no fever. cough since may", ["no fever.", "cough since may"], id="lower case"),
        pytest.param("Seen by Dr. Poe.", ["Seen by Dr. Poe."], id="title"),
        pytest.param("Migraine vs. Epilepsy", ["Migraine vs. Epilepsy"], id="versus"),
        pytest.param("Triggers, e.g. Cheese", ["Triggers, e.g. Cheese"], id="e.g."),
        pytest.param("Aspirin b.i.d. Stable", ["Aspirin b.i.d. Stable"], id="dotted"),
        pytest.param("HbA1c 6.5 today", ["HbA1c 6.5 today"], id="decimal"),
        pytest.param("Fever of 39. Cough", ["Fever of 39.", "Cough"], id="number at the end"),
        pytest.param("1. Asthma", ["1. Asthma"], id="list number"),
        pytest.param("Case no. 5", ["Case no. 5"], id="number sign"),
        pytest.param('He said "no." Then left.', ['He said "no."', "Then left."], id="quotation"),
        pytest.param("No fever\n\ncough", ["No fever", "cough"], id="blank line"),
        pytest.param("No fever\r\n\r\ncough", ["No fever", "cough"], id="Windows blank line"),
        pytest.param("No:\n- fever\n- cough", ["No:", "- fever", "- cough"], id="list"),
        pytest.param("1) fever\n2) cough", ["1) fever", "2) cough"], id="numbered list"),
        pytest.param("No fever\nHypertension", ["No fever", "Hypertension"], id="short lines"),
        pytest.param("no fever or\nchills", ["no fever or\nchills"], id="goes on in lower case"),
        pytest.param(WRAPPED, [WRAPPED], id="wrapped prose"),
        pytest.param("No fever\nLungs: clear", ["No fever", "Lungs: clear"], id="heading line"),
        pytest.param("No fever PAST HISTORY: asthma", ["No fever", "PAST HISTORY: asthma"], id="heading in capitals"),
        pytest.param("clear.,Neck:  supple", ["clear.,", "Neck:  supple"], id="transcript without line ends"),
    ],
)
def test_sentence_starts_divides(text: str, expected: list[str]) -> None:
    assert _sentences(text) == expected


@given(st.text(alphabet=st.sampled_from("aB3 .,:?\r\n-\u00a0\u2028🙂\u0301"), max_size=80))
def test_sentence_starts_are_visible_and_ascending(text: str) -> None:
    starts = sentence_starts(text)
    assert starts == sorted(set(starts))
    assert not any(text[start].isspace() for start in starts)
    assert bool(starts) == bool(text.strip())


@pytest.mark.parametrize("text", ["a" * 300_000, "AB " * 100_000, "a. " * 100_000, "No\n" * 100_000, "." * 300_000])
def test_sentence_starts_takes_linear_time(text: str) -> None:
    begin = time.perf_counter()
    assert sentence_starts(text)[0] == 0
    assert time.perf_counter() - begin < 5


def test_mark_sentences_starts_with_the_token_across_a_start() -> None:
    doc = Doc(spacy.blank("en").vocab, words=["No", "fever. Cough", "now"])
    assert [sent.text for sent in mark_sentences(doc).sents] == ["No", "fever. Cough now"]


@pytest.mark.parametrize("text", ["", "Fever", "  Fever. Cough", "Fever.\r\n\r\nCough", "\n"])
def test_component_gives_the_sentences_of_sentence_starts(text: str) -> None:
    nlp = spacy.blank("en")
    nlp.add_pipe("medlink_sentences")
    doc = nlp(text)
    starts = [sent.start_char for sent in doc.sents]
    assert starts == [0, *sentence_starts(text)[1:]][: len(doc)]

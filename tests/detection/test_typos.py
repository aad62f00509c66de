from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rapidfuzz.distance import OSA

from medlink.detection.typos import SpellChecker, Spellings
from medlink.detection.vocabulary import Vocabulary

VOCABULARY = ["ankylosis", "arthrogryposis", "hypertension", "hypotension", "haemorrhage", "fever", "dyspnea"]


def checker(words: list[str]) -> SpellChecker:
    return SpellChecker(Spellings.of(words), Vocabulary.of(words))


CHECKER = checker(VOCABULARY)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("ankylois", "ankylosis"),
        ("ankyloosis", "ankylosis"),
        ("ankylosos", "ankylosis"),
        ("anklyosis", "ankylosis"),
        ("hemorrhage", "haemorrhage"),
        ("dyspnoea", "dyspnea"),
        ("ankylosis", "ankylosis"),
        ("bnkylosis", "bnkylosis"),
        ("fevre", "fevre"),
        ("hypretnsion", "hypretnsion"),
        ("patients", "patients"),
        ("", ""),
    ],
)
def test_one_wrong_letter_is_mended(written: str, meant: str) -> None:
    assert CHECKER.correct(written) == meant


def test_two_words_that_are_as_near_are_left() -> None:
    assert checker(["xanthomaxa", "xanthomaxe"]).correct("xanthomaxi") == "xanthomaxi"


@given(st.text(alphabet="abcd", min_size=6, max_size=9), st.lists(st.text(alphabet="abcd", min_size=7, max_size=9)))
def test_it_equals_a_search_of_the_whole_vocabulary(written: str, vocabulary: list[str]) -> None:
    near = {word for word in vocabulary if word[0] == written[0] and OSA.distance(word, written) == 1}
    corrected = checker(vocabulary).correct(written)
    if written in vocabulary or len(written) < 7:
        assert corrected == written
    elif corrected != written:
        assert corrected in near

"""Normalisation: idempotent, and tokens point into the untouched text."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medlink.text import content_words, normalise, singular, tokenise


@given(st.text(max_size=80))
def test_normalise_is_idempotent(text: str) -> None:
    assert normalise(normalise(text)) == normalise(text)


@given(st.text(max_size=80))
def test_tokens_lie_in_order_within_the_text(text: str) -> None:
    end = 0
    for token in tokenise(text):
        assert end <= token.start < token.end <= len(text)
        assert normalise(text[token.start : token.end]).replace(" ", "") == token.norm.replace(" ", "")
        end = token.end


@given(st.text("éüñçAbc µßœ", max_size=20))
def test_normalise_ignores_the_unicode_form(text: str) -> None:
    assert normalise(unicodedata.normalize("NFD", text)) == normalise(unicodedata.normalize("NFC", text))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        (" \t\r\n", ""),
        ("Ménière’s disease", "meniere disease"),
        ("β-blocker", "beta blocker"),
        ("ﬁbrosis", "fibrosis"),
        ("X-linked", "x linked"),
        ("T½", "t½"),
        ("\N{FACE WITH THERMOMETER} fever", "fever"),
        ("non\u00a0breaking", "non breaking"),
    ],
)
def test_normalise(text: str, expected: str) -> None:
    assert normalise(text) == expected


@pytest.mark.parametrize(
    ("plural", "word"),
    [
        ("cysts", "cyst"),
        ("biopsies", "biopsy"),
        ("abscesses", "abscess"),
        ("rashes", "rash"),
        ("reflexes", "reflex"),
        ("patches", "patch"),
        ("branches", "branch"),
        ("headaches", "headache"),
        ("thrombus", "thrombus"),
        ("dialysis", "dialysis"),
        ("gas", "gas"),
    ],
)
def test_singular(plural: str, word: str) -> None:
    assert singular(plural) == word


def test_content_words_leave_out_function_words() -> None:
    assert content_words("Abnormalities of the kidneys") == ("abnormality", "kidney")

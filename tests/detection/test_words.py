from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medlink.detection.words import Gap, content_words_of, gap_between, hash_word, stem
from medlink.text import FUNCTION_WORDS, tokenise


@pytest.mark.parametrize(
    ("separator", "expected"),
    [
        (" ", Gap.PLAIN),
        ("\n", Gap.PLAIN),
        ("\r\n", Gap.PLAIN),
        ("\u00a0", Gap.PLAIN),
        ("-", Gap.PLAIN),
        (" of the ", Gap.PLAIN),
        (".", Gap.PLAIN),
        ("(", Gap.PLAIN),
        (")-", Gap.PLAIN),
        ("/", Gap.JOINED),
        (" AND ", Gap.JOINED),
        (" with a ", Gap.JOINED),
        (", ", Gap.COMMA),
        (", and ", Gap.COMMA),
        (". ", Gap.BREAK),
        (".,", Gap.BREAK),
        (": ", Gap.BREAK),
        ("; ", Gap.BREAK),
        ("?\n", Gap.BREAK),
        (" (", Gap.BREAK),
        (") ", Gap.BREAK),
        (" - ", Gap.BREAK),
        ("\n- ", Gap.BREAK),
        ("\n\n", Gap.BREAK),
        ("\r\n\r\n", Gap.BREAK),
        ("\n \t\n", Gap.BREAK),
    ],
)
def test_gap_between_judges_the_separator(separator: str, expected: Gap) -> None:
    assert gap_between(separator) is expected


def test_hash_word_never_changes() -> None:
    assert hash_word("kidney") == 1233833500386464664


@pytest.mark.parametrize(
    ("words", "same"),
    [
        (("shortened", "short", "shortening"), True),
        (("decrease", "decreased", "decreasing", "decreases"), True),
        (("biopsy", "biopsies"), True),
        (("nephritic", "nephrotic"), False),
        (("red", "ring"), False),
        (("bed", "being"), False),
    ],
)
def test_stem_joins_inflected_forms_only(words: tuple[str, ...], same: bool) -> None:
    assert (len(set(map(stem, words))) == 1) is same


@pytest.mark.parametrize(
    ("text", "norms"),
    [
        ("", ()),
        ("of the and", ()),
        ("Hepatitis A", ("hepatitis", "a")),
        ("A fever", ("fever",)),
        ("Pain. A fever", ("pain", "fever")),
        ("has a fever", ("has", "fever")),
        ("Crohn's disease", ("crohn", "disease")),
        ("🙂 naïve nai\u0308ve", ("naive", "naive")),
    ],
)
def test_content_words_of_leaves_function_words_out(text: str, norms: tuple[str, ...]) -> None:
    assert content_words_of(text).norms == norms


@given(st.text(alphabet=st.sampled_from("aA of\u0301ï.,;\r\n\t\u00a0🙂-()'s3"), max_size=60))
def test_content_words_of_are_tokens_of_the_text(text: str) -> None:
    words = content_words_of(text)
    tokens = {(token.start, token.end, token.norm) for token in tokenise(text)}
    assert set(zip(words.starts, words.ends, words.norms, strict=True)) <= tokens
    assert {norm for *_, norm in tokens} - set(words.norms) <= FUNCTION_WORDS
    assert words.gaps[:1] in ((), (Gap.BREAK,))


def test_prefix_sums_wrap_around() -> None:
    words = content_words_of("kidney liver heart brain " * 50)
    expected = [sum(map(hash_word, words.norms[:n])) % 2**64 for n in range(len(words.norms) + 1)]
    np.testing.assert_array_equal(words.prefix_sums(), np.array(expected, dtype=np.uint64))

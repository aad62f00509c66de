from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medlink.detection.matcher import DictionaryMatcher
from medlink.detection.readings import Kind
from tests.detection.lexicons import lexicon_with

NAMES = {
    "T:1": ["Renal agenesis"],
    "T:2": ["Renal hypoplasia", "Small kidney"],
    "T:3": ["Hip dysplasia"],
    "T:4": ["Myoclonus"],
    "T:5": ["Cleft palate"],
    "T:6": ["Cleft lip"],
    "T:7": ["Arthrogryposis"],
    "T:8": ["Posterior subcapsular cataract"],
    "T:9": ["Muscle weakness"],
    "T:10": ["Abnormality of the eye"],
    "T:11": ["Memory impairment"],
    "T:12": ["ALL"],
    "T:13": ["Sleep disorder"],
    "T:14": ["Allergy"],
}
LEXICON = lexicon_with(NAMES)
EXACT = DictionaryMatcher(LEXICON)
ALL = DictionaryMatcher(LEXICON, kinds=frozenset(Kind))


def _found(text: str) -> list[tuple[str, str, str]]:
    """Span, name and kind of all matches that are not as written."""
    return [
        (text[match.start : match.end], ALL.name_of(match), match.kind.name)
        for match in ALL.matches(text, nested=True)
        if match.kind is not Kind.EXACT
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("hypoplastic kidneys", [("hypoplastic kidneys", "Renal hypoplasia", "VARIANT")]),
        ("myoclonic jerks", [("myoclonic", "Myoclonus", "VARIANT")]),
        ("ocular abnormalities", [("ocular abnormalities", "Abnormality of the eye", "VARIANT")]),
        ("loss of memory", [("loss of memory", "Memory impairment", "VARIANT")]),
        ("arthrogryphosis", [("arthrogryphosis", "Arthrogryposis", "MISSPELT")]),
        ("Arthrogrypsois of the arm", [("Arthrogrypsois", "Arthrogryposis", "MISSPELT")]),
        ("anomaly of the eye", [("anomaly of the eye", "Abnormality of the eye", "VARIANT")]),
        ("sleep disturbances", [("sleep disturbances", "Sleep disorder", "SWAPPED")]),
        ("dysplastic left hip", [("dysplastic left hip", "Hip dysplasia", "INSERTED")]),
        ("renal hypoplasia and agenesis", [("renal hypoplasia and agenesis", "Renal agenesis", "SHARED")]),
        ("renal hypoplasia/agenesis", [("renal hypoplasia/agenesis", "Renal agenesis", "SHARED")]),
        ("a cleft lip and palate", [("cleft lip and palate", "Cleft palate", "SHARED")]),
        ("lip and palate cleft", []),
        ("renal cysts, hypoplasia", []),
        (
            "posterior subcapsular or cortical cataract",
            [("posterior subcapsular or cortical cataract", "Posterior subcapsular cataract", "SHARED")],
        ),
        ("muscle without weakness", []),
        ("muscle including weakness", []),
        ("weakness and muscle pain", []),
        ("renal cysts and agenesis syndrome", []),
        ("Alls", []),
        ("ALLERGIES: none", []),
        ("hip. dysplasia of the left", []),
        ("", []),
    ],
)
def test_a_text_is_read_as_a_name(text: str, expected: list[tuple[str, str, str]]) -> None:
    assert _found(text) == expected


def test_a_part_of_an_enumeration_owns_its_own_words() -> None:
    text = "renal hypoplasia and agenesis or cleft lip and palate"
    owned = {text[slice(*match.own)] for match in ALL.matches(text, nested=True) if match.kind is Kind.SHARED}
    assert owned == {"agenesis", "palate"}


WORDS = ["renal", "kidney", "agenesis", "hypoplasia", "hypoplastic", "hip", "left", "dysplasia", "and", "of", ",", "."]
TEXTS = st.lists(st.sampled_from(WORDS), max_size=9).map(" ".join)


@given(TEXTS)
def test_what_is_written_is_found_whatever_else_is_read(text: str) -> None:
    written = {(match.start, match.end, match.rows) for match in EXACT.matches(text, nested=True)}
    exact = {m for m in ALL.matches(text, nested=True) if m.kind is Kind.EXACT}
    assert {(match.start, match.end, match.rows) for match in exact} == written


def _slowly_inserted(words: Sequence[str], name: tuple[str, str]) -> set[tuple[int, int]]:
    """Windows of three words whose outer ones are those of a name of two, straight from the definition."""
    kept = {"no", "non", "without", "not"}
    return {
        (place, place + 3)
        for place in range(len(words) - 2)
        if {words[place], words[place + 2]} == set(name) and words[place + 1] not in kept
    }


@given(st.lists(st.sampled_from(["red", "eye", "left", "not", "sore"]), max_size=8))
def test_inserted_words_equal_the_slow_search(words: list[str]) -> None:
    matcher = DictionaryMatcher(lexicon_with({"T:1": ["red eye"]}), kinds={Kind.INSERTED})
    text = " ".join(words)
    starts = [sum(len(word) + 1 for word in words[:place]) for place in range(len(words))]
    found = {(starts.index(match.start), match.end) for match in matcher.matches(text, nested=True)}
    expected = _slowly_inserted(words, ("red", "eye"))
    assert found == {(first, starts[last - 1] + len(words[last - 1])) for first, last in expected}

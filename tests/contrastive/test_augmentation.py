"""Variants of clinical strings."""

from __future__ import annotations

import unicodedata
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medlink.contrastive.augmentation import (
    OPERATIONS,
    abbreviation_swap,
    augment,
    convert_numerals,
    reorder,
    respell,
)
from medlink.text import normalise
from tests.contrastive.cases import few

NAMES = [
    "Seizure",
    "type 2 diabetes mellitus",
    "abnormality of the kidney",
    "Crohn's disease",
    "haemorrhage, postpartum",
    "β-thalassaemia",
    "HIV",
    "",
    "   ",
    "🩺 pain",
    "Me\u0301nie\u0300re disease",
    "line\r\nbreak here",
]


def never(name: str) -> bool:
    """No variant is another concept's name."""
    return False


def variants(operation: str, text: str, n_seeds: int = 60) -> set[str]:
    """All that an operation makes of a text under many seeds."""
    return {OPERATIONS[operation](text, Random(seed)) for seed in range(n_seeds)}


@pytest.mark.parametrize("name", NAMES)
def test_augment_is_decided_by_the_seed(name: str) -> None:
    operations = tuple(OPERATIONS.values())
    made = [augment(name, Random(4), is_taken=never, operations=operations) for _ in range(3)]
    assert len(set(made)) == 1


@few
@given(name=st.sampled_from(NAMES) | st.text(max_size=30), seed=st.integers(0, 999))
def test_augment_never_gives_another_concept_s_name(name: str, seed: int) -> None:
    operations = tuple(OPERATIONS.values())
    free = augment(name, Random(seed), is_taken=never, operations=operations)
    checked = augment(name, Random(seed), is_taken=lambda v: normalise(v) == normalise(free), operations=operations)
    assert checked == name or normalise(checked) != normalise(free)


def test_augment_tries_another_operation_where_the_first_is_refused() -> None:
    operations = (lambda text, _: text + " a", lambda text, _: text + " b")
    made = {augment("x", Random(seed), is_taken="x a".__eq__, operations=operations) for seed in range(9)}
    assert made == {"x b"}


def test_augment_gives_the_text_back_where_nothing_is_acceptable() -> None:
    assert augment("Seizure", Random(0), is_taken=lambda _: True, operations=tuple(OPERATIONS.values())) == "Seizure"
    assert augment("Seizure", Random(0), is_taken=never, operations=()) == "Seizure"
    assert augment("x", Random(0), is_taken=never, operations=(lambda text, _: "  ",)) == "x"


@few
@given(text=st.text(), seed=st.integers(0, 99), operation=st.sampled_from(sorted(OPERATIONS)))
def test_operations_take_any_text(text: str, seed: int, operation: str) -> None:
    made = OPERATIONS[operation](text, Random(seed))
    assert made == OPERATIONS[operation](text, Random(seed))


def test_add_typo_changes_one_long_word_and_keeps_its_first_letter() -> None:
    for made in variants("typo", "HIV related nephropathy"):
        words = made.split()
        assert words[0] == "HIV"
        assert sum(a != b for a, b in zip(words, ["HIV", "related", "nephropathy"], strict=True)) <= 1
        assert [word[0] for word in words] == ["H", "r", "n"]
    assert len(variants("typo", "nephropathy")) > 10


def test_add_typo_leaves_words_with_combining_marks() -> None:
    decomposed = unicodedata.normalize("NFD", "méningé")
    assert variants("typo", decomposed) == {decomposed}
    assert all(made.startswith(decomposed) for made in variants("typo", f"{decomposed} fever"))


def test_drop_token_drops_one_of_three_or_more() -> None:
    assert variants("drop_token", "chronic kidney disease") == {"kidney disease", "chronic disease", "chronic kidney"}
    assert variants("drop_token", "kidney disease") == {"kidney disease"}


def test_drop_token_keeps_what_tells_siblings_apart() -> None:
    assert variants("drop_token", "diabetes type 2") == {"type 2", "diabetes 2"}
    assert all("non" in made for made in variants("drop_token", "diabetes non insulin dependent"))
    assert all("II" in made for made in variants("drop_token", "glycogenosis type II"))
    assert variants("drop_token", "Decreased left ventricle") == {"Decreased left"}
    assert variants("drop_token", "p53 A 12") == {"p53 A 12"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Kidney Diseases, Polycystic", "Polycystic Kidney Diseases"),
        ("polycystic kidney disease", "disease, polycystic kidney"),
        ("abnormality of the kidney", "kidney abnormality"),
        ("cancer of liver", "liver cancer"),
        ("a, b, c", "a, b, c"),
        ("disease of head of femur", "femur, disease of head of"),
        ("seizure", "seizure"),
        ("", ""),
    ],
)
def test_reorder_turns_names_round(text: str, expected: str) -> None:
    assert reorder(text, Random(0)) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("renal cyst", {"renal cysts"}),
        ("renal cysts", {"renal cyst"}),
        ("biopsies", {"biopsy"}),
        ("biopsy", {"biopsies"}),
        ("abscess", {"abscesses"}),
        ("abscesses", {"abscess"}),
        ("diabetes", {"diabetes"}),
        ("chronic", {"chronic"}),
        ("thrombus", {"thrombus"}),
        ("dialysis", {"dialysis"}),
        ("Crohn's disease", {"Crohn disease", "Crohn's diseases"}),
        ("me\u0301ninge\u0301", {"me\u0301ninge\u0301"}),
        ("tongue-like deformity of brain", {"tongue-like deformities of brain", "tongue-like deformity of brains"}),
        ("basement membrane deposits", {"basement membrane deposit"}),
        ("exomphalos", {"exomphalos"}),
        ("HIV", {"HIV"}),
    ],
)
def test_inflect_turns_singular_and_plural(text: str, expected: set[str]) -> None:
    assert variants("inflect", text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("diabetes mellitus type 2", "diabetes mellitus type II"),
        ("Diabetes mellitus type II", "Diabetes mellitus type 2"),
        ("type 1 and type IV", "type I and type 4"),
        ("MPS type IIIA", "MPS type 3A"),
        ("Factor VIII deficiency", "Factor 8 deficiency"),
        ("stage 20", "stage XX"),
        ("stage 21", "stage 21"),
        ("IV access", "IV access"),
        ("X-linked disorder", "X-linked disorder"),
        ("trisomy 21", "trisomy 21"),
        ("type IIX", "type IIX"),
        ("genotype 2", "genotype 2"),
    ],
)
def test_convert_numerals_turns_counted_ones(text: str, expected: str) -> None:
    assert convert_numerals(text, Random(0)) == expected


def test_respell_takes_either_spelling() -> None:
    assert {respell("haemophilia", Random(seed)) for seed in range(9)} == {"hemophilia"}
    assert {respell("hemophilia", Random(seed)) for seed in range(9)} == {"haemophilia"}
    assert {respell("oedema and hemorrhage", Random(seed)) for seed in range(9)} == {
        "oedema and haemorrhage",
        "edema and hemorrhage",
    }


def test_abbreviation_swap_writes_out_and_abbreviates_whole_words() -> None:
    swap = abbreviation_swap([("MS", "multiple sclerosis"), ("MS", "mitral stenosis"), ("T2DM", "type 2 diabetes")])
    assert {swap("MS relapse", Random(seed)) for seed in range(20)} == {
        "multiple sclerosis relapse",
        "mitral stenosis relapse",
    }
    assert swap("Type 2 Diabetes", Random(0)) == "T2DM"
    assert swap("SMS alert", Random(0)) == "SMS alert"
    assert swap("ms", Random(0)) == "ms"


def test_abbreviation_swap_takes_forms_as_they_are_written() -> None:
    swap = abbreviation_swap([("C+", r"a\1 (b)")])
    assert swap("a C+ c", Random(0)) == r"a a\1 (b) c"


def test_abbreviation_swap_without_pairs_changes_nothing() -> None:
    assert abbreviation_swap([])("CKD", Random(0)) == "CKD"

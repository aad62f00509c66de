from __future__ import annotations

from itertools import combinations

import pytest

from medlink.detection.variants import are_family, word_class, word_family, word_variants
from medlink.detection.words import hash_word, stem


@pytest.mark.parametrize(
    ("one", "other"), [("kidney", "renal"), ("tumor", "tumour"), ("hypoplasia", "hypoplastic"), ("lung", "pulmonary")]
)
def test_words_that_ontologies_swap_are_one_word(one: str, other: str) -> None:
    assert word_class(stem(one)) == word_class(stem(other))
    assert hash_word(one) == hash_word(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [("left", "right"), ("acute", "chronic"), ("hypertension", "hypotension"), ("bone", "phalanx"), ("upper", "lower")],
)
def test_words_of_another_meaning_are_not(one: str, other: str) -> None:
    assert word_class(stem(one)) != word_class(stem(other))


def test_a_family_is_part_of_its_class_and_both_stand_for_themselves() -> None:
    for one in word_variants():
        assert word_class(word_class(one)) == word_class(one)
        assert word_family(word_family(one)) == word_family(one)


def test_all_of_a_family_are_alike() -> None:
    families: dict[str, list[str]] = {}
    for one in word_variants():
        families.setdefault(word_family(one), []).append(one)
    assert all(are_family(a, b) for family in families.values() for a, b in combinations(family, 2))
    assert max(map(len, families.values())) > 2


def test_variants_are_symmetric() -> None:
    variants = word_variants()
    assert all(variants[one][other] == variants[other][one] > 0 for one in variants for other in variants[one])

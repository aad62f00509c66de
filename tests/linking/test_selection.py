"""Which links a selection keeps."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medlink.errors import SettingError, UnknownNameError
from medlink.linking.selection import Selection, make_filter
from medlink.ontology.lexicon import Lexicon
from medlink.records import Assertion, Document, Link, LinkedDocument, Mention

LABELS = tuple(Assertion.__slots__)
RENAL, KIDNEY_BRANCH, HEART_ATTACK = "HP:0000107", "HP:0012210", "HP:0001658"


def _link(concept_id: str | None, *labels: str) -> Link:
    mention = Mention("d", 0, 4, "cyst", assertion=Assertion(**dict.fromkeys(labels, True)))
    return Link(mention, (), concept_id, "release", "version")


@given(labels=st.sets(st.sampled_from(LABELS)), drop=st.lists(st.sampled_from(LABELS)))
def test_keeps_drops_what_has_one_of_the_labels(labels: set[str], drop: list[str]) -> None:
    wanted = make_filter(Selection(drop=tuple(drop)), lambda: pytest.fail("the ontology is not needed"))
    assert wanted.keeps(_link(RENAL, *labels)) == (not labels & set(drop))
    assert wanted.keeps(_link(None, *labels)) == (not labels & set(drop))


def test_keeps_what_is_in_one_of_the_branches(tiny_lexicon: Lexicon) -> None:
    wanted = make_filter(Selection(branches=(KIDNEY_BRANCH,)), lambda: tiny_lexicon)
    assert [wanted.keeps(_link(concept)) for concept in (RENAL, KIDNEY_BRANCH, HEART_ATTACK, None)] == [
        True, True, False, False,
    ]  # fmt: skip
    both = make_filter(Selection(branches=(KIDNEY_BRANCH, HEART_ATTACK)), lambda: tiny_lexicon)
    assert both.keeps(_link(HEART_ATTACK))


def test_keeps_what_is_of_one_of_the_types_and_in_the_branch(tiny_lexicon: Lexicon) -> None:
    concepts = tiny_lexicon.ontology.concepts
    typed = tuple(replace(c, semantic_type="finding" if c.id == RENAL else "disorder") for c in concepts)
    lexicon = Lexicon(replace(tiny_lexicon.ontology, concepts=typed))
    wanted = make_filter(Selection(types=("finding",)), lambda: lexicon)
    assert [wanted.keeps(_link(concept)) for concept in (RENAL, KIDNEY_BRANCH, None)] == [True, False, False]
    inside = make_filter(Selection(branches=(KIDNEY_BRANCH,), types=("disorder",)), lambda: lexicon)
    assert [inside.keeps(_link(concept)) for concept in (RENAL, KIDNEY_BRANCH, HEART_ATTACK)] == [False, True, False]


def test_a_concept_of_several_types_is_kept_for_each(tiny_lexicon: Lexicon) -> None:
    concepts = tiny_lexicon.ontology.concepts
    typed = tuple(replace(c, semantic_type="chemical|drug" if c.id == RENAL else "x") for c in concepts)
    lexicon = Lexicon(replace(tiny_lexicon.ontology, concepts=typed))
    for kind in ("chemical", "drug"):
        wanted = make_filter(Selection(types=(kind,)), lambda: lexicon)
        assert [wanted.keeps(_link(concept)) for concept in (RENAL, HEART_ATTACK)] == [True, False]


def test_apply_keeps_order_and_text() -> None:
    document = Document("d", "cyst")
    linked = LinkedDocument(document, (_link(RENAL), _link(RENAL, "negated"), _link(None)))
    kept = make_filter(Selection(drop=("negated",)), lambda: pytest.fail("not needed")).apply(linked)
    assert kept == LinkedDocument(document, (linked.links[0], linked.links[2]))


def test_unknown_labels_branches_and_types_are_refused(tiny_lexicon: Lexicon) -> None:
    with pytest.raises(SettingError, match=r"expected negated or uncertain .* got 'maybe'"):
        Selection(drop=("maybe",))
    with pytest.raises(UnknownNameError, match="HP:9"):
        make_filter(Selection(branches=("HP:9",)), lambda: tiny_lexicon)
    with pytest.raises(UnknownNameError, match="expected human_phenotype; got 'T047'"):
        make_filter(Selection(types=("T047",)), lambda: tiny_lexicon)

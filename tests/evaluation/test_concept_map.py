"""What a written id means, and which concepts count."""

from __future__ import annotations

from pathlib import Path

import pytest

from medlink.evaluation.annotations import Annotation
from medlink.evaluation.concept_map import ConceptMap
from medlink.ontology.lexicon import Lexicon
from medlink.ontology.name_lines import read_name_lines
from medlink.ontology.source import Ontology
from medlink.records import Concept


@pytest.mark.parametrize(
    ("written", "concept"),
    [
        ("HP:0001250", "HP:0001250"),
        ("hp:0001250", "HP:0001250"),
        ("HP_0001250", "HP:0001250"),
        ("HPO:0001250", "HP:0001250"),
        ("0001250", "HP:0001250"),
        ("HP:0002182", "HP:0001250"),  # an alternative id
        ("HP:0009001", "HP:0001250"),  # obsolete, replaced by one that is replaced by an alternative id
        ("HP:0009006", "0009006"),  # gone without replacement
        ("HP:7777777", "7777777"),
        ("MESH:d000001", "D000001"),
    ],
)
def test_concept_is_what_the_id_means_today(written: str, concept: str, tiny_lexicon: Lexicon) -> None:
    assert ConceptMap(tiny_lexicon).concept(written) == concept


def test_any_alternative_of_a_dictionary_is_right(tmp_path: Path) -> None:
    path = tmp_path / "medic.txt"
    path.write_text("D1|100||one\nD2|200|300||two\nD3|300||three\nD4||four\n", encoding="utf-8")
    concepts = ConceptMap(Lexicon(read_name_lines(path, name="medic")))
    assert {concepts.concept(written) for written in ("D1", "MESH:D1", "100", "OMIM:100")} == {"D1"}
    # 300 stands in two lines: they are one concept.
    assert {concepts.concept(written) for written in ("D2", "200", "OMIM:300", "D3")} == {"D2"}
    assert concepts.concept("D4") == "D4"


def test_concept_of_a_list_of_ids_is_meant_by_each() -> None:
    listed = (Concept("D1|100", "one"), Concept("D2", "two"))
    concepts = ConceptMap(Lexicon(Ontology("names", "names", "", "", "", listed)))
    assert [concepts.concept(written) for written in ("D1|100", "OMIM:100", "MESH:D1", "D2")] == ["D1|100"] * 3 + ["D2"]


def test_a_prefix_that_the_ontology_has_is_not_passed_over() -> None:
    two = (Concept("A:1", "one"), Concept("B:2", "two"))
    concepts = ConceptMap(Lexicon(Ontology("names", "names", "", "", "", two)))
    assert [concepts.concept(written) for written in ("A:1", "B:1", "C:1", "1")] == ["A:1", "1", "A:1", "A:1"]


def test_resolve_leaves_out_what_is_outside_of_the_branch(tiny_lexicon: Lexicon) -> None:
    concepts = ConceptMap(tiny_lexicon, tiny_lexicon.branch("HP:0000707"))

    def resolved(*ids: str) -> list[str] | None:
        annotation = concepts.resolve(Annotation("d", 0, 1, "x", frozenset(ids)))
        return sorted(annotation.concepts) if annotation else None

    assert resolved("HP:0001275") == ["HP:0001250"]
    assert resolved("HP:0000107") is None
    assert resolved("HP:0000107", "HP:0001250") == ["HP:0001250"]
    assert resolved("HP:7777777") == ["7777777"]
    assert resolved() == []


def test_are_related_is_parent_and_child_only(tiny_lexicon: Lexicon) -> None:
    concepts = ConceptMap(tiny_lexicon)
    assert concepts.are_related("HP:0001250", "HP:0002373")
    assert concepts.are_related("HP:0002373", "HP:0001250")
    assert not concepts.are_related("HP:0002373", "HP:0000707")
    assert not concepts.are_related("HP:0001250", "7777777")

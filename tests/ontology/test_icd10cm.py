from __future__ import annotations

from pathlib import Path

import pytest

from medlink.errors import OntologyFormatError
from medlink.ontology.catalogue import Catalogue, default_folder, load_ontology
from medlink.ontology.icd10cm import read_icd10cm
from medlink.ontology.lexicon import Lexicon
from medlink.records import Concept, Name, Scope


@pytest.fixture(scope="module")
def lexicon() -> Lexicon:
    return Lexicon(load_ontology(Catalogue([default_folder()]).get("icd10cm")))


@pytest.mark.slow
def test_read_icd10cm_gives_codes_with_their_notes_and_parents(lexicon: Lexicon) -> None:
    assert lexicon.concepts["ICD10CM:E11.9"] == Concept(
        id="ICD10CM:E11.9",
        name="Type 2 diabetes mellitus without complications",
        parents=("ICD10CM:E11",),
        semantic_type="subcategory",
    )
    assert Name("Cancer NOS", Scope.NARROW, "inclusion term") in lexicon.concepts["ICD10CM:C80.1"].synonyms
    assert Name("diabetes NOS", Scope.NARROW, "includes") in lexicon.concepts["ICD10CM:E11"].synonyms
    assert lexicon.concepts["ICD10CM:S72.001A"].semantic_type == "extended subcategory"
    assert lexicon.ancestors("ICD10CM:S72.001A") == {
        "ICD10CM:S72",
        "ICD10CM:S72.0",
        "ICD10CM:S72.00",
        "ICD10CM:S72.001",
    }


@pytest.mark.slow
def test_read_icd10cm_leaves_out_chapters_and_blocks(lexicon: Lexicon) -> None:
    assert lexicon.resolve("ICD10CM:1") is None
    assert lexicon.resolve("ICD10CM:E08-E13") is None
    assert lexicon.concepts["ICD10CM:B99"].parents == ()  # a block of the same name stands above it
    assert len(lexicon.concepts) > 90_000
    parents = {parent for concept in lexicon.concepts.values() for parent in concept.parents}
    assert parents <= lexicon.concepts.keys()


@pytest.mark.slow
def test_read_icd10cm_takes_the_release_from_the_files_name(lexicon: Lexicon) -> None:
    assert lexicon.version[:2] == "20"
    assert lexicon.version[4] == "-"
    assert "World Health Organization" in lexicon.licence


def test_read_icd10cm_refuses_another_file(tmp_path: Path) -> None:
    with pytest.raises(OntologyFormatError, match=r"icd\.xml: only the ICD-10-CM that a dependency carries"):
        read_icd10cm(tmp_path / "icd.xml", name="icd10cm")

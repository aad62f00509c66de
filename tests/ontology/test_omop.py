"""The OMOP vocabularies: small tables in the shape of Athena's downloads; ids and names made up."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from medlink.errors import OntologyFormatError
from medlink.ontology.omop import OmopOptions, read_omop
from medlink.ontology.readers import format_of
from medlink.records import Concept, Name

TABLES = {
    "CONCEPT.csv": """\
concept_id|concept_name|domain_id|vocabulary_id|concept_class_id|standard_concept|concept_code|valid_start_date|valid_end_date|invalid_reason
1|Heart attack, "acute"|Condition|SNOMED|Clinical Finding|S|22298006|20020131|20991231|
2|Heart disease|Condition|SNOMED|Clinical Finding|S|56265001|20020131|20991231|
3|Old heart attack|Condition|SNOMED|Clinical Finding||99999999|20020131|20150101|U
4|Acute myocardial infarction|Condition|ICD10CM|3-char nonbill code||I21|20020131|20991231|
5|aspirin|Drug|RxNorm|Ingredient|S|1191|19700101|20991231|
6|Domain|Metadata|Domain|Domain||OMOP generated|19700101|20991231|
""",
    "CONCEPT_SYNONYM.csv": """\
concept_id|concept_synonym_name|language_concept_id
1|MI|4180186
1|Infarto|4182511
5|ASA|4180186
""",
    "CONCEPT_RELATIONSHIP.csv": """\
concept_id_1|concept_id_2|relationship_id|valid_start_date|valid_end_date|invalid_reason
1|2|Is a|20020131|20991231|
1|1|Maps to|20020131|20991231|
2|1|Subsumes|20020131|20991231|
3|1|Concept replaced by|20150101|20991231|
3|2|Maps to|20020131|20140101|D
4|1|Maps to|20020131|20991231|
""",
    "VOCABULARY.csv": """\
vocabulary_id|vocabulary_name|vocabulary_reference|vocabulary_version|vocabulary_concept_id
None|OMOP Standardized Vocabularies|OMOP generated|v5.0 29-FEB-24|44819096
SNOMED|SNOMED CT|x|2023-08|44819097
""",
}


@pytest.fixture
def athena(tmp_path: Path) -> Path:
    folder = tmp_path / "vocabulary_download_v5"
    folder.mkdir()
    for name, text in TABLES.items():
        (folder / name).write_text(text.replace("|", "\t"), encoding="utf-8")
    return folder


def test_read_omop_reads_standard_and_retired_concepts(athena: Path) -> None:
    ontology = read_omop(athena, name="omop")
    assert ontology.version == "v5.0 29-FEB-24"
    finding = "Condition|Clinical Finding".split("|")
    kinds = "|".join(sorted(finding))
    assert ontology.concepts == (
        Concept(
            "OMOP:1",
            'Heart attack, "acute"',
            (Name("MI"),),
            parents=("OMOP:2",),
            semantic_type=kinds,
            xrefs=("SNOMEDCT:22298006",),
        ),
        Concept("OMOP:2", "Heart disease", semantic_type=kinds, xrefs=("SNOMEDCT:56265001",)),
        Concept(
            "OMOP:3",
            "Old heart attack",
            semantic_type=kinds,
            xrefs=("SNOMEDCT:99999999",),
            obsolete=True,
            replaced_by=("OMOP:1",),
        ),
        Concept("OMOP:5", "aspirin", (Name("ASA"),), semantic_type="Drug|Ingredient", xrefs=("RXNORM:1191",)),
    )


@pytest.mark.parametrize(
    ("options", "ids"),
    [
        (OmopOptions(vocabularies=("RxNorm",)), ["OMOP:5"]),
        (OmopOptions(domains=("Condition",), retired=False), ["OMOP:1", "OMOP:2"]),
        (OmopOptions(classes=("Ingredient",)), ["OMOP:5"]),
        (OmopOptions(standard=False, retired=False, vocabularies=("ICD10CM",)), ["OMOP:4"]),
    ],
    ids=["vocabulary", "domain", "class", "not standard"],
)
def test_read_omop_reads_what_is_chosen(options: OmopOptions, ids: list[str], athena: Path) -> None:
    assert [concept.id for concept in read_omop(athena, name="omop", options=options).concepts] == ids


def test_read_omop_refers_to_what_maps_to_a_concept_when_asked(athena: Path) -> None:
    concept = read_omop(athena, name="omop", options=OmopOptions(mapped=("ICD10CM",))).concepts[0]
    assert concept.xrefs == ("ICD10CM:I21", "SNOMEDCT:22298006")


def test_read_omop_reads_the_archive_and_the_single_table(athena: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "v5.zip", "w") as archive:
        for name in TABLES:
            archive.write(athena / name, name)
    assert read_omop(tmp_path / "v5.zip", name="omop").concepts == read_omop(athena, name="omop").concepts
    assert read_omop(athena / "CONCEPT.csv", name="omop").concepts[0].parents == ()
    assert format_of(tmp_path / "v5.zip") == format_of(athena) == format_of(athena / "CONCEPT.csv") == "omop"


def test_read_omop_names_the_broken_row(athena: Path) -> None:
    with (athena / "CONCEPT.csv").open("a", encoding="utf-8") as stream:
        stream.write("7\tcut off\n")
    with pytest.raises(OntologyFormatError, match=r"CONCEPT\.csv:8: the row does not fit the header.*got 2"):
        read_omop(athena, name="omop")

"""LOINC, ICD-11, ICD-10-CM and Gilda: small tables in the shape of their publishers' files; rows made up."""

from __future__ import annotations

import gzip
import zipfile
from pathlib import Path

import pytest

from medlink.errors import OntologyFormatError
from medlink.ontology.gilda import GildaOptions, read_gilda
from medlink.ontology.icd10cm_order import read_icd10cm_order
from medlink.ontology.icd11 import Icd11Options, read_icd11
from medlink.ontology.loinc import LoincOptions, read_loinc
from medlink.ontology.readers import format_of
from medlink.records import Concept, Name, Scope

LOINC = (
    '"LOINC_NUM","COMPONENT","PROPERTY","TIME_ASPCT","SYSTEM","SCALE_TYP","METHOD_TYP","CLASS","VersionLastChanged",'
    '"DefinitionDescription","STATUS","CONSUMER_NAME","CLASSTYPE","RELATEDNAMES2","SHORTNAME","LONG_COMMON_NAME",'
    '"DisplayName"\n'
    '"2345-7","Glucose","MCnc","Pt","Ser/Plas","Qn","","CHEM","2.78","Sugar, ""in"" blood.","ACTIVE",'
    '"Glucose, Blood","1","Gluc; Point in time; Quan","Glucose SerPl-mCnc","Glucose [Mass/volume] in Serum or Plasma",'
    '"Glucose [Mass/Vol]"\n'
    '"1000-1","Old","MCnc","Pt","Ser","Qn","","CHEM","2.8","","DEPRECATED","","1","","Old Ser","Old glucose",""\n'
    '"8867-4","Heart rate","NRat","Pt","XXX","Qn","","HRTRATE.ATOM","1.0i","","ACTIVE","","2","","Heart rate",'
    '"Heart rate",""\n'
)


@pytest.fixture
def loinc(tmp_path: Path) -> Path:
    (tmp_path / "LoincTable").mkdir()
    (tmp_path / "LoincTableCore").mkdir()
    (tmp_path / "LoincTable" / "Loinc.csv").write_text(LOINC, encoding="utf-8")
    for folder in ("LoincTable", "LoincTableCore"):
        (tmp_path / folder / "MapTo.csv").write_text('"LOINC","MAP_TO","COMMENT"\n"1000-1","2345-7",""\n')
    (tmp_path / "LoincTableCore" / "LoincTableCore.csv").write_text("not read", encoding="utf-8")
    return tmp_path


def test_read_loinc_reads_codes_and_what_replaced_them(loinc: Path) -> None:
    ontology = read_loinc(loinc, name="loinc")
    assert (ontology.version, format_of(loinc), format_of(loinc / "LoincTable" / "Loinc.csv")) == (
        "2.78",
        "loinc",
        "loinc",
    )
    assert ontology.concepts == (
        Concept(
            "LOINC:1000-1",
            "Old glucose",
            (Name("Old Ser", kind="short name"),),
            semantic_type="CHEM",
            obsolete=True,
            replaced_by=("LOINC:2345-7",),
        ),
        Concept(
            "LOINC:2345-7",
            "Glucose [Mass/volume] in Serum or Plasma",
            (
                Name("Glucose SerPl-mCnc", kind="short name"),
                Name("Glucose [Mass/Vol]"),
                Name("Glucose, Blood", kind="layperson"),
            ),
            'Sugar, "in" blood.',
            semantic_type="CHEM",
        ),
        Concept("LOINC:8867-4", "Heart rate", semantic_type="HRTRATE.ATOM"),
    )


def test_read_loinc_reads_what_is_chosen(loinc: Path) -> None:
    clinical = read_loinc(loinc, name="loinc", options=LoincOptions(class_types=("2",)))
    assert [concept.id for concept in clinical.concepts] == ["LOINC:8867-4"]
    related = read_loinc(loinc, name="loinc", options=LoincOptions(related=True, classes=("CHEM",)))
    assert Name("Point in time", Scope.RELATED) in related.concepts[1].synonyms


ICD11_HEADER = (
    "Foundation URI|Linearization URI|Code|BlockId|Title|ClassKind|DepthInKind|IsResidual|ChapterNo|BrowserLink|isLeaf|"
    "Primary tabulation|Grouping1|Grouping2|Grouping3|Grouping4|Grouping5|Version:2025 Jan 24 - 22:30 UTC"
)
ENTITY = "http://id.who.int/icd/entity/"
ICD11_ROWS = (
    f'{ENTITY}1|l|||Certain infections|chapter|1|False|01|"=hyperlink(""u"",""b"")"|False|False||||||',
    f'{ENTITY}2|l||BlockL1-1A0|"- Gastroenteritis"|block|1|False|01|b|False|False||||||',
    f'{ENTITY}3|l|1A0Z||"- - Cholera"|category|1|False|01|b|False|True||||||',
    f'{ENTITY}4|l|1A00.1||"- - - Mild - moderate cholera"|category|2|False|01|b|True|True||||||',
    '|l/unspecified|1A00.Z||"- - - Cholera, unspecified"|category|2|True|01|b|True|True||||||',
    f'{ENTITY}5|l|XA0||"- Stomach"|category|1|False|X|b|True|True||||||',
)
ICD11 = "\ufeff" + "\r\n".join((ICD11_HEADER, *ICD11_ROWS, "")).replace("|", "\t")


@pytest.fixture
def icd11(tmp_path: Path) -> Path:
    path = tmp_path / "SimpleTabulation-ICD-11-MMS-en.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("SimpleTabulation-ICD-11-MMS-en.txt", ICD11)
        archive.writestr("SimpleTabulation-ICD-11-MMS-en.xlsx", "not read")
    return path


def test_read_icd11_reads_categories_with_their_parents(icd11: Path) -> None:
    ontology = read_icd11(icd11, name="icd11")
    assert (ontology.version, format_of(icd11)) == ("2025-01-24", "icd11")
    found = [(concept.id, concept.name, concept.parents, concept.xrefs) for concept in ontology.concepts]
    assert found == [
        ("ICD11:1A00.1", "Mild - moderate cholera", ("ICD11:1A0Z",), ("icd11.foundation:4",)),
        ("ICD11:1A00.Z", "Cholera, unspecified", ("ICD11:1A0Z",), ()),
        ("ICD11:1A0Z", "Cholera", (), ("icd11.foundation:3",)),
        ("ICD11:XA0", "Stomach", (), ("icd11.foundation:5",)),
    ]


def test_read_icd11_leaves_out_residual_categories_and_other_chapters(icd11: Path) -> None:
    options = Icd11Options(residual=False, chapters=("01",))
    assert [c.id for c in read_icd11(icd11, name="x", options=options).concepts] == ["ICD11:1A00.1", "ICD11:1A0Z"]


def order_line(number: int, code: str, valid: int, text: str) -> str:
    return f"{number:05d} {code:<7} {valid} {text[:60]:<60} {text}\n"


def test_read_icd10cm_order_finds_parents_by_prefix(tmp_path: Path) -> None:
    path = tmp_path / "icd10cm-order-2025.txt"
    codes = [("A00", 0, "Cholera"), ("A000", 1, "Cholera due to Vibrio cholerae 01, biovar cholerae"),
             ("T360X1A", 1, "Poisoning by penicillins, accidental, initial encounter")]  # fmt: skip
    path.write_text("".join(order_line(n, *code) for n, code in enumerate(codes, start=1)), encoding="utf-8")
    ontology = read_icd10cm_order(path, name="icd10cm")
    assert (ontology.version, format_of(path), format_of(tmp_path)) == ("2025", "icd10cm-order", "icd10cm-order")
    assert ontology.concepts == (
        Concept("ICD10CM:A00", "Cholera", semantic_type="category"),
        Concept("ICD10CM:A00.0", codes[1][2], parents=("ICD10CM:A00",), semantic_type="subcategory"),
        Concept("ICD10CM:T36.0X1A", codes[2][2], semantic_type="extended subcategory"),
    )


def test_read_icd10cm_order_reads_the_list_for_claims(tmp_path: Path) -> None:
    path = tmp_path / "icd10cm-codes-2025.txt"
    path.write_text("A000    Cholera due to Vibrio\nA001    Other\n", encoding="utf-8")
    assert [concept.name for concept in read_icd10cm_order(path, name="x").concepts] == [
        "Cholera due to Vibrio",
        "Other",
    ]
    path.write_text("A000    Cholera\n***\n", encoding="utf-8")
    with pytest.raises(OntologyFormatError, match=r"icd10cm-codes-2025\.txt:2: a line of another form"):
        read_icd10cm_order(path, name="x")


GILDA = """\
norm_text\ttext\tdb\tid\tentry_name\tstatus\tsource\torganism\tsource_db\tsource_id
kras\tK-RAS\tHGNC\t6407\tKRAS\tsynonym\thgnc\t9606\t\t
kirsten\tkirsten\tHGNC\t6407\tKRAS\tformer_name\tuniprot\t9606\tUP\tP01116
fit\tfit\tHP\tHP:0001250\tSeizure\tsynonym\thp\t\t\t
kras\tkras\tHGNC\t1\tmouse\tname\tmgi\t10090\t\t
"""


def test_read_gilda_gathers_terms_into_concepts(tmp_path: Path) -> None:
    path = tmp_path / "grounding_terms.tsv.gz"
    path.write_bytes(gzip.compress(GILDA.encode()))
    assert format_of(path) == "gilda"
    concepts = read_gilda(path, name="gilda", options=GildaOptions(organisms=("9606",))).concepts
    assert concepts == (
        Concept(
            "HGNC:6407",
            "KRAS",
            (Name("K-RAS"), Name("kirsten", kind="former name")),
            semantic_type="HGNC",
            xrefs=("UP:P01116",),
        ),
        Concept("HP:0001250", "Seizure", (Name("fit"),), semantic_type="HP"),
    )
    assert [c.id for c in read_gilda(path, name="g", options=GildaOptions(databases=("HP",))).concepts] == [
        "HP:0001250"
    ]


def test_read_gilda_names_the_term_that_is_none(tmp_path: Path) -> None:
    path = tmp_path / "terms.tsv"
    path.write_text(GILDA.replace("former_name", "guess"), encoding="utf-8")
    with pytest.raises(OntologyFormatError, match=r"terms\.tsv:3: no term of Gilda's"):
        read_gilda(path, name="gilda")

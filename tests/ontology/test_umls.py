"""The UMLS Metathesaurus: small files in the shape of the UMLS Reference Manual, chapter 3; all rows made up."""

from __future__ import annotations

from pathlib import Path

import pytest

from medlink.errors import OntologyFormatError
from medlink.ontology.umls import UmlsOptions, read_umls
from medlink.records import Concept, Name

CONSO = """\
C0000001|ENG|P|L1|PF|S1|Y|A1||||MSH|MH|D000001|Heart Attack|0|N||
C0000001|ENG|S|L2|PF|S2|Y|A2||||SNOMEDCT_US|PT|22298006|Myocardial infarction|9|N|256|
C0000001|ENG|S|L3|PF|S3|Y|A3||||SNOMEDCT_US|AB|22298006|MI|9|N||
C0000001|ENG|S|L4|PF|S4|Y|A4||||SNOMEDCT_US|OAP|22298006|Cardiac infarct, old|9|O||
C0000001|SPA|P|L5|PF|S5|Y|A5||||MSHSPA|MH|D000001|Infarto del Miocardio|3|N||
C0000002|ENG|P|L6|PF|S6|Y|A6||||HPO|PT|HP:0001626|Heart disorder|0|N||
C0000003|ENG|P|L7|PF|S7|Y|A7||||MTH|PN|NOCODE|Aspirin|0|N||
"""
STY = """\
C0000001|T047|B2.2.1.2.1|Disease or Syndrome|AT1||
C0000002|T047|B2.2.1.2.1|Disease or Syndrome|AT2||
C0000003|T109|A1.4.1.2.1|Organic Chemical|AT3||
C0000003|T121|A1.4.1.1.1|Pharmacologic Substance|AT4||
"""
DEF = """\
C0000001|A1|AT5||MSH|Necrosis of the myocardium.|N||
C0000001|A5|AT6||MSHSPA|Necrosis del miocardio.|N||
C0000002|A6|AT7||HPO|Suppressed.|O||
"""
REL = """\
C0000001|A2|AUI|PAR|C0000002|A6|AUI|inverse_isa|R1||SNOMEDCT_US|SNOMEDCT_US|||N||
C0000002|A6|AUI|CHD|C0000001|A2|AUI|isa|R2||SNOMEDCT_US|SNOMEDCT_US|||N||
C0000003|A7|AUI|PAR|C0000009|A9|AUI||R3||MSH|MSH|||N||
C0000003|A7|AUI|RO|C0000001|A1|AUI|may_treat|R4||MSH|MSH|||N||
"""
CUI = """\
C0000007|2019AA|SY|||C0000001|Y|
C0000008|2019AA|RB|||C0000001|Y|
C0000010|2019AA|DEL||||N|
"""


@pytest.fixture
def meta(tmp_path: Path) -> Path:
    folder = tmp_path / "2024AB" / "META"
    folder.mkdir(parents=True)
    for kind, text in {"CONSO": CONSO, "STY": STY, "DEF": DEF, "REL": REL, "CUI": CUI}.items():
        (folder / f"MR{kind}.RRF").write_text(text, encoding="utf-8")
    return folder


def test_read_umls_gathers_a_concept_from_all_files(meta: Path) -> None:
    ontology = read_umls(meta, name="umls")
    assert ontology.version == "2024AB"
    assert ontology.concepts == (
        Concept(
            "UMLS:C0000001",
            "Heart Attack",
            (Name("MI", kind="abbreviation"), Name("Myocardial infarction")),
            "Necrosis of the myocardium.",
            ("UMLS:C0000002",),
            "Disease or Syndrome",
            ("UMLS:C0000007",),
            ("MESH:D000001", "SNOMEDCT:22298006"),
        ),
        Concept("UMLS:C0000002", "Heart disorder", semantic_type="Disease or Syndrome", xrefs=("HP:0001626",)),
        Concept("UMLS:C0000003", "Aspirin", semantic_type="Organic Chemical|Pharmacologic Substance"),
    )
    assert ontology.concepts[2].semantic_types == ("Organic Chemical", "Pharmacologic Substance")


@pytest.mark.parametrize(
    ("options", "names"),
    [
        (UmlsOptions(sources=("SNOMEDCT_US",)), [["Myocardial infarction", "MI"]]),
        (
            UmlsOptions(sources=("SNOMEDCT_US",), suppressible=True),
            [["Cardiac infarct, old", "MI", "Myocardial infarction"]],
        ),
        (UmlsOptions(semantic_types=("T121",)), [["Aspirin"]]),
        (
            UmlsOptions(semantic_types=("Disease or Syndrome",)),
            [["Heart Attack", "MI", "Myocardial infarction"], ["Heart disorder"]],
        ),
        (UmlsOptions(languages=("SPA",)), [["Infarto del Miocardio"]]),
        (
            UmlsOptions(languages=("SPA", "ENG"), semantic_types=("T047",)),
            [["Infarto del Miocardio", "Heart Attack", "MI", "Myocardial infarction"], ["Heart disorder"]],
        ),
    ],
    ids=["source", "suppressible", "TUI", "type", "language", "languages in order"],
)
def test_read_umls_reads_what_is_chosen(options: UmlsOptions, names: list[list[str]], meta: Path) -> None:
    concepts = read_umls(meta, name="umls", options=options).concepts
    found = [[name.text for name in concept.names] for concept in concepts]
    assert [sorted(group) for group in found] == [sorted(group) for group in names]
    if "SPA" in options.languages:
        assert concepts[0].name == "Infarto del Miocardio"


def test_read_umls_takes_the_name_that_mrrank_trusts_most(meta: Path) -> None:
    (meta / "MRRANK.RRF").write_text("0400|SNOMEDCT_US|PT|N|\n0300|MSH|MH|N|\n", encoding="utf-8")
    assert read_umls(meta, name="umls").concepts[0].name == "Myocardial infarction"


def test_read_umls_refers_to_sources_that_give_no_names(meta: Path) -> None:
    options = UmlsOptions(sources=("SNOMEDCT_US",), xrefs=("MSH",))
    assert read_umls(meta, name="umls", options=options).concepts[0].xrefs == ("MESH:D000001",)


def test_read_umls_needs_only_the_names(meta: Path) -> None:
    concept = read_umls(meta / "MRCONSO.RRF", name="umls").concepts[0]
    assert (concept.name, concept.semantic_type, concept.parents) == ("Heart Attack", "", ())
    with pytest.raises(OntologyFormatError, match=r"missing; expected MRSTY\.RRF"):
        read_umls(meta / "MRCONSO.RRF", name="umls", options=UmlsOptions(semantic_types=("T047",)))


def test_read_umls_names_the_row_that_lacks_cells(meta: Path) -> None:
    with (meta / "MRSTY.RRF").open("a", encoding="utf-8") as stream:
        stream.write("C0000003|T109|\n")
    with pytest.raises(OntologyFormatError, match=r"MRSTY\.RRF:5: no row of MRSTY\.RRF; expected 6 cells.*got 2"):
        read_umls(meta, name="umls")

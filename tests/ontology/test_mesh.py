"""MeSH: small XML files in the shape of NLM's "MeSH XML Data Elements"; records made up."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from medlink.errors import OntologyFormatError
from medlink.ontology.mesh import MeshOptions, read_mesh
from medlink.ontology.readers import format_of
from medlink.records import Concept, Name, Scope

DESCRIPTORS = """<?xml version="1.0"?>
<!DOCTYPE DescriptorRecordSet SYSTEM "https://www.nlm.nih.gov/databases/dtd/nlmdescriptorrecordset_20250101.dtd">
<DescriptorRecordSet LanguageCode = "eng">
<DescriptorRecord DescriptorClass = "1">
  <DescriptorUI>D000001</DescriptorUI>
  <DescriptorName><String>Heart Diseases</String></DescriptorName>
  <TreeNumberList><TreeNumber>C14.280</TreeNumber></TreeNumberList>
  <ConceptList><Concept PreferredConceptYN="Y"><ConceptUI>M1</ConceptUI>
    <ConceptName><String>Heart Diseases</String></ConceptName>
    <TermList><Term ConceptPreferredTermYN="Y" IsPermutedTermYN="N" LexicalTag="NON" RecordPreferredTermYN="Y">
      <TermUI>T1</TermUI><String>Heart Diseases</String></Term></TermList>
  </Concept></ConceptList>
</DescriptorRecord>
<DescriptorRecord DescriptorClass = "1">
  <DescriptorUI>D000002</DescriptorUI>
  <DescriptorName><String>Myocardial Infarction</String></DescriptorName>
  <TreeNumberList><TreeNumber>C14.280.647</TreeNumber><TreeNumber>C14.907.585</TreeNumber></TreeNumberList>
  <ConceptList>
   <Concept PreferredConceptYN="Y"><ConceptUI>M2</ConceptUI>
    <ConceptName><String>Myocardial Infarction</String></ConceptName>
    <ScopeNote>NECROSIS of the
      MYOCARDIUM.</ScopeNote>
    <ConceptRelationList><ConceptRelation RelationName="NRW">
      <Concept1UI>M2</Concept1UI><Concept2UI>M3</Concept2UI></ConceptRelation></ConceptRelationList>
    <TermList>
     <Term ConceptPreferredTermYN="Y" IsPermutedTermYN="N" LexicalTag="NON" RecordPreferredTermYN="Y">
      <TermUI>T2</TermUI><String>Myocardial Infarction</String></Term>
     <Term ConceptPreferredTermYN="N" IsPermutedTermYN="Y" LexicalTag="NON" RecordPreferredTermYN="N">
      <TermUI>T2</TermUI><String>Infarction, Myocardial</String></Term>
     <Term ConceptPreferredTermYN="N" IsPermutedTermYN="N" LexicalTag="ABB" RecordPreferredTermYN="N">
      <TermUI>T3</TermUI><String>MI</String></Term>
    </TermList>
   </Concept>
   <Concept PreferredConceptYN="N"><ConceptUI>M3</ConceptUI>
    <ConceptName><String>Cardiac Stroke</String></ConceptName>
    <ConceptRelationList><ConceptRelation RelationName="NRW">
      <Concept1UI>M2</Concept1UI><Concept2UI>M3</Concept2UI></ConceptRelation></ConceptRelationList>
    <TermList><Term ConceptPreferredTermYN="Y" IsPermutedTermYN="N" LexicalTag="NON" RecordPreferredTermYN="N">
      <TermUI>T4</TermUI><String>Cardiac Stroke</String></Term></TermList>
   </Concept>
  </ConceptList>
</DescriptorRecord>
<DescriptorRecord DescriptorClass = "1">
  <DescriptorUI>D000003</DescriptorUI>
  <DescriptorName><String>Calcimycin</String></DescriptorName>
  <TreeNumberList><TreeNumber>D03.633</TreeNumber></TreeNumberList>
  <ConceptList><Concept PreferredConceptYN="Y"><ConceptUI>M4</ConceptUI>
    <ConceptName><String>Calcimycin</String></ConceptName>
    <RegistryNumbers><RegistryNumber>37H9VM9WZL</RegistryNumber><RegistryNumber>52665-69-7</RegistryNumber>
      <RegistryNumber>0</RegistryNumber></RegistryNumbers>
    <TermList><Term ConceptPreferredTermYN="Y" IsPermutedTermYN="N" LexicalTag="NON" RecordPreferredTermYN="Y">
      <TermUI>T5</TermUI><String>Calcimycin</String></Term></TermList>
  </Concept></ConceptList>
</DescriptorRecord>
</DescriptorRecordSet>
"""
SUPPLEMENTARY = """<?xml version="1.0"?>
<SupplementalRecordSet LanguageCode = "eng">
<SupplementalRecord SCRClass = "3">
  <SupplementalRecordUI>C000001</SupplementalRecordUI>
  <SupplementalRecordName><String>Familial infarction</String></SupplementalRecordName>
  <HeadingMappedToList><HeadingMappedTo><DescriptorReferredTo>
    <DescriptorUI>*D000002</DescriptorUI><DescriptorName><String>Myocardial Infarction</String></DescriptorName>
  </DescriptorReferredTo></HeadingMappedTo></HeadingMappedToList>
  <ConceptList><Concept PreferredConceptYN="Y"><ConceptUI>M5</ConceptUI>
    <ConceptName><String>Familial infarction</String></ConceptName>
    <TermList><Term ConceptPreferredTermYN="Y" IsPermutedTermYN="N" LexicalTag="NON" RecordPreferredTermYN="Y">
      <TermUI>T6</TermUI><String>Familial infarction</String></Term></TermList>
  </Concept></ConceptList>
</SupplementalRecord>
</SupplementalRecordSet>
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "desc2025.xml").write_text(DESCRIPTORS, encoding="utf-8")
    (tmp_path / "supp2025.gz").write_bytes(gzip.compress(SUPPLEMENTARY.encode()))
    return tmp_path


INFARCTION = Concept(
    "MESH:D000002",
    "Myocardial Infarction",
    (Name("MI", kind="abbreviation"), Name("Cardiac Stroke", Scope.NARROW)),
    "NECROSIS of the MYOCARDIUM.",
    ("MESH:D000001",),
    "Diseases",
)


def test_read_mesh_reads_descriptors_and_supplementary_records(folder: Path) -> None:
    ontology = read_mesh(folder, name="mesh")
    assert ontology.version == "2025"
    assert ontology.concepts == (
        Concept("MESH:C000001", "Familial infarction", parents=("MESH:D000002",), semantic_type="Diseases"),
        Concept("MESH:D000001", "Heart Diseases", semantic_type="Diseases"),
        INFARCTION,
        Concept(
            "MESH:D000003",
            "Calcimycin",
            semantic_type="Chemicals and Drugs",
            xrefs=("CAS:52665-69-7", "UNII:37H9VM9WZL"),
        ),
    )


def test_read_mesh_cuts_to_categories(folder: Path) -> None:
    concepts = read_mesh(folder, name="mesh", options=MeshOptions(categories=("c",))).concepts
    assert [concept.id for concept in concepts] == ["MESH:C000001", "MESH:D000001", "MESH:D000002"]


def test_read_mesh_takes_permuted_terms_when_asked(folder: Path) -> None:
    concepts = read_mesh(folder, name="mesh", options=MeshOptions(permuted=True)).concepts
    assert Name("Infarction, Myocardial") in concepts[2].synonyms


def test_read_mesh_reads_one_file_of_any_name(folder: Path) -> None:
    file = folder.parent / "mine.xml"
    file.write_text(DESCRIPTORS, encoding="utf-8")
    assert format_of(file) == format_of(folder) == format_of(folder / "supp2025.gz") == "mesh"
    assert read_mesh(file, name="mine").concepts[1] == INFARCTION


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (DESCRIPTORS[:900], r"desc2025\.xml:\d+: the file is no XML"),
        ("<Other/>", r"no concept found; expected DescriptorRecord or SupplementalRecord"),
    ],
    ids=["cut off", "another"],
)
def test_read_mesh_says_what_is_wrong(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "desc2025.xml").write_text(text, encoding="utf-8")
    with pytest.raises(OntologyFormatError, match=message):
        read_mesh(tmp_path / "desc2025.xml", name="mesh")

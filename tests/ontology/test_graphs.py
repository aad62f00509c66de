"""OBO Graphs JSON and OWL: the same ontology in three forms gives the same concepts."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from medlink.errors import OntologyFormatError
from medlink.ontology.obo import read_obo
from medlink.ontology.obo_terms import GraphOptions
from medlink.ontology.obograph import read_obograph
from medlink.ontology.owl import OwlOptions, read_owl
from medlink.ontology.readers import format_of
from medlink.records import Concept

OBO = """\
format-version: 1.2
data-version: x/releases/2025-01-16
ontology: x
property_value: http://purl.org/dc/terms/license "https://example.org/licence" xsd:string
property_value: http://purl.org/dc/terms/title "The X" xsd:string

[Term]
id: X:0000001
name: Finding

[Term]
id: X:0000002
name: Seizure
alt_id: X:0000009
def: "An  intermittent abnormality." [PMID:1]
synonym: "Fit" EXACT layperson [PMID:2]
synonym: "Epilepsy" RELATED []
xref: UMLS:C0036572
is_a: X:0000001

[Term]
id: X:0000003
name: obsolete Spell
is_obsolete: true
replaced_by: X:0000002
"""
P = "http://purl.obolibrary.org/obo/"
OIO = "http://www.geneontology.org/formats/oboInOwl#"
GRAPH = {
    "graphs": [
        {
            "id": f"{P}x.owl",
            "meta": {
                "version": f"{P}x/releases/2025-01-16/x.json",
                "basicPropertyValues": [
                    {"pred": "http://purl.org/dc/terms/license", "val": "https://example.org/licence"},
                    {"pred": "http://purl.org/dc/terms/title", "val": "The X"},
                ],
            },
            "nodes": [
                {"id": f"{P}X_0000001", "lbl": "Finding", "type": "CLASS"},
                {
                    "id": f"{P}X_0000002",
                    "lbl": "Seizure",
                    "type": "CLASS",
                    "meta": {
                        "definition": {"val": "An  intermittent abnormality.", "xrefs": ["PMID:1"]},
                        "synonyms": [
                            {"pred": "hasExactSynonym", "val": "Fit", "synonymType": f"{P}x#layperson"},
                            {"pred": "hasRelatedSynonym", "val": "Epilepsy"},
                        ],
                        "xrefs": [{"val": "UMLS:C0036572"}],
                        "basicPropertyValues": [{"pred": f"{OIO}hasAlternativeId", "val": "X:0000009"}],
                    },
                },
                {
                    "id": f"{P}X_0000003",
                    "lbl": "obsolete Spell",
                    "type": "CLASS",
                    "meta": {
                        "deprecated": True,
                        "basicPropertyValues": [{"pred": f"{P}IAO_0100001", "val": f"{P}X_0000002"}],
                    },
                },
                {
                    "id": f"{P}X_0000009",
                    "type": "CLASS",
                    "meta": {
                        "deprecated": True,
                        "basicPropertyValues": [{"pred": f"{P}IAO_0100001", "val": f"{P}X_0000002"}],
                    },
                },
                {"id": f"{P}RO_0000001", "lbl": "part of", "type": "PROPERTY"},
                {"id": f"{P}Y_0000001", "lbl": "Imported", "type": "CLASS"},
            ],
            "edges": [
                {"sub": f"{P}X_0000002", "pred": "is_a", "obj": f"{P}X_0000001"},
                {"sub": f"{P}X_0000002", "pred": f"{P}RO_0000001", "obj": f"{P}X_0000003"},
            ],
        }
    ]
}
OWL = """<?xml version="1.0"?>
<rdf:RDF xmlns="http://purl.obolibrary.org/obo/x.owl#" xml:base="http://purl.obolibrary.org/obo/x.owl"
  xmlns:obo="http://purl.obolibrary.org/obo/" xmlns:owl="http://www.w3.org/2002/07/owl#"
  xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns:rdfs="http://www.w3.org/2000/01/rdf-schema#"
  xmlns:terms="http://purl.org/dc/terms/" xmlns:oboInOwl="http://www.geneontology.org/formats/oboInOwl#">
 <owl:Ontology rdf:about="http://purl.obolibrary.org/obo/x.owl">
  <owl:versionIRI rdf:resource="http://purl.obolibrary.org/obo/x/releases/2025-01-16/x.owl"/>
  <terms:license rdf:resource="https://example.org/licence"/>
  <terms:title>The X</terms:title>
 </owl:Ontology>
 <owl:ObjectProperty rdf:about="http://purl.obolibrary.org/obo/RO_0000001"><rdfs:label>part of</rdfs:label>
 </owl:ObjectProperty>
 <owl:Class rdf:about="http://purl.obolibrary.org/obo/X_0000001">
  <rdfs:label xml:lang="en">Finding</rdfs:label><rdfs:label xml:lang="de">Befund</rdfs:label></owl:Class>
 <owl:Class rdf:about="http://purl.obolibrary.org/obo/X_0000002">
  <rdfs:subClassOf rdf:resource="http://purl.obolibrary.org/obo/X_0000001"/>
  <rdfs:subClassOf><owl:Restriction>
    <owl:onProperty rdf:resource="http://purl.obolibrary.org/obo/RO_0000001"/>
    <owl:someValuesFrom rdf:resource="http://purl.obolibrary.org/obo/X_0000003"/>
  </owl:Restriction></rdfs:subClassOf>
  <obo:IAO_0000115>An  intermittent abnormality.</obo:IAO_0000115>
  <oboInOwl:hasAlternativeId>X:0000009</oboInOwl:hasAlternativeId>
  <oboInOwl:hasDbXref>UMLS:C0036572</oboInOwl:hasDbXref>
  <oboInOwl:hasExactSynonym>Fit</oboInOwl:hasExactSynonym>
  <oboInOwl:hasRelatedSynonym>Epilepsy</oboInOwl:hasRelatedSynonym>
  <rdfs:label>Seizure</rdfs:label>
 </owl:Class>
 <owl:Axiom>
  <owl:annotatedSource rdf:resource="http://purl.obolibrary.org/obo/X_0000002"/>
  <owl:annotatedProperty rdf:resource="http://www.geneontology.org/formats/oboInOwl#hasExactSynonym"/>
  <owl:annotatedTarget>Fit</owl:annotatedTarget>
  <oboInOwl:hasDbXref>PMID:2</oboInOwl:hasDbXref>
  <oboInOwl:hasSynonymType rdf:resource="http://purl.obolibrary.org/obo/x#layperson"/>
 </owl:Axiom>
 <owl:Class rdf:about="http://purl.obolibrary.org/obo/X_0000003">
  <obo:IAO_0100001 rdf:resource="http://purl.obolibrary.org/obo/X_0000002"/>
  <rdfs:label>obsolete Spell</rdfs:label>
  <owl:deprecated rdf:datatype="http://www.w3.org/2001/XMLSchema#boolean">true</owl:deprecated>
 </owl:Class>
 <owl:Class rdf:about="http://purl.obolibrary.org/obo/Y_0000001"><rdfs:label>Imported</rdfs:label></owl:Class>
</rdf:RDF>
"""
TURTLE = """\
@prefix skos: <http://www.w3.org/2004/02/skos/core#> .
@prefix owl: <http://www.w3.org/2002/07/owl#> .
<http://example.org/v> a owl:Ontology ; owl:versionInfo "7" .
<http://www.orpha.net/ORDO/Orphanet_1> a owl:Class ; skos:prefLabel "Rare"@en , "Selten"@de ;
  skos:altLabel "Seldom" ; skos:definition "Not often." ; skos:exactMatch <http://id.nlm.nih.gov/mesh/D1> .
"""


@pytest.fixture
def concepts(tmp_path: Path) -> tuple[Concept, ...]:
    (tmp_path / "x.obo").write_text(OBO, encoding="utf-8")
    return tuple(read_obo(tmp_path / "x.obo", name="x").concepts)


def test_obo_graph_gives_what_the_obo_file_gives(concepts: tuple[Concept, ...], tmp_path: Path) -> None:
    file = tmp_path / "x.json.gz"
    file.write_bytes(gzip.compress(json.dumps(GRAPH).encode()))
    ontology = read_obograph(file, name="x", options=GraphOptions(prefixes=("X",)))
    assert ontology.concepts == concepts
    assert (ontology.title, ontology.version) == ("The X", "2025-01-16")
    assert ontology.licence == "https://example.org/licence"
    assert format_of(file) == "obograph"
    assert [c.id for c in read_obograph(file, name="x").concepts][-1] == "Y:0000001"


def test_owl_gives_what_the_obo_file_gives(concepts: tuple[Concept, ...], tmp_path: Path) -> None:
    file = tmp_path / "x.owl"
    file.write_text(OWL, encoding="utf-8")
    ontology = read_owl(file, name="x", options=OwlOptions(prefixes=("X",)))
    assert ontology.concepts == concepts
    assert (ontology.title, ontology.version) == ("The X", "2025-01-16")
    assert ontology.licence == "https://example.org/licence"
    assert format_of(file) == "owl"


def test_owl_reads_skos_in_turtle(tmp_path: Path) -> None:
    file = tmp_path / "v.ttl"
    file.write_text(TURTLE, encoding="utf-8")
    ontology = read_owl(file, name="v")
    assert ontology.version == "7"
    (concept,) = ontology.concepts
    assert (concept.id, concept.name, concept.definition) == ("Orphanet:1", "Rare", "Not often.")
    assert ([name.text for name in concept.synonyms], concept.xrefs) == (["Seldom"], ("MESH:D1",))


def test_owl_in_another_language(tmp_path: Path) -> None:
    file = tmp_path / "v.ttl"
    file.write_text(TURTLE, encoding="utf-8")
    assert read_owl(file, name="v", options=OwlOptions(languages=("de",))).concepts[0].name == "Selten"


def test_graphs_name_the_broken_file(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text(json.dumps(GRAPH)[:-30], encoding="utf-8")
    with pytest.raises(OntologyFormatError, match=r"x\.json: the file is no JSON"):
        read_obograph(tmp_path / "x.json", name="x")
    (tmp_path / "x.owl").write_text(OWL.replace("</owl:Axiom>", ""), encoding="utf-8")
    with pytest.raises(OntologyFormatError, match=r"x\.owl:\d+: the file is no RDF.*robot convert"):
        read_owl(tmp_path / "x.owl", name="x")
    (tmp_path / "x.owl").write_text("Prefix(:=<http://x#>)\nOntology(<http://x>)\n", encoding="utf-8")
    with pytest.raises(OntologyFormatError, match=r"no RDF|no concept found"):
        read_owl(tmp_path / "x.owl", name="x")

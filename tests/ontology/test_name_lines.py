"""Dictionaries in the form of BioSyn as ontologies."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from medlink.errors import OntologyFormatError
from medlink.ontology.addition import add_ontology
from medlink.ontology.catalogue import load_ontology
from medlink.ontology.lexicon import Lexicon
from medlink.ontology.name_lines import read_name_lines
from medlink.ontology.readers import format_of

LINES = "D2|613097|OMIM:7||Renal  cyst|Cyst of kidney|Renal cyst\n\nD1||Fit\nD1||Seizure\n"


@pytest.mark.parametrize("suffix", [".txt", ".txt.gz"])
def test_read_name_lines_gathers_ids_and_names(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"medic{suffix}"
    path.write_bytes(gzip.compress(LINES.encode()) if suffix.endswith("gz") else LINES.encode())
    ontology = load_ontology(path)
    assert [(c.id, c.name, [n.text for n in c.synonyms], c.alt_ids) for c in ontology.concepts] == [
        ("D1", "Fit", ["Seizure"], ()),
        ("D2", "Renal cyst", ["Cyst of kidney"], ("613097", "OMIM:7")),
    ]
    assert (ontology.name, ontology.version[:7]) == ("medic", "sha256:")
    assert Lexicon(ontology).resolve("613097") == "D2"


@pytest.mark.parametrize(
    ("content", "place", "message"),
    [
        ("D1||Fit\nD2|Fit\n", 2, "a line of another form"),
        ("D1||Fit||Seizure\n", 1, "3 fields"),
        ("D1|| | \n", 1, "a line of another form"),
        ("||Fit\n", 1, "a line of another form"),
        ("D1||Fit\nD1|7||Seizure\n", 2, "an id comes twice"),
    ],
)
def test_read_name_lines_names_the_broken_line(content: str, place: int, message: str, tmp_path: Path) -> None:
    path = tmp_path / "medic.txt"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(OntologyFormatError, match=message) as caught:
        read_name_lines(path, name="medic")
    assert caught.value.where == f"{path}:{place}"


def test_format_of_a_text_file_is_told_by_its_first_line(tmp_path: Path) -> None:
    path = tmp_path / "names.txt"
    path.write_text("D1||Fit\n", encoding="utf-8")
    assert format_of(path) == "biosyn"
    path.write_text("id\tname\nD1\tFit\n", encoding="utf-8")
    assert format_of(path) == "table"


def test_a_dictionary_can_be_added_to_the_catalogue(tmp_path: Path) -> None:
    path = tmp_path / "medic.txt"
    path.write_text(LINES, encoding="utf-8")
    entry = add_ontology(path, "diseases", tmp_path / "own")
    assert entry.format == "biosyn"
    assert [concept.id for concept in load_ontology(entry).concepts] == ["D1", "D2"]

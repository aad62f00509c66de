from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from medlink.errors import OntologyFormatError
from medlink.ontology.table import read_table
from medlink.records import Concept, Name

TEXT = "id,name,synonyms,parents,type,definition\nX:2,Fit,Spell|Turn||Fit,X:1|X:1,finding,Short.\nX:1,Finding,,,,\n"
CONCEPTS = (
    Concept("X:1", "Finding"),
    Concept("X:2", "Fit", (Name("Spell"), Name("Turn")), "Short.", ("X:1",), "finding"),
)


def write(folder: Path, content: str | bytes, name: str = "x.csv") -> Path:
    file = folder / name
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return file


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (TEXT, "x.csv"),
        (TEXT.replace(",", ";"), "x.csv"),
        (TEXT.replace(",", "\t"), "x.tsv"),
        (TEXT.replace(",", "\t"), "x.txt"),
        ("\ufeff" + TEXT, "x.csv"),
        (TEXT.replace("\n", "\r\n"), "x.csv"),
        (TEXT.rstrip(), "x.csv"),
        (TEXT.replace("\n", "\n\n,,,,,\n"), "x.csv"),
        (TEXT.replace("id,name", "  ID ,Name"), "x.csv"),
        (gzip.compress(TEXT.replace(",", "\t").encode()), "x.tsv.gz"),
    ],
    ids=["comma", "semicolon", "tab", "tab in .txt", "BOM", "CRLF", "no end", "empty rows", "case of header", "gzip"],
)
def test_read_table_gives_the_same_concepts_however_it_is_written(
    tmp_path: Path, content: str | bytes, name: str
) -> None:
    assert read_table(write(tmp_path, content, name), name="x").concepts == CONCEPTS


def test_read_table_needs_only_id_and_name_in_any_order(tmp_path: Path) -> None:
    ontology = read_table(write(tmp_path, "name,id\nCœur 🫀,X:1\n"), name="mine")
    assert ontology.concepts == (Concept("X:1", "Cœur 🫀"),)
    assert (ontology.name, ontology.title, ontology.licence) == ("mine", "mine", "")
    assert ontology.version == f"sha256:{ontology.sha256[:12]}"


def test_read_table_reads_quoted_delimiters_and_line_ends(tmp_path: Path) -> None:
    text = 'id,name,definition\r\nX:1,"Pain, ""sharp""","Two\r\nlines"\r\nX:2,Ache,\r\n'
    first, second = read_table(write(tmp_path, text), name="x").concepts
    assert (first.name, first.definition) == ('Pain, "sharp"', "Two lines")
    assert second.name == "Ache"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"x\.csv:1: the header.*missing: 'id', 'name'"),
        ("id,label\nX:1,A\n", r"x\.csv:1: the header.*missing: 'name'; unknown: 'label'"),
        ("id,name,synonym\nX:1,A,B\n", r"x\.csv:1: the header.*unknown: 'synonym'"),
        ("id,name,name\nX:1,A,B\n", r"x\.csv:1: the header.*twice: 'name'"),
        ("id,name\n", r"x\.csv: no concept found"),
        ("id,name\nX:1,A\n\nX:2,\n", r"x\.csv:4: the name is empty"),
        ("id,name\n ,A\n", r"x\.csv:2: the id is empty"),
        ("id,name\nX:1,A\nX:2,B,C\n", r"x\.csv:3: the row does not fit the header; expected 2 cells; got 3"),
        ('id,name\nX:1,"A\nB"\nX:1,C\n', r"x\.csv:4: an id comes twice.*line 2"),
        ('id,name\nX:1,A\nX:2,"B\nX:3,C\n', r"x\.csv:3: the row is no CSV"),
        ('id,name\nX:1,"A"B\n', r"x\.csv:2: the row is no CSV"),
    ],
    ids=[
        "empty", "column missing", "column unknown", "column twice", "no rows", "no name", "no id", "cells",
        "double id", "open quote", "stray quote",
    ],
)  # fmt: skip
def test_read_table_names_the_line_and_what_was_expected(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(OntologyFormatError, match=message):
        read_table(write(tmp_path, text), name="x")

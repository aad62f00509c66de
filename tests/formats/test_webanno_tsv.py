from __future__ import annotations

import json
from pathlib import Path

import pytest

from medlink.records import Verdict
from tests.formats.annotating import read, read_bytes

# One layer of named entities, one of the project's own, a relation in between; the emoji counts for two.
TSV = """#FORMAT=WebAnno TSV 3.3
#T_SP=de.tudarmstadt.ukp.dkpro.core.api.ner.type.NamedEntity|identifier|value
#T_RL=webanno.custom.Cause|kind|BT_de.tudarmstadt.ukp.dkpro.core.api.segmentation.type.Token
#T_SP=webanno.custom.Finding|term


#Text=😀 Heart attack.
1-1\t0-2\t😀\t_\t_\t_\t_\t_\t
1-2\t3-8\tHeart\tHP:0001658[1]\tDisease[1]\t_\t_\t_\t
1-3\t9-15\tattack\tHP:0001658[1]\tDisease[1]\tx\t1-2\t_\t
1-4\t15-16\t.\t_\t_\t_\t_\t_\t

#Text=Renal\\tcysts
2-1\t17-22\tRenal\t_\t_\t_\t_\thttp://purl.obolibrary.org/obo/HP\\_0000107[2]|*\t
2-2\t23-28\tcysts\t*\tNIL\t_\t_\thttp://purl.obolibrary.org/obo/HP\\_0000107[2]\t
2-2.1\t23-27\tcyst\t*\t*\t_\t_\t_\t
"""


def test_layers_stacks_and_parts_of_tokens_are_read(tmp_path: Path) -> None:
    good, bad = read_bytes(tmp_path, TSV, "annotation/note-7.txt/kim.tsv")
    assert {a.text for a in good} == {"😀 Heart attack.\nRenal\tcysts"}
    assert [(a.start, a.end, a.surface, a.concept_id, a.verdict) for a in good] == [
        (2, 14, "Heart attack", "HP:0001658", Verdict.MISSED),
        (16, 27, "Renal\tcysts", "HP:0000107", Verdict.MISSED),
        (22, 27, "cysts", None, Verdict.MISSED),
    ]
    assert [item.reason[:29] for item in bad] == ["a span without a concept: nam"] * 2
    assert [json.loads(item.raw)["start"] for item in bad] == [16, 22]


def test_document_and_annotator_are_those_of_the_path(tmp_path: Path) -> None:
    read_bytes(tmp_path, TSV, "annotation/note-7.txt/kim.tsv")
    good, _ = read(tmp_path / "annotation")
    assert {(a.doc_id, a.annotator) for a in good} == {("note-7", "kim")}


def test_a_lone_file_is_its_own_document(tmp_path: Path) -> None:
    good, _ = read_bytes(tmp_path, TSV, "note-7.tsv")
    assert {(a.doc_id, a.annotator) for a in good} == {("note-7", "")}


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("1-4\t15-16\t.", "1-4 15-16 .", "a line of no known form"),
        ("1-4\t15-16", "1-4\t-5-16", "a line of no known form"),
        ("2-1\t17-22", "2-1\t3-8", "sentences that overlap"),
        ("2-1\t17-22", "2-1\t1700000000-1700000001", "sentences that overlap or lie far apart"),
        ("TSV 3.3", "TSV 2", "no known format"),
        ("23-27\tcyst\t*\t*", "23-99\tcyst\t*\tHP:1", "a span outside of the text"),
    ],
)
def test_broken_files_say_why(tmp_path: Path, old: str, new: str, reason: str) -> None:
    assert old in TSV
    _, bad = read_bytes(tmp_path, TSV.replace(old, new))
    assert any(item.reason.startswith(reason) for item in bad)

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import bioc
import pytest

from medlink.formats.writers import write_links
from medlink.records import Verdict
from tests.formats.annotating import NOTE, OTHER, read_bytes

# In the form of PubTator's own export, with a title, an abstract, and INCEpTION's habit in the second passage.
XML = """<?xml version='1.0' encoding='UTF-8'?>
<!DOCTYPE collection SYSTEM "BioC.dtd">
<collection><source>PubTator</source><date></date><key>BioC.key</key>
<document><id>note</id>
<passage><infon key="type">title</infon><offset>0</offset><text>Two fits.</text>
<annotation id="1"><infon key="identifier">MESH:D012640</infon><infon key="type">Disease</infon>{who}
<location offset="4" length="4"/><text>fits</text></annotation></passage>
<passage><infon key="type">abstract</infon><offset>10</offset>
<sentence><offset>10</offset><text>Left and right kidney.</text>
<annotation id="2"><infon key="MESH">D007668</infon>{who}
<location offset="0" length="4"/><location offset="15" length="6"/><text>Left kidney</text></annotation></sentence>
<sentence><offset>33</offset><text>Has GERD.</text>
<annotation id="3"><infon key="identifier">-</infon>{who}
<location offset="4" length="4"/><text>GERD</text></annotation></sentence>
</passage></document></collection>
"""


def test_passages_sentences_and_pieces_are_placed_in_the_document(tmp_path: Path) -> None:
    good, bad = read_bytes(tmp_path, XML.format(who=""))
    assert bad == []
    assert {a.text for a in good} == {"Two fits. Left and right kidney. Has GERD."}
    assert [(a.start, a.end, a.surface, a.expanded, a.concept_id, a.verdict) for a in good] == [
        (4, 8, "fits", "", "MESH:D012640", Verdict.MISSED),
        (10, 31, "Left and right kidney", "Left kidney", "D007668", Verdict.MISSED),
        (37, 41, "GERD", "", None, Verdict.MISSED),
    ]
    assert [a.source.record_id for a in good] == ["1", "2", "3"]


def test_teamtat_names_annotator_and_time(tmp_path: Path) -> None:
    who = '<infon key="annotator">kim@x.org</infon><infon key="updated_at">2024-05-01T10:00:00Z</infon>'
    good, bad = read_bytes(tmp_path, XML.format(who=who))
    assert bad == []
    assert {(a.annotator, a.time and a.time.isoformat()) for a in good} == {("kim@x.org", "2024-05-01T10:00:00+00:00")}


def test_pubtator_3_json_is_read(tmp_path: Path) -> None:
    annotation = {"id": "2", "infons": {"identifier": "MESH:D1", "type": "Disease"}, "text": "fits"}
    passage = {"infons": {}, "offset": 0, "text": "Two fits.", "sentences": [], "relations": []}
    passage["annotations"] = [{**annotation, "locations": [{"offset": 4, "length": 4}]}]
    good, bad = read_bytes(tmp_path, json.dumps({"PubTator3": [{"id": "note", "infons": {}, "passages": [passage]}]}))
    assert (bad, [(a.surface, a.concept_id) for a in good]) == ([], [("fits", "MESH:D1")])


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ('<location offset="4" length="4"/><text>fits', "<text>fits", "an annotation without a location"),
        ('offset="4" length="4"/><text>fits', 'offset="x" length="4"/><text>fits', "'offset' is no whole number"),
        ("MESH:D012640", "MESH:D1|MESH:D2", "several concepts for one span"),
        ('offset="4" length="4"/><text>fits', 'offset="4" length="0"/><text>fits', "0 <= start < end, got [4, 4)"),
    ],
)
def test_one_bad_annotation_costs_one_annotation(tmp_path: Path, old: str, new: str, reason: str) -> None:
    text = XML.format(who="")
    assert old in text
    good, (rejected,) = read_bytes(tmp_path, text.replace(old, new))
    assert [a.surface for a in good] == ["Left and right kidney", "GERD"]
    assert reason in rejected.reason
    assert rejected.source.record_id == "1"


def test_a_document_without_an_offset_costs_one_document(tmp_path: Path) -> None:
    text = XML.format(who="")
    document = text[text.index("<document>") : text.index("</collection>")]
    broken = document.replace("<offset>0</offset>", "")
    good, (rejected,) = read_bytes(tmp_path, text.replace(document, broken + document))
    assert len(good) == 3
    assert (rejected.source.line, rejected.reason) == (1, "'offset' is no whole number; got NoneType")


def test_what_stands_before_the_broken_place_is_kept(tmp_path: Path) -> None:
    text = XML.format(who="")
    document = text[text.index("<document>") : text.index("</collection>")]
    good, (rejected,) = read_bytes(tmp_path, text.replace(document, document * 3)[: -len(document)])
    assert len(good) == 6
    assert rejected.reason.startswith("broken XML")


def test_other_xml_is_refused(tmp_path: Path) -> None:
    good, (rejected,) = read_bytes(tmp_path, "<x><document/></x>", format="bioc")
    assert (good, rejected.reason) == ([], "another kind of XML; expected <collection> as the first element")


def test_the_field_s_library_reads_what_is_written(tmp_path: Path) -> None:
    write_links([NOTE, OTHER], tmp_path / "links.xml", format="bioc")
    write_links([NOTE, OTHER], tmp_path / "links.json", format="bioc-json")
    with (tmp_path / "links.xml").open() as stream:
        xml = bioc.load(stream)
    with (tmp_path / "links.json").open() as stream:
        packed = bioc.biocjson.load(stream)
    for collection in (xml, packed):
        assert [document.id for document in collection.documents] == ["ward 3/note.1", "plain"]
        found: list[Any] = collection.documents[0].passages[0].annotations
        assert [annotation.text for annotation in found] == [link.mention.surface for link in NOTE.links]
        assert [annotation.infons["identifier"] for annotation in found][-1] == "NIL"
        assert [annotation.total_span.offset for annotation in found] == [link.mention.start for link in NOTE.links]

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import cassis

from medlink.formats.writers import write_links
from medlink.records import Verdict
from tests.formats.annotating import BASELINE, NOTE, UNTOUCHED, read, read_bytes, said

NOTE_TEXT = "😀 No fits. Has GERD and pain."
METADATA = "de.tudarmstadt.ukp.dkpro.core.api.metadata.type.DocumentMetaData"
LAYER = "webanno.custom.Phenotypes"
STRING = {"%RANGE": "uima.cas.String"}


def cas_json(*structures: dict[str, Any], text: str = NOTE_TEXT) -> str:
    """A CAS in the shape of INCEpTION's export, with a project's own layer and a layer of other things."""
    rows = [
        {
            "%ID": 1,
            "%TYPE": "uima.cas.Sofa",
            "sofaNum": 1,
            "sofaID": "_InitialView",
            "mimeType": "text",
            "sofaString": text,
        },
        {
            "%ID": 2,
            "%TYPE": METADATA,
            "@sofa": 1,
            "begin": 0,
            "end": 30,
            "documentTitle": "note-7.txt",
            "documentId": "kim",
        },
        {"%ID": 3, "%TYPE": "webanno.custom.Cue", "@sofa": 1, "begin": 3, "end": 5, "kind": "negation"},
        *({"%ID": 10 + n, "%TYPE": LAYER, "@sofa": 1, **row} for n, row in enumerate(structures)),
    ]
    types = {
        METADATA: {
            "%NAME": METADATA, "%SUPER_TYPE": "uima.tcas.DocumentAnnotation",
            **{name: {"%NAME": name, **STRING} for name in ("documentTitle", "documentId")},
        },
        LAYER: {"%NAME": LAYER, "%SUPER_TYPE": "uima.tcas.Annotation", "HPOterm": {"%NAME": "HPOterm", **STRING}},
        "webanno.custom.Cue": {
            "%NAME": "webanno.custom.Cue", "%SUPER_TYPE": "uima.tcas.Annotation", "kind": {"%NAME": "kind", **STRING},
        },
    }  # fmt: skip
    views = {"_InitialView": {"%SOFA": 1, "%MEMBERS": [row["%ID"] for row in rows[1:]]}}
    return json.dumps({"%TYPES": types, "%FEATURE_STRUCTURES": rows, "%VIEWS": views})


FITS = {"begin": 6, "end": 10, "HPOterm": "http://purl.obolibrary.org/obo/HP_0001250"}


def test_a_layer_of_the_project_s_own_is_found_by_its_ids(tmp_path: Path) -> None:
    unlinked = {"begin": 16, "end": 20}
    good, (rejected,) = read_bytes(tmp_path, cas_json(FITS, unlinked), "kim.json")
    assert [(a.doc_id, a.annotator, a.start, a.end, a.surface, a.concept_id, a.verdict, a.tool) for a in good] == [
        ("note-7", "kim", 5, 9, "fits", "HP:0001250", Verdict.MISSED, "inception")
    ]
    assert (rejected.source.record_id, rejected.reason[:22]) == ("11", "a span without a conce")


def test_a_span_outside_of_the_text_costs_that_span(tmp_path: Path) -> None:
    good, (rejected,) = read_bytes(tmp_path, cas_json(FITS, {**FITS, "begin": 20, "end": 99}), "kim.json")
    assert [a.surface for a in good] == ["fits"]
    assert rejected.reason == f"offsets that are no place in the text: [19, 99) of {len(NOTE_TEXT)}"


def test_a_span_that_cuts_a_character_in_two_costs_that_span(tmp_path: Path) -> None:
    good, (rejected,) = read_bytes(tmp_path, cas_json(FITS, {**FITS, "begin": 1, "end": 10}), "kim.json")
    assert [a.surface for a in good] == ["fits"]
    assert rejected.reason.startswith("offsets that are no place in the text: [1, 9)")


def test_every_annotator_s_archive_in_a_project_export_is_read(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "project.zip", "w") as project:
        for who in ("kim", "sam", "INITIAL_CAS"):
            with zipfile.ZipFile(tmp_path / "inner.zip", "w") as inner:
                inner.writestr(f"{who}.json", cas_json(FITS))
            project.write(tmp_path / "inner.zip", f"annotation/note-7.txt/{who}.zip")
    good, (rejected,) = read(tmp_path / "project.zip")
    assert [(a.doc_id, a.annotator) for a in good] == [("note-7", "kim"), ("note-7", "sam")]
    assert rejected.reason == "the initial version, which no annotator has touched"


def test_xmi_without_its_type_system_is_refused_and_with_it_read(tmp_path: Path) -> None:
    cas = cassis.load_cas_from_json(cas_json(FITS))
    (tmp_path / "sam.xmi").write_text(cas.to_xmi())
    good, (rejected,) = read(tmp_path / "sam.xmi")
    assert good == []
    assert rejected.reason == "no type system; expected TypeSystem.xml beside the file, as it was exported"
    (tmp_path / "TypeSystem.xml").write_text(cas.typesystem.to_xml())
    good, bad = read(tmp_path)
    assert (bad, said(good, "note-7")) == ([], {("fits", Verdict.MISSED, "HP:0001250", ())})
    assert [a.annotator for a in good] == ["sam"]


def test_an_untouched_export_is_accepted_whole(tmp_path: Path) -> None:
    for format in ("cas-xmi", "cas-json"):
        write_links([NOTE, BASELINE["plain"]], tmp_path / format, format=format)
        good, bad = read(tmp_path / format, baseline=BASELINE)
        assert bad == []
        assert said(good, "plain") == UNTOUCHED
        assert {a.verdict for a in good} == {Verdict.ACCEPT, Verdict.NIL}


def test_the_library_reads_what_is_written(tmp_path: Path) -> None:
    write_links([NOTE], tmp_path / "x", format="cas-xmi")
    with (tmp_path / "x" / "TypeSystem.xml").open("rb") as stream:
        types = cassis.load_typesystem(stream)
    with (tmp_path / "x" / "ward 3%2Fnote.1.xmi").open("rb") as stream:
        cas = cassis.load_cas_from_xmi(stream, types)
    entities = cas.select("de.tudarmstadt.ukp.dkpro.core.api.ner.type.NamedEntity")
    assert [entity.get_covered_text() for entity in entities] == [link.mention.surface for link in NOTE.links]
    assert [entity.identifier for entity in entities][::4] == ["http://purl.obolibrary.org/obo/HP_0001250", None]
    assert cas.sofa_string == NOTE.document.text


def test_what_is_no_cas_is_refused(tmp_path: Path) -> None:
    for data in ('{"%TYPES": {}}', '{"%FEATURE_STRUCTURES": [1], "%TYPES": {}, "%VIEWS": {}}', cas_json()[:-9]):
        good, (rejected,) = read_bytes(tmp_path, data)
        assert good == []
        assert rejected.reason.startswith(("no CAS that dkpro-cassis can read", "broken JSON", "a CAS without text"))

"""From export to verdicts, for every tool: what the simulated annotator says is what is read."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from medlink.errors import CorpusFormatError, UnknownNameError
from medlink.formats.annotations import READERS, detect, read_annotations
from medlink.formats.proposed import read_baseline
from medlink.formats.writers import FOLDER_FORMATS, WRITERS, write_links
from medlink.records import Proposal
from tests.formats.annotating import (
    ANNOTATORS,
    ANSWERS,
    BASELINE,
    NOTE,
    OTHER,
    TEXT,
    UNTOUCHED,
    place,
    read,
    said,
    zipped,
)

FORMATS = list(ANNOTATORS)
# Tools that keep nothing of what was proposed.
NEEDS_BASELINE = {"medcattrainer", "pubtator", "cas-xmi", "cas-json"}


@pytest.fixture
def answered(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    path = tmp_path / "batch" / "export"
    write_links([NOTE, OTHER], path, format=request.param)
    ANNOTATORS[request.param](path)
    return path


def test_every_format_is_read_and_all_but_webannos_written() -> None:
    assert list(READERS) == ["jsonl", "csv", *FORMATS[:-1], "webanno-tsv", "docbin"]
    assert set(FORMATS) < set(WRITERS)


@pytest.mark.parametrize(("answered", "format"), [(f, f) for f in FORMATS], ids=FORMATS, indirect=["answered"])
def test_answers_come_back_as_they_were_given(answered: Path, format: str) -> None:
    baseline = BASELINE if format in NEEDS_BASELINE else None
    good, bad = read(answered, baseline=baseline)
    assert bad == []
    assert said(good) == ANSWERS
    assert said(good, "plain") == UNTOUCHED
    assert len(good) == len(ANSWERS) + len(UNTOUCHED)
    by_surface = {a.surface: a for a in good if a.doc_id == NOTE.document.id}
    assert {surface: (a.start, a.end) for surface, a in by_surface.items()} == {s: place(s) for s in by_surface}
    assert {a.text for a in by_surface.values()} == {TEXT}
    assert by_surface["fits"].proposed == (Proposal("HP:0001250", 0.9731), Proposal("HP:0002315", 0.4021))
    assert by_surface["GERD"].expanded == "gastroesophageal reflux disease"
    assert {a.release for a in good if a.surface != "ataxia"} == {"surface-1"}
    assert {a.ontology_version for a in good if a.surface != "ataxia"} == {"2025-01-16"}


@pytest.mark.parametrize("answered", FORMATS, ids=FORMATS, indirect=True)
def test_reading_twice_gives_the_same(answered: Path) -> None:
    assert list(read_annotations(answered, baseline=BASELINE)) == list(read_annotations(answered, baseline=BASELINE))


@pytest.mark.parametrize(("answered", "format"), [(f, f) for f in FORMATS], ids=FORMATS, indirect=["answered"])
def test_detect_tells_the_format_from_the_content(answered: Path, format: str) -> None:
    assert detect(answered) == format
    if format not in FOLDER_FORMATS:
        assert detect(answered.rename(answered.with_suffix(".dat"))) == format


@pytest.mark.parametrize(("answered", "format"), [(f, f) for f in FORMATS], ids=FORMATS, indirect=["answered"])
def test_an_archive_is_read_like_its_folder(answered: Path, format: str) -> None:
    folder = answered if answered.is_dir() else answered.parent
    plain, _ = read(folder, baseline=BASELINE)
    packed, bad = read(zipped(folder), baseline=BASELINE)
    assert bad == []
    assert said(packed) == said(plain) == ANSWERS
    assert {a.doc_id for a in packed} == {NOTE.document.id, "plain"}


@pytest.mark.parametrize(("answered", "format"), [(f, f) for f in FORMATS], ids=FORMATS, indirect=["answered"])
def test_a_named_format_is_taken(answered: Path, format: str) -> None:
    assert said(read(answered, format=format, baseline=BASELINE)[0]) == ANSWERS


def test_an_unknown_format_lists_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="prodigy, label-studio"):
        list(read_annotations(tmp_path, "exel"))


def test_detect_refuses_none_and_several(tmp_path: Path) -> None:
    with pytest.raises(CorpusFormatError, match="got none"):
        detect(tmp_path)
    for format in ("doccano", "prodigy"):
        write_links([NOTE], tmp_path / format, format=format)
    with pytest.raises(CorpusFormatError, match="got doccano and prodigy"):
        detect(tmp_path)


def test_a_folder_of_several_tools_is_read_file_by_file(tmp_path: Path) -> None:
    for format in ("doccano", "prodigy", "cas-xmi", "brat"):
        write_links([NOTE], tmp_path / format, format=format)
        ANNOTATORS[format](tmp_path / format)
    (tmp_path / "letter.docx.txt").write_text("Dear colleague")
    good, bad = read(tmp_path, baseline=BASELINE)
    assert [a.tool for a in good] == [tool for tool in ("brat", "inception", "doccano", "prodigy") for _ in ANSWERS]
    assert [(Path(item.source.file).name, item.reason.split(";")[0]) for item in bad] == [
        ("letter.docx.txt", "no known format")
    ]


def test_without_a_baseline_every_span_is_a_missed_one(tmp_path: Path) -> None:
    write_links([NOTE], tmp_path / "export", format="brat")
    (tmp_path / "export" / ".medlink.jsonl").unlink()
    good, bad = read(tmp_path / "export")
    assert bad == []
    assert {(a.surface, a.verdict.value, a.concept_id) for a in good} == {
        ("fits", "missed", "HP:0001250"),
        ("GERD", "missed", "HP:0002020"),
        ("heart\n  attack", "missed", "HP:0001658"),
        ("zebra pain", "missed", "HP:0002315"),
        ("Dyspnoea", "missed", None),
    }


def test_a_single_brat_file_finds_what_was_exported_with_it(tmp_path: Path) -> None:
    write_links([OTHER], tmp_path / "export", format="brat")
    assert said(read(tmp_path / "export" / "plain.ann")[0], "plain") == UNTOUCHED


def test_a_part_of_the_export_says_nothing_of_the_rest(tmp_path: Path) -> None:
    write_links([NOTE, OTHER], tmp_path / "export", format="brat")
    shutil.rmtree(tmp_path / "export" / "ward 3")
    good, bad = read(tmp_path / "export", baseline=BASELINE)
    assert (said(good, "plain"), len(good), bad) == (UNTOUCHED, 1, [])


def test_read_baseline_is_what_was_exported(tmp_path: Path) -> None:
    write_links([NOTE, OTHER], tmp_path / "links.jsonl", format="jsonl")
    assert read_baseline(tmp_path / "links.jsonl") == BASELINE
    (tmp_path / "links.jsonl").write_text('{"id": "x"}\n')
    with pytest.raises(CorpusFormatError, match=r"links.jsonl:1: no line of links"):
        read_baseline(tmp_path / "links.jsonl")


def test_a_missing_path_is_rejected(tmp_path: Path) -> None:
    _, (rejected,) = read(tmp_path / "nowhere")
    assert rejected.reason == "no such file or folder"

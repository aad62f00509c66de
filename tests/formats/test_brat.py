from __future__ import annotations

import re
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medlink.errors import SettingError
from medlink.formats.brat import write_brat
from medlink.formats.file_names import file_name
from medlink.records import Document, Link, LinkedDocument, Mention
from tests.formats.brat_reader import read_brat
from tests.formats.samples import DOCUMENTS, EMPTY, UNICODE, WARD, linked_documents


def _write(folder: Path, *linked: LinkedDocument) -> list[Path]:
    return list(write_brat(linked, folder))


@settings(max_examples=50, deadline=None)
@given(linked=linked_documents())
def test_write_brat_can_be_read_back(linked: LinkedDocument) -> None:
    with TemporaryDirectory() as folder:
        _write(Path(folder), linked)
        text, entities = read_brat(Path(folder) / file_name(linked.document.id))
    assert text == linked.document.text
    assert len(entities) == len(linked.links)
    for entity, link in zip(entities, linked.links, strict=True):
        mention = link.mention
        assert "".join(entity.text.split()) == "".join(mention.surface.split())
        assert mention.start <= entity.fragments[0][0]
        assert entity.fragments[-1][1] <= mention.end
        assert entity.type == ("Concept" if link.concept_id else "NIL")
        assert [":".join(reference[:2]) for reference in entity.references] == (
            [link.concept_id] if link.concept_id else []
        )
        assert [name.lower() for name in entity.attributes] == list(mention.assertion.labels)


def test_write_brat_splits_a_surface_at_line_breaks(tmp_path: Path) -> None:
    _write(tmp_path, WARD)
    _, entities = read_brat(tmp_path / "ward 3" / "fits")
    infarction = entities[2]
    assert infarction.fragments == [(28, 33), (36, 42)]
    assert infarction.text == "heart attack"
    assert infarction.references == [("HP", "0001658", "Myocardial infarction")]
    assert infarction.attributes == ["Historical", "Family"]


def test_write_brat_keeps_crlf_and_code_point_offsets(tmp_path: Path) -> None:
    _write(tmp_path, UNICODE)
    text, entities = read_brat(tmp_path / "unicode")
    assert text == UNICODE.document.text
    assert entities[0].fragments == [(4, 13), (14, 21)]
    assert entities[0].references == [("ID", "D008575", "Ménière's <disease>")]
    assert [entity.fragments for entity in entities[1:]] == [[(27, 34)], [(30, 38)]]


def test_write_brat_keeps_a_mention_of_white_space_on_one_line(tmp_path: Path) -> None:
    document = Document("blank", "a\n\t b")
    _write(tmp_path, LinkedDocument(document, (Link(Mention("blank", 1, 4, "\n\t "), (), None, "r", "v"),)))
    assert (tmp_path / "blank.ann").read_text().splitlines()[0] == "T1\tNIL 1 4\t   "


def test_write_brat_marks_nil_by_its_type(tmp_path: Path) -> None:
    _write(tmp_path, WARD)
    _, entities = read_brat(tmp_path / "ward 3" / "fits")
    assert [(entity.text, entity.type, entity.references) for entity in entities if entity.type == "NIL"] == [
        ("zebra pain", "NIL", [])
    ]


def test_write_brat_notes_score_long_form_and_alternatives(tmp_path: Path) -> None:
    _write(tmp_path, WARD)
    _, entities = read_brat(tmp_path / "ward 3" / "fits")
    assert entities[0].notes == ["score 0.9731; section: History; alternatives: HP:0002315 Headache (0.4021)"]
    assert entities[1].notes == ["score 0.95; long form: gastroesophageal reflux disease; section: History"]


def test_write_brat_of_an_empty_note_has_both_files(tmp_path: Path) -> None:
    assert _write(tmp_path, EMPTY)[:2] == [Path("empty.txt"), Path("empty.ann")]
    assert read_brat(tmp_path / "empty") == ("", [])


def test_write_brat_configures_every_type_and_attribute(tmp_path: Path) -> None:
    _write(tmp_path, *DOCUMENTS)
    sections = re.split(r"^\[(\w+)\]\n", (tmp_path / "annotation.conf").read_text(), flags=re.MULTILINE)[1:]
    conf = dict(zip(sections[::2], (body.splitlines() for body in sections[1::2]), strict=True))
    assert conf["entities"] == ["Concept", "NIL"]
    attributes = [line.split("\t")[0] for line in conf["attributes"]]
    assert attributes == ["Negated", "Uncertain", "Historical", "Hypothetical", "Family"]
    assert conf["relations"] == conf["events"] == []
    drawn = (tmp_path / "visual.conf").read_text().split("[drawing]\n")[1].splitlines()
    assert [line.split("\t")[0] for line in drawn] == ["Concept", "NIL", *attributes]


def test_write_brat_refuses_to_write_over_a_note(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match=r"document 'empty'.*two documents want the same file"):
        _write(tmp_path, EMPTY, EMPTY)


@pytest.mark.parametrize(
    "doc_id", ["../../etc/passwd", "/etc/passwd", "a//b", ".", "..", "a\x00b", "con:1", "x" * 5000]
)
def test_write_brat_never_leaves_its_folder(tmp_path: Path, doc_id: str) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    written = _write(inside, LinkedDocument(Document(doc_id, "x"), ()))
    assert all((inside / path).resolve().is_relative_to(inside) for path in written)
    assert sorted(tmp_path.iterdir()) == [inside]
    assert (inside / written[0]).read_text() == "x"


@settings(max_examples=50, deadline=None)
@given(
    ids=st.lists(
        st.text(st.sampled_from("ab./%|:\\ \n*é"), min_size=1, max_size=6), min_size=2, max_size=2, unique=True
    )
)
def test_file_name_differs_for_different_ids(ids: list[str]) -> None:
    assert file_name(ids[0]) != file_name(ids[1])


def test_file_name_of_long_ids_differs_by_a_digest() -> None:
    first, second = file_name("é" * 500 + "1"), file_name("é" * 500 + "2")
    assert first != second
    assert len(first.encode()) <= 200

from __future__ import annotations

import gzip
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medlink.errors import OntologyFormatError, SettingError, UnknownNameError
from medlink.ontology.addition import AddOptions, _render, add_ontology
from medlink.ontology.catalogue import Catalogue, Entry, default_folder, load_ontology, read_manifest
from medlink.ontology.lexicon import Lexicon
from medlink.ontology.source import Ontology

TABLE = "id,name\nX:1,Fit\nX:2,Ache\nY:1,Turn\n"


def listing(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()} if folder.exists() else {}


def test_add_ontology_makes_it_loadable_without_the_original(
    tiny_path: Path, tiny_ontology: Ontology, tmp_path: Path
) -> None:
    original = tmp_path / "download.obo.gz"
    original.write_bytes(gzip.compress(tiny_path.read_bytes()))
    entry = add_ontology(original, "tiny", tmp_path / "own", options=AddOptions(branch=("HP:0000118",)))
    original.unlink()
    assert Catalogue([tmp_path / "own", default_folder()]).get("tiny") == entry
    assert (entry.title, entry.version, entry.id_prefix) == ("Tiny phenotypes", "2025-01-16", "HP")
    assert entry.branch == ("HP:0000118",)
    assert Lexicon(load_ontology(entry)).content_hash == Lexicon(tiny_ontology).content_hash


def test_add_ontology_survives_moving_the_folder(tiny_path: Path, tmp_path: Path) -> None:
    add_ontology(tiny_path, "tiny", tmp_path / "own")
    (tmp_path / "own").rename(tmp_path / "moved")
    assert len(load_ontology(Catalogue([tmp_path / "moved"]).get("tiny")).concepts) == 28


@pytest.mark.parametrize(
    ("text", "options", "error"),
    [
        ("id,name\nX:1,Fit\nX:1,Ache\n", AddOptions(), OntologyFormatError),
        (TABLE, AddOptions(branch=("X:9",)), UnknownNameError),
        (TABLE, AddOptions(format="docx"), UnknownNameError),
        (TABLE, AddOptions(format="icd10cm"), OntologyFormatError),
    ],
    ids=["broken", "branch", "format", "not the packaged one"],
)
def test_add_ontology_adds_nothing_when_something_is_wrong(
    tmp_path: Path, text: str, options: AddOptions, error: type[Exception]
) -> None:
    file = tmp_path / "x.csv"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(error):
        add_ontology(file, "x", tmp_path / "own", options=options)
    assert listing(tmp_path / "own") == {}


@pytest.mark.parametrize("name", ["", "Tiny", "../tiny", "a b", "-x", "x\n"])
def test_add_ontology_refuses_names_that_are_no_file_names(tiny_path: Path, tmp_path: Path, name: str) -> None:
    with pytest.raises(SettingError, match="no name for an ontology"):
        add_ontology(tiny_path, name, tmp_path)


def test_add_ontology_replaces_only_when_asked(tiny_path: Path, tmp_path: Path) -> None:
    add_ontology(tiny_path, "x", tmp_path)
    before = listing(tmp_path)
    file = tmp_path.parent / "x.csv"
    file.write_text(TABLE, encoding="utf-8")
    with pytest.raises(SettingError, match=r"x\.toml: an ontology 'x' is there already"):
        add_ontology(file, "x", tmp_path)
    assert listing(tmp_path) == before
    entry = add_ontology(file, "x", tmp_path, options=AddOptions(replace=True))
    assert [concept.id for concept in load_ontology(entry).concepts] == ["X:1", "X:2", "Y:1"]
    assert entry.id_prefix == "X"
    assert before.items() - {("x.toml", before["x.toml"])} <= listing(tmp_path).items()


def test_add_ontology_takes_over_what_the_catalogue_says_already(tmp_path: Path) -> None:
    described = Entry(
        name="x", title="The X", licence="CC0", homepage="https://x.org", format="obo", id_prefix="X", branch=("X:1",)
    )
    file = tmp_path / "x.csv"
    file.write_text(TABLE, encoding="utf-8")
    entry = add_ontology(file, "x", tmp_path / "own", options=AddOptions(described=described))
    assert (entry.title, entry.licence, entry.homepage, entry.branch) == ("The X", "CC0", "https://x.org", ("X:1",))
    other = add_ontology(file, "y", tmp_path / "own", options=AddOptions(described=described, branch=("X:2",)))
    assert other.branch == ("X:2",)


@given(st.text(), st.lists(st.text(), max_size=3))
def test_rendered_manifest_says_the_same_when_read(title: str, branch: list[str]) -> None:
    entry = Entry(name="x", title=title or "x", format="obo", branch=tuple(branch))
    text = _render(entry).removesuffix("\n[source]\n")
    assert Entry.model_validate(tomllib.loads(text)) == entry


def test_read_manifest_of_an_addition_is_the_entry_returned(tiny_path: Path, tmp_path: Path) -> None:
    entry = add_ontology(tiny_path, "tiny", tmp_path)
    assert read_manifest(tmp_path / "tiny.toml") == entry

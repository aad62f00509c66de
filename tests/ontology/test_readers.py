"""Formats: told from the files themselves, and read with options."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from medlink.errors import OntologyFormatError, SettingError, UnknownNameError
from medlink.ontology.addition import AddOptions, add_ontology
from medlink.ontology.catalogue import Catalogue, Entry, load_ontology
from medlink.ontology.readers import FORMATS, format_of, hash_source, reader_of
from tests.ontology.test_umls import CONSO, STY


@pytest.fixture
def meta(tmp_path: Path) -> Path:
    folder = tmp_path / "2024AB"
    (folder / "META").mkdir(parents=True)
    (folder / "META" / "MRCONSO.RRF").write_text(CONSO, encoding="utf-8")
    (folder / "META" / "MRSTY.RRF").write_text(STY, encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("MRCONSO.RRF", "umls"),
        ("MRCONSO.RRF.gz", "umls"),
        ("RXNCONSO.RRF", "rxnorm"),
        ("sct2_Concept_Snapshot_INT_20240101.txt", "snomed"),
        ("sct2_Concept_Full_INT_20240101.txt", "table"),
    ],
)
def test_format_of_knows_releases_by_their_main_file(name: str, expected: str, tmp_path: Path) -> None:
    assert format_of(Path(name)) == expected
    if expected == "table":
        return
    (tmp_path / "folder" / "deep").mkdir(parents=True)
    (tmp_path / "folder" / "deep" / name).touch()
    with zipfile.ZipFile(tmp_path / "release.zip", "w") as archive:
        archive.writestr(f"deep/{name}", "")
    assert format_of(tmp_path / "folder") == format_of(tmp_path / "release.zip") == expected


def test_reader_of_takes_options_as_text_and_as_lists(meta: Path) -> None:
    for sources in ("SNOMEDCT_US, HPO", ["SNOMEDCT_US", "HPO"]):
        ontology = reader_of("umls", {"sources": sources, "version": "test", "suppressible": "no"})(meta, name="u")
        assert [concept.name for concept in ontology.concepts] == ["Myocardial infarction", "Heart disorder"]
        assert ontology.version == "test"


@pytest.mark.parametrize(
    ("format_name", "options", "message"),
    [
        ("umls", {"source": "MSH"}, "the format 'umls' has no option 'source'; expected one of version, sources, "),
        ("umls", {"suppressible": "perhaps"}, "a wrong value for the option 'suppressible'.*got 'perhaps'"),
        ("obo", {"sources": "MSH"}, "the format 'obo' has no option 'sources'; expected one of version"),
    ],
    ids=["unknown", "value", "none"],
)
def test_reader_of_refuses_options_that_the_format_has_not(
    format_name: str, options: dict[str, str], message: str
) -> None:
    with pytest.raises(SettingError, match=message):
        reader_of(format_name, options)


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_every_format_says_what_it_is(name: str) -> None:
    assert FORMATS[name].about
    assert bool(FORMATS[name].key) == bool(FORMATS[name].files)


def test_a_folder_is_added_as_one_archive_with_its_options(meta: Path, tmp_path: Path) -> None:
    (meta / "META" / "MRSAT.RRF").write_text("not used", encoding="utf-8")
    options = AddOptions(options={"semantic_types": "T121", "parents": "no"})
    entry = add_ontology(meta, "umls", tmp_path / "own", options=options)
    assert entry.version == "2024AB"
    assert entry.options == {"semantic_types": "T121", "parents": "no"}
    loaded = load_ontology(Catalogue([tmp_path / "own"]).get("umls"))
    assert [(concept.id, concept.name) for concept in loaded.concepts] == [("UMLS:C0000003", "Aspirin")]
    (archive,) = (tmp_path / "own").glob("*.zip")
    assert sorted(zipfile.ZipFile(archive).namelist()) == ["META/MRCONSO.RRF", "META/MRSTY.RRF"]
    assert hash_source(archive, "umls") == loaded.sha256


def test_options_of_the_described_ontology_hold_where_none_are_given(meta: Path, tmp_path: Path) -> None:
    described = Entry(name="umls", title="UMLS", format="umls", options={"languages": ("SPA",)})
    entry = add_ontology(meta, "umls", tmp_path / "own", options=AddOptions(described=described))
    assert [concept.name for concept in load_ontology(entry).concepts] == ["Infarto del Miocardio"]


def test_a_folder_is_loaded_directly(meta: Path) -> None:
    ontology = load_ontology(meta)
    assert (ontology.name, len(ontology.concepts), ontology.sha256) == ("2024AB", 3, hash_source(meta, "umls"))


def test_add_ontology_refuses_a_manifest_with_unknown_options(meta: Path, tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="has no option 'colour'"):
        add_ontology(meta, "umls", tmp_path / "own", options=AddOptions(options={"colour": "red"}))
    assert not (tmp_path / "own").exists()


def test_a_folder_with_a_broken_file_is_not_added(meta: Path, tmp_path: Path) -> None:
    (meta / "META" / "MRSTY.RRF").write_text("C0000001|T047|\n", encoding="utf-8")
    with pytest.raises(OntologyFormatError, match=r"MRSTY\.RRF:1"):
        add_ontology(meta, "umls", tmp_path / "own")
    assert not (tmp_path / "own").exists()


def test_format_of_a_folder_without_a_release_says_so(tmp_path: Path) -> None:
    (tmp_path / "2024ab-1-meta.txt").touch()
    with pytest.raises(UnknownNameError, match=r"no release of a known format in here; expected UMLS.*SNOMED CT"):
        format_of(tmp_path)

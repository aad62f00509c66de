"""Lexicon and index are built once, kept, and rebuilt when damaged."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from medlink.errors import EncoderError, SettingError, UnknownNameError
from medlink.linking.assemble import branches_of, load_lexicon, load_linker, load_whole_lexicon
from medlink.linking.indexes import NEAREST_KIND
from medlink.linking.portable import read_linker, write_linker
from medlink.linking.recipe import Recipe
from medlink.ontology.addition import AddOptions, add_ontology
from medlink.store.artifacts import read_manifest
from tests.conftest import TINY_OBO


@pytest.fixture
def fresh(recipe: Recipe, tmp_path: Path) -> Recipe:
    return replace(recipe, workspace=tmp_path / "workspace")


def parts_of(recipe: Recipe) -> dict[str, Path]:
    """The folders of an index's parts, by the folder they are kept in."""
    found = [path for path in (recipe.workspace / "indexes").glob("*/*") if not path.name.startswith(".")]
    assert len({path.parent for path in found}) == len(found)
    return {path.parent.name: path for path in found}


def built_at(folder: Path) -> int:
    return (folder / "manifest.json").stat().st_mtime_ns


def test_load_linker_builds_once(fresh: Recipe) -> None:
    first = load_linker(fresh).rank(["cleft"])
    stamps = {part: built_at(folder) for part, folder in parts_of(fresh).items()}
    assert stamps.keys() == {"ngrams", "vectors"}
    assert load_linker(fresh).rank(["cleft"]) == first
    assert {part: built_at(folder) for part, folder in parts_of(fresh).items()} == stamps


@pytest.mark.parametrize(
    "file",
    [
        "vectors/vectors.npy",
        "vectors/names.npy",
        "vectors/manifest.json",
        "ngrams/ngram_rows.npy",
        "ngrams/ngrams.json",
        "ngrams/ngram_idf.npy",
        "ngrams/manifest.json",
    ],
)
def test_load_linker_rebuilds_a_truncated_index(fresh: Recipe, file: str) -> None:
    first = load_linker(fresh).rank(["cleft"])
    part, name = file.split("/")
    path = parts_of(fresh)[part] / name
    os.truncate(path, path.stat().st_size // 2)
    assert load_linker(fresh).rank(["cleft"]) == first
    assert path.stat().st_size > 0


def test_load_linker_rebuilds_a_damaged_lexicon(fresh: Recipe) -> None:
    names = load_lexicon(fresh).names
    (folder,) = [path for path in (fresh.workspace / "lexicons").iterdir() if not path.name.startswith(".")]
    os.truncate(folder / "concepts.jsonl", 100)
    assert load_lexicon(fresh).names == names


def test_load_lexicon_cuts_to_the_branches(fresh: Recipe) -> None:
    branch = load_lexicon(replace(fresh, branches=("HP:0012210",)))
    assert "renal cyst" in branch.names
    assert "heart attack" not in branch.names


def test_load_lexicon_joins_ontologies_each_cut_to_its_branch(fresh: Recipe, tmp_path: Path) -> None:
    table = tmp_path / "drugs.csv"
    table.write_text("id,name\nDRUG:1,Aspirin\n", encoding="utf-8")
    add_ontology(TINY_OBO, "tiny", fresh.workspace / "ontologies", options=AddOptions(branch=("HP:0012210",)))
    both = replace(fresh, ontology=f"tiny+{table}")
    lexicon = load_lexicon(both)
    assert lexicon.ontology_name == "tiny+drugs"
    assert lexicon.lookup("aspirin") and lexicon.lookup("renal cyst") and not lexicon.lookup("heart attack")
    assert branches_of(both) == ("HP:0012210",)
    assert load_whole_lexicon(both).lookup("heart attack")
    assert list(load_lexicon(replace(both, branches=("DRUG:1",))).concepts) == ["DRUG:1"]


def test_load_lexicon_names_the_known_ontologies(fresh: Recipe) -> None:
    with pytest.raises(UnknownNameError, match="hpo"):
        load_lexicon(replace(fresh, ontology="no-such-ontology"))


def test_load_lexicon_notices_a_changed_file(fresh: Recipe, tmp_path: Path) -> None:
    copy = tmp_path / "own.obo"
    copy.write_text(TINY_OBO.read_text(encoding="utf-8"), encoding="utf-8")
    own = replace(fresh, ontology=str(copy))
    assert "brand new finding" not in load_lexicon(own).names
    with copy.open("a", encoding="utf-8") as stream:
        stream.write("\n[Term]\nid: HP:9999999\nname: Brand new finding\nis_a: HP:0000118\n")
    assert "brand new finding" in load_lexicon(own).names


BUILD = """
import sys
from pathlib import Path
from medlink.linking.assemble import load_linker
from medlink.linking.recipe import Recipe
linker = load_linker(Recipe(Path(sys.argv[1]), ontology=sys.argv[2], encoder=sys.argv[3]))
print(linker.rank(["kidney cysts"])[0][0])
"""


@pytest.mark.slow
def test_two_processes_build_the_same_index_at_once(fresh: Recipe) -> None:
    command = [sys.executable, "-c", BUILD, str(fresh.workspace), fresh.ontology, fresh.encoder]
    builders = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    outputs = [builder.communicate(timeout=120)[0] for builder in builders]
    assert [builder.returncode for builder in builders] == [0, 0]
    assert outputs[0] == outputs[1] != ""
    assert parts_of(fresh).keys() == {"ngrams", "vectors"}


def test_portable_linker_links_without_ontology_or_workspace(fresh: Recipe, tmp_path: Path) -> None:
    linker = load_linker(fresh)
    write_linker(linker, tmp_path / "portable")
    lost = replace(fresh, workspace=tmp_path / "nowhere", ontology="gone")
    again = read_linker(tmp_path / "portable", lost)
    queries = ["kidney cysts", "seizure", "cleft"]
    assert again.rank(queries) == linker.rank(queries)
    assert not (tmp_path / "nowhere").exists()


def test_portable_linker_refuses_another_encoder(fresh: Recipe, tmp_path: Path) -> None:
    write_linker(load_linker(fresh), tmp_path / "portable")
    with pytest.raises(EncoderError, match="not the one that made the index"):
        read_linker(tmp_path / "portable", replace(fresh, pooling="first"))


@pytest.mark.parametrize("kind", ["hnsw", "ivf-sq", "pq"])
def test_load_linker_with_another_kind_of_index_finds_the_same(fresh: Recipe, kind: str) -> None:
    other = replace(fresh, index=kind)
    queries = ["kidney cysts", "seizures", "cleft"]
    assert load_linker(other).rank(queries) == load_linker(fresh).rank(queries)
    manifest = read_manifest(parts_of(fresh)["nearest"], kind=NEAREST_KIND)
    assert (manifest.facts["kind"], manifest.facts["reason"]) == (kind, "asked for")
    assert manifest.facts["recall_at_10"] == 1.0
    stamp = built_at(parts_of(fresh)["nearest"])
    assert load_linker(other).rank(queries) == load_linker(fresh).rank(queries)
    assert built_at(parts_of(fresh)["nearest"]) == stamp


def test_load_linker_names_the_kinds_of_index(fresh: Recipe) -> None:
    with pytest.raises(SettingError, match="ivf-sq"):
        load_linker(replace(fresh, index="annoy"))

from __future__ import annotations

import pickle
import tempfile
from pathlib import Path

import pytest
from hypothesis import given

from medlink.errors import ArtifactError
from medlink.ontology.aliases import extended_lexicon
from medlink.ontology.lexicon import Lexicon
from medlink.ontology.persistence import CONCEPTS_FILE, HEADER_FILE, read_lexicon, write_lexicon
from medlink.ontology.source import Ontology
from tests.ontology.strategies import ontologies


@given(ontologies())
def test_read_lexicon_gives_back_what_was_written(ontology: Ontology) -> None:
    lexicon = Lexicon(ontology)
    with tempfile.TemporaryDirectory() as folder:
        write_lexicon(lexicon, Path(folder))
        again = read_lexicon(Path(folder))
        assert again.ontology == lexicon.ontology
        assert again.content_hash == lexicon.content_hash
        assert again.names == lexicon.names
        assert dict(again.concepts) == lexicon.concepts
        assert list(again.concepts.values()) == list(lexicon.concepts.values())
        for row, name in enumerate(lexicon.names):
            assert (again.row_of(name), again.postings(row)) == (row, lexicon.postings(row))
        for concept in ontology.concepts:
            for written in (concept.id, *concept.alt_ids, *concept.parents, *concept.replaced_by):
                assert again.resolve(written) == lexicon.resolve(written)
        for concept_id in lexicon.concepts:
            assert again.ancestors(concept_id) == lexicon.ancestors(concept_id)
            assert again.descendants(concept_id) == lexicon.descendants(concept_id)


def test_write_lexicon_writes_the_same_bytes_each_time(tiny: Lexicon, tmp_path: Path) -> None:
    write_lexicon(tiny, tmp_path / "new" / "one")
    write_lexicon(read_lexicon(tmp_path / "new" / "one"), tmp_path / "two")
    files = [sorted((tmp_path / folder).iterdir()) for folder in ("new/one", "two")]
    assert [path.name for path in files[0]] == [path.name for path in files[1]]
    for one, two in zip(*files, strict=True):
        assert one.read_bytes() == two.read_bytes()


def test_read_lexicon_answers_like_the_one_written(tiny: Lexicon, tmp_path: Path) -> None:
    write_lexicon(tiny, tmp_path)
    again = read_lexicon(tmp_path)
    assert again.lookup("hearing loss") == tiny.lookup("hearing loss")
    assert again.branch("HP:0000707").content_hash == tiny.branch("HP:0000707").content_hash
    assert again.content_hash == tiny.content_hash == Lexicon(again.ontology).content_hash


@pytest.mark.parametrize("file", [CONCEPTS_FILE, HEADER_FILE, "names.npy", "names-bounds.npy", "parents-sources.npy"])
@pytest.mark.parametrize("kept", [None, 0, 0.5, 0.999], ids=["missing", "empty", "half", "almost whole"])
def test_read_lexicon_refuses_a_damaged_folder(tiny: Lexicon, tmp_path: Path, file: str, kept: float | None) -> None:
    write_lexicon(tiny, tmp_path)
    damaged = tmp_path / file
    if kept is None:
        damaged.unlink()
    else:
        damaged.write_bytes(damaged.read_bytes()[: int(kept * damaged.stat().st_size)])
    with pytest.raises(ArtifactError, match="damaged"):
        read_lexicon(tmp_path)


@pytest.mark.parametrize("key", ["format", "normaliser"])
def test_read_lexicon_refuses_what_another_version_wrote(tiny: Lexicon, tmp_path: Path, key: str) -> None:
    write_lexicon(tiny, tmp_path)
    text = (tmp_path / HEADER_FILE).read_text(encoding="utf-8")
    (tmp_path / HEADER_FILE).write_text(text.replace(f'"{key}": "', f'"{key}": "0', 1), encoding="utf-8")
    with pytest.raises(ArtifactError, match="another version of medlink"):
        read_lexicon(tmp_path)


def test_read_lexicon_refuses_the_names_of_another_lexicon(tiny: Lexicon, tmp_path: Path) -> None:
    write_lexicon(tiny, tmp_path)
    write_lexicon(tiny.branch("HP:0000707"), tmp_path / "other")
    (tmp_path / "other" / "names.npy").write_bytes((tmp_path / "names.npy").read_bytes())
    with pytest.raises(ArtifactError, match=r"other sizes of names\.npy"):
        read_lexicon(tmp_path / "other")


def test_read_lexicon_reads_what_stands_beside_it_as_nothing_of_its_own(tiny: Lexicon, tmp_path: Path) -> None:
    write_lexicon(tiny, tmp_path)
    (tmp_path / "vectors.npy").write_bytes(b"of an index in the same folder")
    assert read_lexicon(tmp_path).names == tiny.names


def test_a_stored_lexicon_can_be_sent_to_another_process(tiny: Lexicon, tmp_path: Path) -> None:
    write_lexicon(tiny, tmp_path)
    lexicon = extended_lexicon(read_lexicon(tmp_path), [("watering pot kidney", "HP:0000107")])
    again = pickle.loads(pickle.dumps(lexicon))  # noqa: S301
    assert again.names == lexicon.names
    assert again.ontology == lexicon.ontology
    assert again.lookup("watering pot kidney") == lexicon.lookup("watering pot kidney")
    assert again.descendants("HP:0000707") == lexicon.descendants("HP:0000707")
    assert "HP:0000107" in again.concepts


def test_no_concept_is_parsed_before_it_is_asked_for(tiny: Lexicon, tmp_path: Path) -> None:
    write_lexicon(tiny, tmp_path)
    lines = (tmp_path / CONCEPTS_FILE).read_bytes().splitlines(keepends=True)
    broken = next(i for i, line in enumerate(lines) if b"HP:0000107" in line[:16])
    lines[broken] = b"{" + lines[broken][1:]
    (tmp_path / CONCEPTS_FILE).write_bytes(b"".join(lines))
    lexicon = read_lexicon(tmp_path)
    assert lexicon.row_of("renal cyst") is not None
    assert "HP:0000107" in lexicon.concepts
    with pytest.raises(ValueError, match="Expecting"):
        _ = lexicon.concepts["HP:0000107"]

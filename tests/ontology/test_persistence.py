from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given

from medlink.errors import ArtifactError
from medlink.ontology.lexicon import Lexicon
from medlink.ontology.persistence import CONCEPTS_FILE, NAMES_FILE, read_lexicon, write_lexicon
from medlink.ontology.source import Ontology
from tests.ontology.strategies import ontologies


@given(ontologies())
def test_read_lexicon_gives_back_what_was_written(ontology: Ontology) -> None:
    lexicon = Lexicon(ontology)
    with tempfile.TemporaryDirectory() as folder:
        write_lexicon(lexicon, Path(folder))
        again = read_lexicon(Path(folder))
    assert again.ontology == lexicon.ontology
    assert again.prepared == lexicon.prepared
    assert again.concepts == lexicon.concepts


def test_write_lexicon_writes_the_same_bytes_each_time(tiny: Lexicon, tmp_path: Path) -> None:
    write_lexicon(tiny, tmp_path / "new" / "one")
    write_lexicon(read_lexicon(tmp_path / "new" / "one"), tmp_path / "two")
    for file in (CONCEPTS_FILE, NAMES_FILE):
        assert (tmp_path / "new" / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


def test_read_lexicon_answers_like_the_one_written(tiny: Lexicon, tmp_path: Path) -> None:
    write_lexicon(tiny, tmp_path)
    again = read_lexicon(tmp_path)
    assert again.lookup("hearing loss") == tiny.lookup("hearing loss")
    assert again.branch("HP:0000707").content_hash == tiny.branch("HP:0000707").content_hash
    assert again.content_hash == tiny.content_hash == Lexicon(again.ontology).content_hash


@pytest.mark.parametrize("file", [CONCEPTS_FILE, NAMES_FILE])
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


def test_read_lexicon_refuses_a_file_that_ends_early_at_a_lines_end(tiny: Lexicon, tmp_path: Path) -> None:
    write_lexicon(tiny, tmp_path)
    lines = (tmp_path / CONCEPTS_FILE).read_text(encoding="utf-8").splitlines(keepends=True)
    (tmp_path / CONCEPTS_FILE).write_text("".join(lines[:-3]), encoding="utf-8")
    with pytest.raises(ArtifactError, match=r"damaged; expected 28 concepts .*; got 25 "):
        read_lexicon(tmp_path)


@pytest.mark.parametrize("key", ["format", "normaliser"])
def test_read_lexicon_refuses_what_another_version_wrote(tiny: Lexicon, tmp_path: Path, key: str) -> None:
    write_lexicon(tiny, tmp_path)
    text = (tmp_path / CONCEPTS_FILE).read_text(encoding="utf-8")
    (tmp_path / CONCEPTS_FILE).write_text(text.replace(f'"{key}": "', f'"{key}": "0', 1), encoding="utf-8")
    with pytest.raises(ArtifactError, match="another version of medlink"):
        read_lexicon(tmp_path)


def test_read_lexicon_refuses_the_names_of_another_lexicon(tiny: Lexicon, tmp_path: Path) -> None:
    write_lexicon(tiny, tmp_path)
    write_lexicon(tiny.branch("HP:0000707"), tmp_path / "other")
    (tmp_path / "other" / NAMES_FILE).write_bytes((tmp_path / NAMES_FILE).read_bytes())
    with pytest.raises(ArtifactError, match=f"got 6 and {tiny.content_hash}"):
        read_lexicon(tmp_path / "other")

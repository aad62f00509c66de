from __future__ import annotations

import gzip
import logging
from collections.abc import Callable
from pathlib import Path

import pytest

from medlink.errors import OntologyFormatError
from medlink.ontology.source import ConceptCollector, Ontology, distinct_synonyms, hash_file, read_lines
from medlink.records import Concept, Name, Scope


@pytest.mark.parametrize(
    "content",
    [
        b"a\nb\n",
        b"a\nb",
        b"a\r\nb\r\n",
        b"\xef\xbb\xbfa\nb\n",
        gzip.compress(b"a\nb\n"),
        gzip.compress(b"\xef\xbb\xbfa\r\nb"),
    ],
    ids=["plain", "no final line end", "CRLF", "byte order mark", "gzip", "all of it"],
)
def test_read_lines_gives_the_same_lines_however_they_are_stored(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "lines"
    file.write_bytes(content)
    assert list(read_lines(file)) == ["a\n", "b\n"]


def test_read_lines_names_the_line_that_is_no_utf8(tmp_path: Path) -> None:
    file = tmp_path / "lines.obo"
    file.write_bytes("é\nü\n".encode() + b"caf\xe9\n")
    with pytest.raises(OntologyFormatError, match=r"lines\.obo:3: a byte that is no UTF-8.*0xe9 at position 4"):
        list(read_lines(file))


def test_read_lines_refuses_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(OntologyFormatError, match=r"cannot be read.*No such file"):
        list(read_lines(tmp_path / "nowhere"))


@pytest.mark.parametrize(
    "damage", [lambda data: data[:-12], lambda data: data[:20] + b"?" + data[21:]], ids=["cut", "bit"]
)
def test_read_lines_refuses_a_damaged_gzip_file(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    file = tmp_path / "lines.gz"
    file.write_bytes(damage(gzip.compress(b"".join(b"%d some line\n" % number for number in range(2000)))))
    with pytest.raises(OntologyFormatError, match=r"lines\.gz: the file cannot be read"):
        list(read_lines(file))


def test_hash_file_refuses_a_folder(tmp_path: Path) -> None:
    with pytest.raises(OntologyFormatError, match="cannot be read"):
        hash_file(tmp_path)


def test_distinct_synonyms_keeps_one_of_each_text_by_trust() -> None:
    synonyms = [
        Name("fit", Scope.RELATED, "layperson"),
        Name("fit", Scope.EXACT),
        Name("spell", Scope.BROAD),
        Name("fit", Scope.EXACT, "layperson"),
        Name("Seizure", Scope.EXACT, "layperson"),
        Name("", Scope.EXACT),
        Name("Fit", Scope.NARROW),
    ]
    assert distinct_synonyms("Seizure", synonyms) == (
        Name("fit", Scope.EXACT, "layperson"),
        Name("Fit", Scope.NARROW),
        Name("spell", Scope.BROAD),
    )


def test_concept_collector_sorts_and_warns_once_of_missing_parents(caplog: pytest.LogCaptureFixture) -> None:
    collector = ConceptCollector(Path("x.obo"))
    collector.add(Concept("X:2", "b", parents=("X:1", "Y:1")), 4)
    collector.add(Concept("X:1", "a", parents=("Y:2",)), 8)
    with caplog.at_level(logging.WARNING):
        assert [concept.id for concept in collector.sorted_concepts()] == ["X:1", "X:2"]
    assert caplog.messages == ["x.obo: parents that are not in the file: 2, such as Y:1, Y:2"]


def test_concept_collector_names_both_lines_of_a_double_id() -> None:
    collector = ConceptCollector(Path("x.obo"))
    collector.add(Concept("X:1", "a"), 4)
    with pytest.raises(OntologyFormatError, match=r"x\.obo:9: an id comes twice.*X:1, which line 4 has already"):
        collector.add(Concept("X:1", "b"), 9)


@pytest.mark.parametrize("ids", [("X:2", "X:1"), ("X:1", "X:1")], ids=["unsorted", "double"])
def test_ontology_refuses_ids_out_of_order(ids: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="sorted, unique ids"):
        Ontology("x", "X", "1", "", "", tuple(Concept(concept_id, "name") for concept_id in ids))

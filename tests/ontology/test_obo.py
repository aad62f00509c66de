from __future__ import annotations

import gzip
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from medlink.errors import OntologyFormatError
from medlink.ontology.obo import read_obo
from medlink.ontology.source import Ontology
from medlink.records import Concept, Name, Scope

HEART_ATTACK = 'synonym: "Heart attack" EXACT layperson []'
TERM = "[Term]\nid: X:1\nname: A\n"


def write(folder: Path, text: str) -> Path:
    file = folder / "x.obo"
    file.write_bytes(text.encode())
    return file


def line_of(text: str, line: str) -> int:
    return text.splitlines().index(line) + 1


def test_read_obo_keeps_what_a_term_says(tiny_ontology: Ontology) -> None:
    by_id = {concept.id: concept for concept in tiny_ontology.concepts}
    assert by_id["HP:0001250"] == Concept(
        id="HP:0001250",
        name="Seizure",
        synonyms=(
            Name("Epileptic seizure", Scope.EXACT),
            Name("Seizures", Scope.EXACT, "plural_form"),
            Name("Epilepsy", Scope.RELATED),
        ),
        definition='A transient occurrence of signs due to "abnormal" neuronal activity in the brain.',
        parents=("HP:0000707",),
        semantic_type="human_phenotype",
        alt_ids=("HP:0001275", "HP:0002182"),
        xrefs=("UMLS:C0036572",),
    )
    assert by_id["HP:0000113"].parents == ("HP:0000105", "HP:0000107")


def test_read_obo_keeps_what_the_header_says(tiny_ontology: Ontology) -> None:
    assert tiny_ontology.name == "tiny"
    assert tiny_ontology.title == "Tiny phenotypes"
    assert tiny_ontology.version == "2025-01-16"
    assert tiny_ontology.licence == "https://creativecommons.org/publicdomain/zero/1.0/"
    assert len(tiny_ontology.concepts) == 28


def test_read_obo_takes_consider_for_advice_not_for_a_replacement(tiny_ontology: Ontology) -> None:
    by_id = {concept.id: concept for concept in tiny_ontology.concepts}
    assert by_id["HP:0009006"].obsolete
    assert by_id["HP:0009006"].replaced_by == ()
    assert by_id["HP:0009005"].replaced_by == ("HP:0001626", "HP:0012210")


def test_read_obo_ignores_the_order_of_frames_and_clauses(
    tiny_path: Path, tiny_ontology: Ontology, tmp_path: Path
) -> None:
    header, *frames = tiny_path.read_text(encoding="utf-8").split("\n[")
    shuffler = random.Random(5)
    shuffler.shuffle(frames)
    for place, frame in enumerate(frames):
        stanza, first, *clauses = frame.strip().split("\n")
        shuffler.shuffle(clauses)
        frames[place] = "\n".join([stanza, first, *clauses, ""])
    shuffled = read_obo(write(tmp_path, "\n[".join([header, *frames])), name="tiny")
    assert shuffled == replace(tiny_ontology, sha256=shuffled.sha256)


@pytest.mark.parametrize(
    "store",
    [
        gzip.compress,
        lambda b: b.replace(b"\n", b"\r\n"),
        lambda b: b"\xef\xbb\xbf" + b,
        lambda b: b.rstrip(),
    ],
    ids=["gzip", "CRLF", "byte order mark", "no final line end"],
)
def test_read_obo_reads_the_same_however_it_is_stored(
    tiny_path: Path, tiny_ontology: Ontology, tmp_path: Path, store: Callable[[bytes], bytes]
) -> None:
    file = tmp_path / "tiny.obo"
    file.write_bytes(store(tiny_path.read_bytes()))
    stored = read_obo(file, name="tiny")
    assert stored == replace(tiny_ontology, sha256=stored.sha256)


@pytest.mark.parametrize(
    ("header", "version", "title"),
    [
        ("", "sha256:", "x"),
        ("data-version: 4.1\n", "4.1", "x"),
        ("data-version: releases/2024-07-01/doid.obo\n", "2024-07-01", "x"),
        ('property_value: owl:versionInfo "2025-03-04" xsd:string\nontology: doid\n', "2025-03-04", "doid"),
        ('ontology: go\nproperty_value: http://purl.org/dc/elements/1.1/title "GO" xsd:string\n', "sha256:", "GO"),
    ],
    ids=["none", "plain", "with a date", "property", "title by address"],
)
def test_read_obo_finds_version_and_title(tmp_path: Path, header: str, version: str, title: str) -> None:
    ontology = read_obo(write(tmp_path, f"{header}\n{TERM}"), name="x")
    assert ontology.version.startswith(version)
    assert ontology.title == title


def test_read_obo_unescapes_and_tidies_names(tmp_path: Path) -> None:
    text = (
        "[Term]\nid: X:1\nname: pH\\:low   \\{acid\\} 🫀\n"
        'synonym: "5\\" lesion" EXACT []\nsynonym: " pH:low {acid} 🫀" EXACT layperson []\n'
    )
    (concept,) = read_obo(write(tmp_path, text), name="x").concepts
    assert concept.name == "pH:low {acid} 🫀"
    assert concept.synonyms == (Name('5" lesion'),)


def test_read_obo_takes_a_terms_own_namespace_before_the_default(tmp_path: Path) -> None:
    text = f"default-namespace: all\n\n{TERM}namespace: process\n\n[Term]\nid: X:2\nname: B\n"
    assert [c.semantic_type for c in read_obo(write(tmp_path, text), name="x").concepts] == ["process", "all"]


def test_read_obo_names_a_nameless_obsolete_term_by_its_id(tmp_path: Path) -> None:
    text = f"{TERM}\n[Term]\nid: CHEBI:36684\nis_obsolete: true\nreplaced_by: X:1\n"
    nameless, _ = read_obo(write(tmp_path, text), name="x").concepts
    assert nameless == Concept("CHEBI:36684", "CHEBI:36684", obsolete=True, replaced_by=("X:1",))


def test_read_obo_keeps_parents_from_elsewhere(tmp_path: Path) -> None:
    (concept,) = read_obo(write(tmp_path, f"{TERM}is_a: Y:7 ! elsewhere\n"), name="x").concepts
    assert concept.parents == ("Y:7",)


@pytest.mark.parametrize(
    ("before", "after", "line", "expected"),
    [
        (HEART_ATTACK, HEART_ATTACK.replace("EXACT", "EXAKT"), None, "EXACT, NARROW, BROAD or RELATED"),
        (HEART_ATTACK, HEART_ATTACK.replace('attack"', "attack"), 1, "closed quote"),
        ("name: Myocardial infarction", "name: ", None, "a value behind the colon"),
        ("is_a: HP:0001250 ! Seizure", "isa: HP:0001250", None, "a tag that OBO 1.4 knows"),
        ("id: HP:0001658", "identifier: HP:0001658", None, "'id:' as the first line"),
        ("[Typedef]", "[Relation]", None, r"\[Term\], \[Typedef\] or \[Instance\]"),
        ("ontology: tiny", "<html>", None, "header line"),
        ("consider: HP:0000175", "is_obsolete: perhaps", None, "true or false"),
    ],
    ids=["scope", "quote", "empty name", "tag", "id", "stanza", "header", "boolean"],
)
def test_read_obo_names_the_broken_line_and_what_was_expected(
    tiny_path: Path, tmp_path: Path, before: str, after: str, line: int | None, expected: str
) -> None:
    text = tiny_path.read_text(encoding="utf-8")
    assert text.count(f"{before}\n") == 1
    number = line_of(text, before) + (line or 0)  # an open quote is noticed one line later
    with pytest.raises(OntologyFormatError, match=rf"x\.obo:{number}: the line is no OBO; expected .*{expected}"):
        read_obo(write(tmp_path, text.replace(before, after)), name="x")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"x\.obo: no concept found"),
        ("format-version: 1.2\n", r"x\.obo: no concept found"),
        (f"\n{TERM}\n[Term]\nid: X:2\n", r"x\.obo:6: the term X:2 has no name"),
        (f"{TERM}name: B\n", r"x\.obo:1: the term X:1 has several names"),
        (f"{TERM}\n{TERM}", r"x\.obo:5: an id comes twice.*line 1"),
        (f"{TERM}def: half", r"x\.obo:4: the line is no OBO"),
    ],
    ids=["empty", "header only", "no name", "two names", "double id", "cut short"],
)
def test_read_obo_refuses_what_is_no_ontology(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(OntologyFormatError, match=message):
        read_obo(write(tmp_path, text), name="x")

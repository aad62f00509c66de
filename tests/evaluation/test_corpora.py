"""Corpora in each form, and what is said of their faults."""

from __future__ import annotations

from pathlib import Path

import pytest

from medlink.errors import CorpusFormatError, SettingError
from medlink.evaluation.annotation_scores import mentions_of
from medlink.evaluation.annotations import Corpus
from medlink.evaluation.brat import read_brat
from medlink.evaluation.corpora import CORPUS_READERS, read_corpus
from medlink.evaluation.gsc import gsc_dev_documents, read_gsc
from medlink.evaluation.pubtator import read_pubtator
from medlink.formats.brat import write_brat as write_links_as_brat
from medlink.formats.pubtator import write_pubtator as write_links_as_pubtator
from medlink.linking.annotator import Annotator
from medlink.linking.assemble import make_annotator
from medlink.linking.linker import Linker
from medlink.linking.recipe import Recipe
from medlink.records import Document
from tests.evaluation.tiny_corpus import GOLD, TEXTS, WRITERS, span


@pytest.mark.parametrize("form", CORPUS_READERS)
def test_read_corpus_reads_the_same_from_every_form(form: str, tmp_path: Path) -> None:
    corpus = read_corpus([WRITERS[form](tmp_path)], form)
    assert {document.id: document.text for document in corpus.documents} == TEXTS
    assert corpus.problems == ()
    for doc_id in TEXTS:
        expected = {(*span(doc_id, s), c) for owner, s, ids in GOLD if owner == doc_id for c in ids.split("|")}
        assert mentions_of(a for a in corpus.annotations if a.doc_id == doc_id) == expected


BROKEN_PUBTATOR = (
    "1|t|Renal | cyst.\n1|a|Fits of MI.\n"
    "1\t0\t12\tRenal | cyst\tDisease\tD1|D2\tRenal|cyst\n"
    "1\t14\t18\tfits\tDisease\t-1\n"  # another case than the text
    "1\t22\t24\tMI\tModifier\t D3+OMIM:4 \n"
    "1\tCID\tD1\tD2\n"
    "1\tone\t24\tMI\tDisease\tD3\n"
    "2\t22\t24\tMI\tDisease\tD3\n"
    "1\t22\t24\tMI\tDisease\n"
    "\n"
    "1|t|Again.\n1|a|Again.\n1\t0\t5\tAgain\tDisease\tD9\n"
    "\n"
    "7\t0\t5\tAgain\tDisease\tD9\n"
)


def test_read_pubtator_names_its_problems_and_keeps_the_rest(tmp_path: Path) -> None:
    path = tmp_path / "broken.txt"
    path.write_text(BROKEN_PUBTATOR.replace("\n", "\r\n"), encoding="utf-8", newline="")
    corpus = read_pubtator(path)
    assert [document.text for document in corpus.documents] == ["Renal | cyst. Fits of MI."]
    assert [(a.start, a.end, a.kind, sorted(a.concepts)) for a in corpus.annotations] == [
        (0, 12, "Disease", ["D1", "D2"]),
        (14, 18, "Disease", []),
        (22, 24, "Modifier", ["D3", "OMIM:4"]),
        (22, 24, "Disease", []),
    ]
    assert [(str(problem).removeprefix(f"{path}:"), problem.lost) for problem in corpus.problems] == [
        ("4: the surface differs from the text at [14, 18) of document 1", False),
        ("7: a line of another form", True),
        ("8: a line of another document than 1", True),
        ("11: document 1 comes again", True),
        ("15: lines without a document", True),
    ]


def test_read_gsc_names_its_problems_and_keeps_the_rest(tmp_path: Path) -> None:
    root = WRITERS["gsc"](tmp_path)
    (root / "Annotations" / "d1").write_text(
        "0:12\tHP:0000107\tKidney cysts\nw5:9\tHP:0000107\tcyst\n\n1:13\tHP:0000107\tKidney cysts\n9:9\tHP:1\tx\n",
        encoding="utf-8",
    )
    (root / "Annotations" / "d9").write_text("0:4\tHP:0000107\tcyst\n", encoding="utf-8")
    corpus = read_gsc(root)
    assert [(a.start, a.end) for a in corpus.annotations if a.doc_id == "d1"] == [(0, 12), (1, 13)]
    folder = root / "Annotations"
    assert [(str(problem).removeprefix(f"{folder}/"), problem.lost) for problem in corpus.problems] == [
        ("d1:2: a line of another form", True),
        ("d1:4: the surface differs from the text at [1, 13) of document d1", False),
        ("d1:5: a line of another form", True),
        ("d9:1: a span of a document without text", True),
    ]


def test_read_brat_reads_pieces_and_names_its_problems(tmp_path: Path) -> None:
    (tmp_path / "ward").mkdir()
    (tmp_path / "ward" / "n.txt").write_bytes("Large and\r\ncystic kidneys, é.".encode())
    (tmp_path / "ward" / "n.ann").write_text(
        "T1\tFinding 0 5;18 25\tLarge kidneys\nT2\tFinding 11 25\tcystic kidney\nT3\tFinding 27 28\té\n"
        "N1\tReference T1 HP:0000105\tLarge\nN2\tReference T1 ID:E11.9\nN3\tReference T9 HP:1\tnobody\n"
        "A1\tNegated T1\n#1\tAnnotatorNotes T1\tsure\nX1\tnothing\n",
        encoding="utf-8",
    )
    (tmp_path / "empty.txt").write_text("Well.", encoding="utf-8")
    corpus = read_brat(tmp_path)
    assert [document.id for document in corpus.documents] == ["empty", "ward/n"]
    assert [(a.start, a.end, sorted(a.concepts)) for a in corpus.annotations] == [
        (0, 25, ["E11.9", "HP:0000105"]),
        (11, 25, []),
        (27, 28, []),
    ]
    assert [(problem.what, problem.lost) for problem in corpus.problems] == [
        ("a text without .ann file: no gold mention in it", False),
        ("a line of another form", True),
        ("the surface differs from the text at [11, 25) of document ward/n", False),
        ("a concept for T9, which is no span", True),
    ]


@pytest.mark.parametrize("form", CORPUS_READERS)
def test_read_corpus_refuses_what_holds_no_document(form: str, tmp_path: Path) -> None:
    path = tmp_path / "empty"
    if form == "pubtator":
        path.write_text("\n", encoding="utf-8")
    else:
        path.mkdir()
    with pytest.raises(CorpusFormatError, match="there is no"):
        read_corpus([path], form)


def test_read_corpus_takes_each_document_once(tmp_path: Path) -> None:
    path = WRITERS["pubtator"](tmp_path)
    once, twice = read_corpus([path], "pubtator"), read_corpus([path, path], "pubtator")
    assert (twice.documents, twice.annotations) == (once.documents, once.annotations)
    assert [str(problem) for problem in twice.problems] == [
        "document d1: comes again in another file",
        "document d2: comes again in another file",
    ]


def test_of_kinds_keeps_those_types_and_names_the_others(tmp_path: Path) -> None:
    path = tmp_path / "broken.txt"
    path.write_text(BROKEN_PUBTATOR, encoding="utf-8")
    corpus = read_pubtator(path)
    assert {a.kind for a in corpus.of_kinds({"Modifier"}).annotations} == {"Modifier"}
    assert corpus.of_kinds(()) is corpus
    with pytest.raises(SettingError, match="expected Disease, Modifier; got disease"):
        corpus.of_kinds({"disease"})


def test_gsc_dev_documents_is_every_tenth_and_at_most_22() -> None:
    ids = [f"{number:03}" for number in range(228)]
    assert gsc_dev_documents(reversed(ids)) == tuple(f"{number:03}" for number in range(0, 220, 10))


@pytest.fixture
def annotator(recipe: Recipe, linker: Linker) -> Annotator:
    return make_annotator(recipe, linker)


def test_what_medlink_writes_is_read_as_it_was(annotator: Annotator, tmp_path: Path) -> None:
    documents = [Document("a", "Renal cysts\nand a heart attack.\n"), Document("b", "No seizures.")]
    linked = list(annotator.annotate(documents))
    with (tmp_path / "out.txt").open("wb") as stream:
        write_links_as_pubtator(linked, stream)
    (tmp_path / "brat").mkdir()
    assert list(write_links_as_brat(linked, tmp_path / "brat"))
    expected = {
        (d.document.id, k.mention.start, k.mention.end, k.concept_id) for d in linked for k in d.links if k.concept_id
    }
    assert len(expected) >= 2

    def read(corpus: Corpus) -> set[tuple[str, int, int, str]]:
        assert corpus.problems == ()
        return {(a.doc_id, a.start, a.end, c) for a in corpus.annotations for c in a.concepts}

    assert read(read_pubtator(tmp_path / "out.txt")) == expected
    assert read(read_brat(tmp_path / "brat")) == expected


def test_of_documents_leaves_out_the_problems_of_the_others(tmp_path: Path) -> None:
    root = WRITERS["gsc"](tmp_path)
    (root / "Annotations" / "d1").write_text("w5:9\tHP:0000107\tcyst\n1:4\tHP:0000107\tcyst\n", encoding="utf-8")
    corpus = read_gsc(root)
    assert len(corpus.of_documents({"d1"}).problems) == 2
    assert corpus.of_documents({"d2"}).problems == ()

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from spacy.tokens import Doc, DocBin
from spacy.vocab import Vocab

from medlink.formats.docbin import write_docbin
from medlink.formats.links_json import dump_line
from medlink.formats.writers import write_links
from medlink.records import Document, Link, LinkedDocument, Mention
from tests.formats.samples import DOCUMENTS, EMPTY, SEIZURE, UNICODE, WARD, linked_documents


def _write(*linked: LinkedDocument) -> bytes:
    stream = io.BytesIO()
    write_docbin(linked, stream)
    return stream.getvalue()


def _read(*linked: LinkedDocument) -> list[Doc]:
    return list(DocBin().from_bytes(_write(*linked)).get_docs(Vocab()))


@pytest.mark.slow
@settings(max_examples=15, deadline=None)
@given(linked=linked_documents())
def test_write_docbin_loses_no_mention(linked: LinkedDocument) -> None:
    [doc] = _read(linked)
    assert doc.text == linked.document.text
    assert doc.user_data["doc_id"] == linked.document.id
    stored = json.loads(json.dumps(doc.user_data["links"]))
    assert stored == json.loads(dump_line(linked, with_text=False))["links"]
    spans = list(doc.spans["medlink"])
    assert len(spans) == len(linked.links)
    for span, link in zip(spans, linked.links, strict=True):
        assert doc.text[link.mention.start : span.start_char].strip() == ""
        assert doc.text[span.end_char : link.mention.end].strip() == ""
        assert span.kb_id_ == (link.concept_id or "")
        assert span.label_ == (link.mention.label or "CONCEPT")


def test_write_docbin_gives_entities_without_overlap() -> None:
    [doc] = _read(WARD)
    assert [(ent.text, ent.kb_id_, ent.label_) for ent in doc.ents] == [
        ("fits", "HP:0001250", "CONCEPT"),
        ("GERD", "HP:0002020", "CONCEPT"),
        ("heart\n  attack", "HP:0001658", "CONCEPT"),
        ("zebra pain", "", "CONCEPT"),
    ]
    assert [span.text for span in doc.spans["medlink"]][-2:] == ["zebra pain", "pain"]


def test_write_docbin_expands_to_whole_tokens() -> None:
    document = Document("d", "microcephaly seen")
    mention = Mention("d", 5, 12, "cephaly")
    [doc] = _read(LinkedDocument(document, (Link(mention, (SEIZURE,), SEIZURE.concept_id, "r", "v"),)))
    [ent] = doc.ents
    assert (ent.text, ent.kb_id_) == ("microcephaly", "HP:0001250")
    assert (doc.user_data["links"][0]["start"], doc.user_data["links"][0]["end"]) == (5, 12)


def test_write_docbin_keeps_a_mention_of_a_space_in_the_user_data() -> None:
    link = Link(Mention("d", 1, 2, " "), (SEIZURE,), SEIZURE.concept_id, "r", "v")
    [doc] = _read(LinkedDocument(Document("d", "a b"), (link,)))
    assert [row["start"] for row in doc.user_data["links"]] == [1]


def test_write_docbin_keeps_crlf_emoji_and_combining_marks() -> None:
    [doc] = _read(UNICODE)
    assert doc.text == UNICODE.document.text
    assert doc.spans["medlink"][0].text == "Me\u0301nie\u0300re\tdisease"


def test_write_docbin_of_empty_notes_and_of_nothing() -> None:
    [doc] = _read(EMPTY)
    assert (doc.text, len(doc), doc.user_data["doc_id"]) == ("", 0, "empty")
    assert _read() == []


def test_write_docbin_takes_long_notes() -> None:
    [doc] = _read(LinkedDocument(Document("long", "fit " * 100_000), ()))
    assert len(doc) == 100_000


@pytest.mark.slow
def test_write_docbin_is_read_without_medlink_and_the_same_in_any_process(tmp_path: Path) -> None:
    [path] = write_links(DOCUMENTS, tmp_path / "links.spacy", format="docbin")
    reader = (
        "import json, sys\n"
        "from spacy.tokens import DocBin\n"
        "from spacy.vocab import Vocab\n"
        "sys.modules['medlink'] = None\n"
        "docs = list(DocBin().from_disk(sys.argv[1]).get_docs(Vocab()))\n"
        "print(json.dumps([[d.user_data['doc_id'], [[e.text, e.kb_id_] for e in d.ents]] for d in docs]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", reader, str(path)], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert [doc_id for doc_id, _ in json.loads(done.stdout)] == [linked.document.id for linked in DOCUMENTS]
    assert json.loads(done.stdout)[0][1][0] == ["fits", "HP:0001250"]
    writer = (
        "import io\n"
        "from medlink.formats.docbin import write_docbin\n"
        "from tests.formats.samples import DOCUMENTS\n"
        "stream = io.BytesIO()\n"
        "write_docbin(DOCUMENTS, stream)\n"
        "print(stream.getvalue().hex())\n"
    )
    for seed in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", writer],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": str(Path(__file__).parents[2])},
            capture_output=True,
            text=True,
            check=True,
        )
        assert bytes.fromhex(done.stdout.strip()) == path.read_bytes()

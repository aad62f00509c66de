"""The report on whole notes, its three files, and the table of misses."""

from __future__ import annotations

import io
import json
import struct
from pathlib import Path

from medlink.evaluation.miss_table import write_misses
from medlink.evaluation.misses import Kind, Mark, Miss
from medlink.evaluation.notes_chart import draw_notes_report
from medlink.evaluation.notes_report import facts_of, notes_to_json, notes_to_markdown
from medlink.evaluation.report_folder import write_notes_report
from medlink.ontology.lexicon import Lexicon
from tests.evaluation.tiny_notes_report import make_tiny_notes_report

GOLDEN = Path(__file__).parents[1] / "data" / "notes_report.md"


def test_notes_to_markdown_is_the_golden_page() -> None:
    assert notes_to_markdown(make_tiny_notes_report()) == GOLDEN.read_text(encoding="utf-8")


def test_notes_to_json_holds_what_was_counted_by_hand() -> None:
    plain = json.loads(json.dumps(notes_to_json(make_tiny_notes_report()), allow_nan=False))
    levels = plain["levels"]
    # d1: cyst, seizure, infarction right, the febrile seizure not; d2: deafness wrong, one of two kidney concepts.
    assert (levels["document"]["precision"]["value"], levels["document"]["recall"]["value"]) == (4 / 5, 4 / 7)
    assert (levels["mention"]["precision"]["value"], levels["mention"]["recall"]["value"]) == (2 / 6, 2 / 7)
    assert (levels["span"]["precision"]["value"], levels["span"]["recall"]["value"]) == (4 / 6, 4 / 6)
    counts = {kind: (found["gold"], found["predicted"]) for kind, found in plain["misses"].items()}
    assert counts == {
        "abbreviation": (0, 1),  # MI, which the gold does not annotate
        "coordination": (2, 1),  # Enlarged kidneys and cysts, two concepts
        "boundary": (0, 0),
        "parent or child": (2, 2),  # febrile seizure and deafness
        "wrong concept": (0, 0),
        "missed": (1, 0),  # heart attack
        "spurious": (0, 0),
    }
    assert (plain["n_documents"], plain["n_unknown_concepts"], plain["n_without_concept"]) == (2, 0, 0)
    assert plain["problems"] == [
        {"where": "corpus.pubtator:9", "what": "a line of another form", "lost": True, "doc_id": ""}
    ]


def test_write_notes_report_writes_three_files(tmp_path: Path) -> None:
    written = write_notes_report(make_tiny_notes_report(), tmp_path / "report")
    assert [path.name for path in written] == ["report.md", "report.json", "report.png"]
    assert all(path.stat().st_size for path in written)


def test_draw_notes_report_writes_a_png_of_two_panels() -> None:
    stream = io.BytesIO()
    draw_notes_report(make_tiny_notes_report(), stream)
    content = stream.getvalue()
    assert content.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = struct.unpack(">II", content[16:24])
    assert width > 2 * height > 1000


def test_write_misses_lists_both_sides(tiny_lexicon: Lexicon) -> None:
    misses = [
        Miss(Kind.MISSED, "=d1", Mark(3, 9, "HP:0000107", "Renal\n cyst"), None),
        Miss(Kind.WRONG_CONCEPT, "d2", Mark(0, 2, "HP:9", "MI"), Mark(0, 2, "HP:0001658", "MI")),
    ]
    stream = io.BytesIO()
    write_misses(misses, tiny_lexicon, stream)
    assert stream.getvalue().decode() == (
        "kind\tdoc_id\tgold_start\tgold_end\tgold_mention\tgold_concept\tgold_name"
        "\tpredicted_start\tpredicted_end\tpredicted_mention\tpredicted_concept\tpredicted_name\n"
        "missed\t'=d1\t3\t9\tRenal cyst\tHP:0000107\tRenal cyst\t\t\t\t\t\n"
        "wrong concept\td2\t0\t2\tMI\tHP:9\t\t0\t2\tMI\tHP:0001658\tMyocardial infarction\n"
    )


def test_facts_of_a_folder_change_with_any_file_in_it(tmp_path: Path) -> None:
    (tmp_path / "Text").mkdir()
    (tmp_path / "Text" / "1").write_text("one", encoding="utf-8")
    before = facts_of(tmp_path)
    assert facts_of(tmp_path) == before
    (tmp_path / "Text" / "1").write_text("two", encoding="utf-8")
    assert facts_of(tmp_path).sha256 != before.sha256

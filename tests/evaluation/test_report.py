"""The report's three files, and the table of mistakes."""

from __future__ import annotations

import io
import json
import struct
import sys
from pathlib import Path

import pytest

from medlink.errors import MissingExtraError, SettingError
from medlink.evaluation.chart import draw_report
from medlink.evaluation.mistakes import write_mistakes
from medlink.evaluation.ranking import Judgement
from medlink.evaluation.report import to_json, to_markdown
from medlink.evaluation.report_folder import write_report
from medlink.evaluation.systems import Answer
from medlink.ontology.lexicon import Lexicon
from tests.evaluation.tiny_report import make_tiny_report
from tests.evaluation.tiny_set import make_query

GOLDEN = Path(__file__).parents[1] / "data" / "report.md"


def test_to_markdown_is_the_golden_page() -> None:
    assert to_markdown(make_tiny_report()) == GOLDEN.read_text(encoding="utf-8")


def test_to_json_survives_json() -> None:
    plain = to_json(make_tiny_report())
    assert json.loads(json.dumps(plain, allow_nan=False)) == json.loads(json.dumps(plain))
    assert plain["setting"]["names_used"] == "with extra names"
    assert plain["subsets"][3] | {"meaning": ""} == {
        "meaning": "",
        "name": "unseen concepts",
        "n": 0,
        "n_documents": 0,
        "systems": {},
        "differences": (),
    }


def test_draw_report_writes_a_png_of_the_panels_size() -> None:
    stream = io.BytesIO()
    draw_report(make_tiny_report(), stream)
    content = stream.getvalue()
    assert content.startswith(b"\x89PNG\r\n\x1a\n")
    assert content.endswith(b"IEND\xaeB`\x82")
    width, height = struct.unpack(">II", content[16:24])
    assert width > 1500
    assert 300 < height < width


def test_write_report_writes_three_files(tmp_path: Path) -> None:
    written = write_report(make_tiny_report(), tmp_path / "new" / "report")
    assert [path.name for path in written] == ["report.md", "report.json", "report.png"]
    assert sorted((tmp_path / "new" / "report").iterdir()) == sorted(written)


def test_write_report_keeps_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(SettingError, match="not empty"):
        write_report(make_tiny_report(), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_write_report_names_the_missing_extra_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)  # how Python marks a module that cannot be imported
    with pytest.raises(MissingExtraError, match=r"chart of a report needs .*medlink\[train\]"):
        write_report(make_tiny_report(), tmp_path / "report")
    assert list(tmp_path.iterdir()) == []


def test_write_mistakes_lists_the_wrong_first_answers(tiny_lexicon: Lexicon) -> None:
    queries = [
        make_query("d1", "kidney cysts", "HP:0000107"),
        make_query("d1", "=cmd", "HP:2|HP:1"),
        make_query("d2", "heart attacks", "HP:9"),
    ]
    judged = [
        Judgement(1, Answer("kidney cyst", 0.9)),
        Judgement(0, None),
        Judgement(3, Answer("heart attack", 0.123456)),
    ]
    stream = io.BytesIO()
    write_mistakes(queries, {"medlink": judged}, tiny_lexicon, stream)
    assert stream.getvalue().decode() == (
        "system\tdoc_id\tmention\tgold_ids\tgold_rank\tanswer\tanswer_ids\tscore\n"
        "medlink\td1\t'=cmd\tHP:1|HP:2\t0\t\t\t\n"
        "medlink\td2\theart attacks\tHP:9\t3\theart attack\tHP:0001658\t0.1235\n"
    )

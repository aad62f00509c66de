from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import numpy as np
import pytest

from medlink.ontology.lexicon import Lexicon
from medlink.refinement.card import Fate, find_confusions, measure_drift
from medlink.refinement.card_chart import draw_card
from medlink.refinement.card_folder import write_card
from medlink.refinement.card_page import card_to_json, card_to_markdown
from medlink.refinement.measuring import Vectors
from tests.refinement.tiny_card import CYST, DEAF, SEIZURE, make_tiny_card

GOLDEN = Path(__file__).parents[1] / "data" / "report_card.md"


def test_card_to_markdown_is_the_golden_page(tiny_lexicon: Lexicon) -> None:
    assert card_to_markdown(make_tiny_card(tiny_lexicon)) == GOLDEN.read_text(encoding="utf-8")


def test_card_to_json_survives_json_and_has_all_corrections(tiny_lexicon: Lexicon) -> None:
    plain = json.loads(json.dumps(card_to_json(make_tiny_card(tiny_lexicon)), allow_nan=False))
    assert plain["passed"] is False
    assert {fate: len(found) for fate, found in plain["corrections"].items()} == {
        "fixed": 1,
        "not fixed": 2,
        "right before": 0,
        "lost": 1,
    }
    assert plain["suspicion"]["annotators"][1]["is_suspicious"] is True


def test_the_card_says_what_became_of_each_correction(tiny_lexicon: Lexicon) -> None:
    card = make_tiny_card(tiny_lexicon)
    starts = {fate: [example.place[1] for example in found] for fate, found in card.corrections.items()}
    assert starts == {Fate.FIXED: [0], Fate.NOT_FIXED: [1, 2], Fate.KEPT: [], Fate.LOST: [3]}


def test_confusions_are_counted_once_a_mention(tiny_lexicon: Lexicon) -> None:
    card = make_tiny_card(tiny_lexicon)
    counts = {(one.gold, one.answer): one.n for one in card.confusions}
    assert counts == {(SEIZURE, CYST): 8, (DEAF, None): 1, (None, CYST): 1, (SEIZURE, None): 1, (CYST, SEIZURE): 1}
    assert card.confusions[0].n == 8
    assert find_confusions([], tiny_lexicon) == ()


def test_measure_drift_is_the_cosine_distance() -> None:
    axes = np.eye(2, dtype=np.float32)
    before, after = Vectors(axes, axes), Vectors(axes, axes[::-1])
    drift = measure_drift(before, after)
    assert drift is not None
    assert (drift.n, drift.mean, drift.median, drift.highest) == (4, 0.5, 0.5, 1.0)
    wider = np.eye(3, dtype=np.float32)
    assert measure_drift(before, Vectors(wider, wider)) is None


def test_draw_card_writes_a_png(tiny_lexicon: Lexicon) -> None:
    stream = io.BytesIO()
    draw_card(make_tiny_card(tiny_lexicon), stream)
    assert stream.getvalue().startswith(b"\x89PNG\r\n\x1a\n")


def test_write_card_does_without_a_picture(
    tmp_path: Path, tiny_lexicon: Lexicon, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)  # how Python marks a module that cannot be imported
    written = write_card(make_tiny_card(tiny_lexicon), tmp_path / "card")
    assert [path.name for path in written] == ["card.md", "card.json"]
    assert sorted((tmp_path / "card").iterdir()) == sorted(written)

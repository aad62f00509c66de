from __future__ import annotations

import pandas as pd

from medlink.formats.link_table import COLUMNS, link_rows
from medlink.linking.assemble import load_annotator
from medlink.linking.frames import link_frames
from medlink.linking.recipe import Recipe
from medlink.records import Document

TEXTS = ["A renal cyst.", "Nothing.", "She denies seizures."]


def test_link_frames_gives_the_rows_of_the_annotator(recipe: Recipe) -> None:
    frames = [pd.DataFrame({"id": ["a", "b"], "text": TEXTS[:2]}), pd.DataFrame({"id": [7], "text": TEXTS[2:]})]
    linked = load_annotator(recipe).annotate(map(Document, ["a", "b", "7"], TEXTS))
    expected = [row for document in linked for row in link_rows(document)]
    found = list(link_frames(frames, recipe))
    assert [list(frame.columns) for frame in found] == [list(COLUMNS)] * 2
    assert [row for frame in found for row in frame.to_dict("records")] == expected


def test_link_frames_passes_over_what_is_no_note(recipe: Recipe) -> None:
    frame = pd.DataFrame({"id": ["a", None, "", "d", "e"], "text": [None, *[TEXTS[0]] * 2, " ", TEXTS[0]]})
    [found] = link_frames([frame], recipe)
    assert found["doc_id"].tolist() == ["e"]


def test_link_frames_keeps_the_columns_of_no_links(recipe: Recipe) -> None:
    [found] = link_frames([pd.DataFrame({"id": [], "text": []})], recipe)
    assert list(found.columns) == list(COLUMNS)
    assert len(found) == 0

from __future__ import annotations

import pytest

from medlink.linking.annotator import MOST_CHARACTERS, windows
from medlink.linking.assemble import load_annotator
from medlink.linking.recipe import Recipe
from medlink.records import Document

NOTES = [
    Document(str(i), f"Note {i}: renal cysts, no seizure; cysts of the kidneys {'again ' * (i % 5)}.")
    for i in range(40)
]


@pytest.mark.parametrize(
    ("n_documents", "n_each", "sizes"),
    [
        (0, 1, []),
        (5, 1, [5]),
        (100, 1, [32, 64, 4]),
        (1500, 1, [32, 64, 128, 256, 512, 508]),
        (200, 2, [32, 32, 64, 64, 8]),
        (1, 3, [1]),
    ],
)
def test_windows_double(n_documents: int, n_each: int, sizes: list[int]) -> None:
    documents = [Document(str(i), "x") for i in range(n_documents)]
    found = list(windows(documents, n_each=n_each))
    assert [len(window) for window in found] == sizes
    assert [document for window in found for document in window] == documents


def test_windows_end_with_long_documents() -> None:
    long, short = Document("long", "x" * MOST_CHARACTERS), Document("short", "x")
    assert [len(window) for window in windows([short, long, short, short])] == [2, 2]


def test_windows_read_no_further_than_they_must() -> None:
    stream = iter([Document(str(i), "x") for i in range(100)])
    assert len(next(windows(stream))) == 32
    assert next(stream).id == "32"


@pytest.mark.parametrize("size", [1, 3, 40])
def test_annotate_depends_on_no_window(recipe: Recipe, size: int) -> None:
    annotator = load_annotator(recipe)
    expected = list(annotator.annotate(NOTES))
    assert list(load_annotator(recipe).annotate(NOTES, batch_size=size)) == expected
    assert any(c.dense not in (None, 1.0) for linked in expected for link in linked.links for c in link.candidates)

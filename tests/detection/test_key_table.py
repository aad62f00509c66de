from __future__ import annotations

from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st

from medlink.detection.key_table import KeyTable
from medlink.detection.words import content_words_of

WORDS = st.lists(st.sampled_from(["short", "pr", "interval", "long", "of"]), min_size=1, max_size=4).map(" ".join)


def _unwritten(row: int) -> Iterable[str]:
    raise AssertionError(f"row {row} needs no spelling")


def _windows(table: KeyTable, text: str) -> set[tuple[int, int, int]]:
    return {(first, last, row) for first, last, rows in table.windows(content_words_of(text)) for row in rows}


def _slow_windows(names: list[str], text: str) -> set[tuple[int, int, int]]:
    """Every window whose sorted words are those of a name, straight from the definition."""
    sentences, start = text.split(". "), 0
    found = set()
    for sentence in sentences:
        words = [word for word in sentence.split() if word != "of"]
        for first in range(len(words)):
            for last in range(first + 1, len(words) + 1):
                for row, name in enumerate(names):
                    if sorted(words[first:last]) == sorted(word for word in name.split() if word != "of"):
                        found.add((start + first, start + last, row))
        start += len(words)
    return found


@given(st.lists(WORDS, max_size=6), st.lists(WORDS, min_size=1, max_size=4).map(". ".join))
def test_windows_equals_the_slow_search(names: list[str], text: str) -> None:
    assert _windows(KeyTable.build(enumerate(names), written=_unwritten), text) == _slow_windows(names, text)


def test_windows_of_an_empty_table_are_none() -> None:
    assert _windows(KeyTable.build([], written=_unwritten), "short pr interval") == set()


def test_windows_of_an_empty_text_are_none() -> None:
    assert _windows(KeyTable.build([(0, "short")], written=_unwritten), " ... ") == set()


def test_build_leaves_out_names_of_function_words_alone() -> None:
    table = KeyTable.build(enumerate(["of the", "pain"]), written=_unwritten)
    assert table.rows.tolist() == [1]


def test_build_asks_how_a_name_with_a_is_written() -> None:
    names, written = ["hepatitis a", "loss of a limb"], [["Hepatitis A", "hepatitis a"], ["Loss of a limb"]]
    table = KeyTable.build(enumerate(names), written=written.__getitem__)
    assert _windows(table, "Hepatitis A") == {(0, 1, 0), (0, 2, 0)}
    assert _windows(table, "limb loss") == {(0, 2, 1)}

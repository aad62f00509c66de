"""How common words are in general English; ``common_words.csv`` comes from ``pipelines/common_words.py``."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

# Of a word that the table lacks. A Zipf value is the logarithm to base 10 of the occurrences among a billion words.
RARE = 3.5


@cache
def _table() -> Mapping[str, float]:
    table = files("medlink.detection").joinpath("common_words.csv").read_text(encoding="utf-8")
    return {row["word"]: float(row["zipf"]) for row in csv.DictReader(table.splitlines())}


def zipf(norm: str) -> float:
    """The Zipf value of a normalised word, at least :data:`RARE`.

    >>> zipf("the") > zipf("fall") > zipf("dyspnea") == RARE
    True
    """
    return _table().get(norm, RARE)


def is_common(norm: str) -> bool:
    """Whether a word belongs to general English."""
    return norm in _table()

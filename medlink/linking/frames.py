"""Links of notes in data frames: what runs on each worker of a cluster."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING

from medlink.formats.link_table import COLUMNS, link_rows
from medlink.linking.annotator import Annotator
from medlink.linking.assemble import load_annotator
from medlink.linking.recipe import Recipe
from medlink.records import Document

if TYPE_CHECKING:
    import pandas as pd

#: What Spark calls the kinds of :data:`medlink.formats.link_table.COLUMNS`.
_SPARK_TYPES = {
    "string": "string",
    "int32": "int",
    "float64": "double",
    "bool": "boolean",
    "list": "array<string>",
    "scores": "array<double>",
}


def spark_schema() -> str:
    """The columns of links as Spark writes a schema, in the order of :data:`medlink.formats.link_table.COLUMNS`.

    >>> spark_schema()[:38]
    '`doc_id` string, `start` int, `end` in'
    """
    return ", ".join(f"`{name}` {_SPARK_TYPES[kind.rstrip('?')]}" for name, kind in COLUMNS.items())


def link_frames(frames: Iterable[pd.DataFrame], recipe: Recipe) -> Iterator[pd.DataFrame]:
    """The links of each frame of notes, a row each, as :func:`medlink.formats.link_table.link_rows` gives them.

    The annotator of a recipe is loaded once in a process, from the recipe's workspace, however many frames come. It
    computes in one thread, as the workers of a cluster share the cores among them. A note without an id or without
    visible text has no links.

    :param frames: each with the columns ``id`` and ``text``; ids are text or whole numbers.
    """
    import pandas as pd

    annotator = _annotator(replace(recipe, n_threads=1))
    for frame in frames:
        rows = [row for linked in annotator.annotate(_documents(frame)) for row in link_rows(linked)]
        yield pd.DataFrame(rows, columns=list(COLUMNS))


@lru_cache(maxsize=1)
def _annotator(recipe: Recipe) -> Annotator:
    return load_annotator(recipe)


def _documents(frame: pd.DataFrame) -> Iterator[Document]:
    known = frame[frame["id"].notna() & (frame["id"] != "")]
    for doc_id, text in zip(known["id"], known["text"], strict=True):
        if isinstance(text, str) and text.strip():
            yield Document(str(doc_id), text)

"""The misses of an evaluation of whole notes, as a table for people to look through."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from typing import BinaryIO

from medlink.evaluation.misses import Mark, Miss
from medlink.formats.csv_table import guard
from medlink.ontology.lexicon import Lexicon

_SIDE = ("start", "end", "mention", "concept", "name")
COLUMNS = ("kind", "doc_id", *(f"gold_{column}" for column in _SIDE), *(f"predicted_{column}" for column in _SIDE))


def write_misses(misses: Iterable[Miss], lexicon: Lexicon, stream: BinaryIO) -> None:
    r"""A UTF-8 table, cells parted by tabs, with the header :data:`COLUMNS` and one row for each miss.

    The cells of a side that a miss does not have are empty, as is the name of a concept that the ontology does not
    know. Line breaks and tabs of a mention are spaces. Lines end in ``\n``. Cells that a spreadsheet would compute are
    written behind a ``'``.
    """
    text = io.TextIOWrapper(stream, encoding="utf-8", newline="", write_through=True)
    rows = csv.writer(text, delimiter="\t", lineterminator="\n")
    rows.writerow(COLUMNS)
    for miss in misses:
        rows.writerow(
            (miss.kind.value, guard(miss.doc_id), *_cells(miss.gold, lexicon), *_cells(miss.predicted, lexicon))
        )
    text.detach()


def _cells(mark: Mark | None, lexicon: Lexicon) -> tuple[str | int, ...]:
    if mark is None:
        return ("",) * len(_SIDE)
    concept = lexicon.concepts.get(mark.concept)
    surface = " ".join(mark.surface.split())
    return mark.start, mark.end, guard(surface), guard(mark.concept), guard(concept.name if concept else "")

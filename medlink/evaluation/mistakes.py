"""The mentions that a system ranks wrongly, as a table for people to look through."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from typing import BinaryIO

from medlink.evaluation.biosyn import Query
from medlink.evaluation.ranking import Judgement, bearers_of
from medlink.formats.csv_table import guard
from medlink.formats.decision import round_score
from medlink.ontology.lexicon import Lexicon

COLUMNS = ("system", "doc_id", "mention", "gold_ids", "gold_rank", "answer", "answer_ids", "score")


def write_mistakes(
    queries: Sequence[Query],
    judgements: Mapping[str, Sequence[Judgement]],
    lexicon: Lexicon,
    stream: BinaryIO,
) -> None:
    r"""A UTF-8 table, cells parted by tabs, with the header :data:`COLUMNS` and one row for each wrong first answer.

    ``gold_rank`` is 0 where no right answer was found. Ids are parted by ``|``; ``answer_ids`` are those of all
    concepts that bear the answer. A mention without answer has the three last cells empty. Lines end in ``\n``. Cells
    that a spreadsheet would compute are written behind a ``'``.

    :param judgements: by system, *Shape:* (n_mentions,) each.
    """
    text = io.TextIOWrapper(stream, encoding="utf-8", newline="", write_through=True)
    rows = csv.writer(text, delimiter="\t", lineterminator="\n")
    rows.writerow(COLUMNS)
    for system, judged in judgements.items():
        rows.writerows((system, *cells) for cells in _wrong(queries, judged, lexicon))
    text.detach()


def _wrong(
    queries: Sequence[Query], judged: Sequence[Judgement], lexicon: Lexicon
) -> Iterator[tuple[str | int | float, ...]]:
    for query, judgement in zip(queries, judged, strict=True):
        if judgement.rank == 1:
            continue
        best = judgement.best
        answer = (
            (guard(best.name), _join(bearers_of(best.name, lexicon)), round_score(best.score)) if best else ("",) * 3
        )
        yield guard(query.doc_id), guard(query.mention), _join(query.gold), judgement.rank, *answer


def _join(ids: frozenset[str]) -> str:
    return guard("|".join(sorted(ids)))

"""CSV output: one row per link, safe to open in a spreadsheet."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from typing import BinaryIO

from medlink.formats.decision import decide, round_score
from medlink.records import Candidate, Link, LinkedDocument

COLUMNS = (
    "doc_id", "start", "end", "surface", "expanded", "concept_id", "concept_name", "score", "assertion", "section",
    "sentence_start", "sentence_end", "alternatives", "release", "ontology_version",
    "equivalents",
)  # fmt: skip
# What makes a spreadsheet compute a cell (OWASP, "CSV Injection"); the wide forms work in East Asian locales.
_FORMULA_STARTS = tuple("=+-@＝＋－＠")
_CONTROL_STARTS = ("\t", "\r", "\n")


def write_csv(links: Iterable[LinkedDocument], stream: BinaryIO) -> None:
    r"""A UTF-8 table with the header :data:`COLUMNS` and one row per link, ordered as the links are.

    ``assertion`` joins its labels by ``;``. ``alternatives`` joins the candidates that were not chosen by `` | ``, each
    as ``HP:0001250 Seizure (0.92)``. A NIL mention has an empty ``concept_id`` and ``concept_name``, the score of its
    best candidate, and all candidates as alternatives. A note without links has no row.

    ``equivalents`` are the ids of other systems that mean the same as the concept, where such were asked for.

    Text cells that a spreadsheet would compute are written behind a ``'`` (see :func:`guard`). Lines end in ``\n``
    and text cells are quoted, so that they may hold line breaks of any kind. Constant memory.
    """
    text = io.TextIOWrapper(stream, encoding="utf-8", newline="", write_through=True)
    rows = csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)
    rows.writerow(COLUMNS)
    for linked in links:
        rows.writerows(_row(link) for link in linked.links)
    text.detach()


def guard(cell: str) -> str:
    """The cell, behind a ``'`` when a spreadsheet would take it for a formula.

    >>> guard("=1+1"), guard("-blocker"), guard("beta-blocker")
    ("'=1+1", "'-blocker", 'beta-blocker')
    """
    is_formula = cell.startswith(_CONTROL_STARTS) or cell.lstrip().startswith(_FORMULA_STARTS)
    return f"'{cell}" if is_formula else cell


def _row(link: Link) -> tuple[str | int | float, ...]:
    mention, decision = link.mention, decide(link)
    return (
        guard(mention.doc_id),
        mention.start,
        mention.end,
        guard(mention.surface),
        guard(mention.expanded),
        guard(decision.concept_id),
        guard(decision.name),
        round_score(decision.score),
        ";".join(mention.assertion.labels),
        guard(mention.section),
        *mention.sentence,
        guard(" | ".join(map(_alternative, decision.alternatives))),
        guard(link.release),
        guard(link.ontology_version),
        guard(" | ".join(link.equivalents)),
    )


def _alternative(candidate: Candidate) -> str:
    return f"{candidate.concept_id} {candidate.name} ({round_score(candidate.score)})"

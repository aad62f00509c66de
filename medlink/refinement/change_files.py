"""Changes as files: JSON lines, or a table that is safe to open in a spreadsheet."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable
from typing import Any, BinaryIO

from medlink.formats.csv_table import guard
from medlink.formats.decision import round_score
from medlink.ontology.lexicon import Lexicon
from medlink.records import Ruling
from medlink.refinement.changes import Change
from medlink.refinement.precedents import Near
from medlink.store.logged import Outcome

COLUMNS = (
    "doc_id", "start", "end", "surface", "expanded", "section", "old_concept", "old_name", "old_score", "old_release",
    "new_concept", "new_name", "new_score", "new_release", "margin", "cause", "corrections", "review",
)  # fmt: skip


def write_change_lines(changes: Iterable[Change], stream: BinaryIO, lexicon: Lexicon) -> None:
    """One JSON object a line; NIL is ``null``. ``corrections`` lists what caused the change, nearest first.

    Of a ruling that is the ruling itself, with ``kind`` ``mention`` or ``wording``; of what was learned the corrections
    whose texts are nearest, with ``kind`` ``near``.
    """
    for change in changes:
        corrections = [_ruling(change.ruling)] if change.ruling else list(map(_near, change.near))
        row = _facts(change, lexicon) | {"corrections": corrections, "review": change.review}
        stream.write(json.dumps(row, ensure_ascii=False, separators=(",", ":")).encode() + b"\n")


def write_change_table(changes: Iterable[Change], stream: BinaryIO, lexicon: Lexicon) -> None:
    """A UTF-8 table with the header :data:`COLUMNS` and one row a change; of NIL the concept is empty.

    ``corrections`` joins what caused the change by `` | ``: ``note-7:12-20 HP:0001250 (0.93)``. Text cells that a
    spreadsheet would compute stand behind a ``'``.
    """
    text = io.TextIOWrapper(stream, encoding="utf-8", newline="", write_through=True)
    rows = csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)
    rows.writerow(COLUMNS)
    for change in changes:
        corrections = [_say_ruling(change.ruling)] if change.ruling else list(map(_say_near, change.near))
        cells = _facts(change, lexicon) | {
            "corrections": " | ".join(corrections),
            "review": "yes" if change.review else "no",
        }
        ordered = ("" if cells[column] is None else cells[column] for column in COLUMNS)
        rows.writerow([guard(cell) if isinstance(cell, str) else cell for cell in ordered])
    text.detach()


Write = Callable[[Iterable[Change], BinaryIO, Lexicon], None]
WRITERS: dict[str, Write] = {"jsonl": write_change_lines, "csv": write_change_table}


def _facts(change: Change, lexicon: Lexicon) -> dict[str, Any]:
    mention = change.mention
    return {
        "doc_id": mention.doc_id,
        "start": mention.start,
        "end": mention.end,
        "surface": mention.surface,
        "expanded": mention.expanded,
        "section": mention.section,
        **_outcome("old", change.old, change.old_release, lexicon),
        **_outcome("new", change.new, change.new_release, lexicon),
        "margin": round_score(change.margin),
        "cause": change.cause.value,
    }


def _outcome(when: str, outcome: Outcome, release: str, lexicon: Lexicon) -> dict[str, Any]:
    concept = lexicon.concepts.get(outcome.concept_id or "")
    return {
        f"{when}_concept": outcome.concept_id,
        f"{when}_name": concept.name if concept else "",
        f"{when}_score": round_score(outcome.score),
        f"{when}_release": release,
    }


def _ruling(ruling: Ruling) -> dict[str, Any]:
    return {
        "kind": "mention" if ruling.place else "wording",
        "id": _ruling_id(ruling),
        "concept_id": ruling.concept_id,
        "rejected": list(ruling.rejected),
        "n_mentions": ruling.n_mentions,
        "n_documents": ruling.n_documents,
        "annotators": list(ruling.annotators),
        "last": ruling.last.isoformat(),
    }


def _ruling_id(ruling: Ruling) -> str:
    """A mention's place, or what it says and where."""
    if ruling.place:
        return "{}:{}-{}".format(*ruling.place)
    return f"{ruling.surface} under {ruling.section}" if ruling.section else ruling.surface


def _say_ruling(ruling: Ruling) -> str:
    rejected = f", not {', '.join(ruling.rejected)}" if ruling.rejected else ""
    return f"{_ruling_id(ruling)} {ruling.concept_id or 'no concept'}{rejected} ({ruling.n_mentions} mentions)"


def _near(near: Near) -> dict[str, Any]:
    return {"kind": "near"} | near_facts(near)


def near_facts(near: Near) -> dict[str, Any]:
    """A near correction in names and values."""
    precedent = near.precedent
    return {
        "id": precedent.id,
        "text": precedent.query,
        "concept_id": precedent.concept_id,
        "rejected": list(precedent.refuted),
        "n_mentions": precedent.n_lessons,
        "cosine": near.cosine,
        "pull": near.pull.value,
    }


def _say_near(near: Near) -> str:
    precedent = near.precedent
    return f"{precedent.id} {precedent.concept_id or 'no concept'} ({near.cosine:.2f})"

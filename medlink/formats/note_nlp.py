"""OMOP output: rows of the table NOTE_NLP of the Common Data Model, version 5.4, as CSV or Parquet.

The columns, their order and their widths are those of ``OMOP_CDMv5.4_Field_Level.csv`` (OHDSI/CommonDataModel).
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, BinaryIO

from medlink import __version__
from medlink.errors import SettingError
from medlink.formats.decision import decide, round_score
from medlink.formats.parquet_file import write_rows
from medlink.formats.processing_date import processing_date
from medlink.formats.vocabulary import split_curie
from medlink.records import Assertion, Link, LinkedDocument, Mention

if TYPE_CHECKING:
    import pyarrow as pa

#: The columns with the CDM's types, an asterisk behind those that must hold a value.
COLUMNS = {
    "note_nlp_id": "integer*", "note_id": "integer*", "section_concept_id": "integer", "snippet": "varchar(250)",
    "offset": "varchar(50)", "lexical_variant": "varchar(250)*", "note_nlp_concept_id": "integer",
    "note_nlp_source_concept_id": "integer", "nlp_system": "varchar(250)", "nlp_date": "date*",
    "nlp_datetime": "datetime", "term_exists": "varchar(1)", "term_temporal": "varchar(50)",
    "term_modifiers": "varchar(2000)",
}  # fmt: skip
# The CDM's word for what is in no vocabulary of OMOP's.
_NO_CONCEPT = 0
_WIDTH = 250
_MODIFIERS_WIDTH = 2000
_NUMBER = re.compile(r"0|-?[1-9][0-9]{0,18}")
_LARGEST = 2**63 - 1
# What the CDM calls our labels ("term_modifiers"), with the value that says that the label holds.
_MODIFIERS = {
    "negated": "Negation=true",
    "family": "Subject=family",
    "hypothetical": "Conditional=true",
    "uncertain": "Uncertain=true",
    "historical": "History=true",
}


def write_note_nlp_csv(links: Iterable[LinkedDocument], stream: BinaryIO, *, first_id: int = 1) -> None:
    r"""A UTF-8 table with a header and one row per link, to be loaded into a database.

    Lines end in ``\n``, an empty cell is NULL, and cells are as they are: not made safe for spreadsheets, as
    :func:`medlink.formats.csv_table.write_csv` makes them. Constant memory. See :func:`note_nlp_rows`.
    """
    text = io.TextIOWrapper(stream, encoding="utf-8", newline="", write_through=True)
    table = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    table.writeheader()
    table.writerows(note_nlp_rows(links, first_id=first_id))
    text.detach()


def write_note_nlp_parquet(links: Iterable[LinkedDocument], stream: BinaryIO, *, first_id: int = 1) -> None:
    """The same as Parquet, with whole numbers of 64 bits and dates."""
    write_rows(note_nlp_rows(links, first_id=first_id), note_nlp_schema(), stream)


def note_nlp_rows(links: Iterable[LinkedDocument], *, first_id: int = 1) -> Iterator[dict[str, Any]]:
    """A row of NOTE_NLP for each link, NIL included, with a value for each of :data:`COLUMNS`.

    - ``note_nlp_id`` counts the rows from ``first_id``.
    - ``note_id`` is the note's id, which must be that of its row in the table NOTE.
    - ``section_concept_id`` is 0, as our headings are no concepts of OMOP's; the heading is among the modifiers.
    - ``snippet`` is the sentence, or what fits of it around the mention, on one line; ``offset`` where the mention
      starts, in code points; ``lexical_variant`` the mention as it is, cut where it is longer than the column.
    - ``note_nlp_concept_id`` and ``note_nlp_source_concept_id`` are the concept's number where its id is an OMOP
      concept id (``OMOP:201826``), else 0; the CURIE is always among the modifiers.
    - ``nlp_system`` names medlink, release and version of the ontology; ``nlp_date`` is the
      :func:`medlink.formats.processing_date.processing_date`, ``nlp_datetime`` NULL.
    - ``term_exists`` is ``N`` for what is negated, hypothetical or said of the family, else ``Y``. What is uncertain
      exists, and has a modifier: that is how the CDM has it.
    - ``term_temporal`` is ``past`` or ``present``, NULL for what is hypothetical.
    - ``term_modifiers`` joins by ``;`` what is asserted in the CDM's words, then ``concept`` (``NIL`` for none),
      ``score``, ``expanded`` and ``section``; ``;`` and ``%`` within a value are written ``%3B`` and ``%25``.

    :raises SettingError: when a note's id is no whole number.
    """
    day = processing_date()
    row_id = first_id
    for linked in links:
        note_id = note_number(linked.document.id)
        for link in linked.links:
            concept = _concept_number(link)
            yield {
                "note_nlp_id": row_id,
                "note_id": note_id,
                "section_concept_id": _NO_CONCEPT,
                "snippet": _snippet(linked.document.text, link.mention),
                "offset": str(link.mention.start),
                "lexical_variant": link.mention.surface[:_WIDTH],
                "note_nlp_concept_id": concept,
                "note_nlp_source_concept_id": concept,
                "nlp_system": f"medlink {__version__}; {link.release}; ontology {link.ontology_version}"[:_WIDTH],
                "nlp_date": day,
                "nlp_datetime": None,
                "term_exists": _exists(link.mention.assertion),
                "term_temporal": _temporal(link.mention.assertion),
                "term_modifiers": _modifiers(link),
            }
            row_id += 1


def note_number(doc_id: str) -> int:
    """The id of a note as OMOP's key of the table NOTE.

    :raises SettingError: when it is no whole number of 64 bits.
    """
    if not _NUMBER.fullmatch(doc_id) or abs(int(doc_id)) > _LARGEST:
        raise SettingError(
            "OMOP's NOTE_NLP needs notes whose ids are numbers",
            where=f"note {doc_id!r}",
            expected="the note_id of the table NOTE",
            hint="Name the column of the numbers, for example: --id-field note_id",
        )
    return int(doc_id)


def note_nlp_schema() -> pa.Schema:
    """The schema of :data:`COLUMNS` in Arrow."""
    import pyarrow as pa

    types = {"integer": pa.int64(), "date": pa.date32(), "datetime": pa.timestamp("us")}
    fields = []
    for name, kind in COLUMNS.items():
        base = types.get(kind.rstrip("*"), pa.string())
        fields.append(pa.field(name, base, nullable=not kind.endswith("*")))
    return pa.schema(fields)


def _concept_number(link: Link) -> int:
    vocabulary, code = split_curie(link.concept_id or "")
    return int(code) if vocabulary.prefix == "OMOP" and _NUMBER.fullmatch(code) else _NO_CONCEPT


def _snippet(text: str, mention: Mention) -> str:
    """The sentence around a mention, or as much of it as fits around the mention's middle, white space as one space."""
    start, end = min(mention.sentence[0], mention.start), max(mention.sentence[1], mention.end)
    if end - start > _WIDTH:
        middle = (mention.start + mention.end) // 2
        start = max(start, min(middle - _WIDTH // 2, end - _WIDTH))
        end = start + _WIDTH
    return " ".join(text[start:end].split())


def _exists(assertion: Assertion) -> str:
    return "N" if assertion.negated or assertion.hypothetical or assertion.family else "Y"


def _temporal(assertion: Assertion) -> str | None:
    if assertion.hypothetical:
        return None
    return "past" if assertion.historical else "present"


def _modifiers(link: Link) -> str:
    mention, decision = link.mention, decide(link)
    values = {
        "concept": decision.concept_id or "NIL",
        "score": str(round_score(decision.score)),
        "expanded": mention.expanded,
        "section": mention.section,
    }
    said = [modifier for label, modifier in _MODIFIERS.items() if getattr(mention.assertion, label)]
    return ";".join([*said, *(f"{key}={_escape(value)}" for key, value in values.items() if value)])[:_MODIFIERS_WIDTH]


def _escape(value: str) -> str:
    """The value on one line, cut to a reasonable length, without the sign that stands between modifiers."""
    return " ".join(value.split())[:_WIDTH].replace("%", "%25").replace(";", "%3B")

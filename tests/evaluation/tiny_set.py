"""A set that can be counted by hand, in the form of BioSyn."""

from __future__ import annotations

from medlink.evaluation.biosyn import Query, ids_of

NAMES = "D1|7||heart attack\nD1|7||myocardial infarction\nD2||cyst\nD3||kidney cyst\nD4||cold\nD5||cold\n"
QUERIES = (
    "doc1||0|12||Disease||heart attacks||7\n"
    "doc1||20|24||Disease||cyst||D3\n"
    "doc2||0|4||Disease||cold||D5\n"
    "doc2||9|22||CompositeMention||cyst|kidney cyst||D2|D3\n"
    "doc3||1|2||Disease||zzz||D1+D9\n"
)


def make_query(doc_id: str, mention: str, ids: str) -> Query:
    """A gold mention, its ids as the form writes them."""
    return Query(doc_id, mention, ids_of(ids))

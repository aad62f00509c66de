"""Rich Release Format of the US National Library of Medicine: rows without header, each cell closed by ``|``.

Columns after the UMLS Reference Manual, chapter 3 (https://www.ncbi.nlm.nih.gov/books/NBK9685/), and the RxNorm
Technical Documentation, section 12 (https://www.nlm.nih.gov/research/umls/rxnorm/docs/techdoc.html), whose files have
the same ones.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import NamedTuple

from tqdm import tqdm

from medlink.errors import OntologyFormatError
from medlink.ontology.drafts import Drafts
from medlink.ontology.parts import Release

# Sources whose codes the field writes with another prefix than NLM's abbreviation.
_PREFIXES = {"MSH": "MESH", "SNOMEDCT_US": "SNOMEDCT", "LNC": "LOINC", "MDR": "MEDDRA", "HPO": "HP", "RXNORM": "RXNORM"}
_NO_CODE = "NOCODE"
_SUPPRESSED = ("E", "O", "Y")
ABBREVIATIONS = frozenset({"AA", "AB", "ACR"})


class Atom(NamedTuple):
    """A row of MRCONSO or RXNCONSO: one name in one source.

    :param concept: CUI or RXCUI.
    :param status: TS, STT and ISPREF, in which NLM's own choice of the preferred name reads P, PF, Y.
    :param term_type: TTY, such as PT or IN.
    """

    concept: str
    language: str
    status: tuple[str, str, str]
    source: str
    term_type: str
    code: str
    text: str
    suppressed: bool


def read_rows(release: Release, kind: str, n_columns: int, *, show_progress: bool = False) -> Iterator[list[str]]:
    """The cells of each row.

    :raises OntologyFormatError: when a row has fewer cells than its file has columns.
    """
    lines = release.lines(kind)
    for line in tqdm(lines, desc=f"reading {kind}", unit=" rows", disable=not show_progress, mininterval=1.0):
        cells = line.text.split("|")
        if len(cells) <= n_columns:
            raise OntologyFormatError(
                f"no row of {kind}",
                where=line.where,
                expected=f"{n_columns} cells, each closed by |",
                got=str(len(cells) - 1),
            )
        yield cells


def read_atoms(release: Release, kind: str, *, show_progress: bool = False) -> Iterator[Atom]:
    """The rows of MRCONSO or RXNCONSO."""
    for row in read_rows(release, kind, 18, show_progress=show_progress):
        yield Atom(row[0], row[1], (row[2], row[4], row[6]), row[11], row[12], row[13], row[14], row[16] in _SUPPRESSED)


def read_parents(
    release: Release, kind: str, known: Collection[str], sources: Collection[str], *, show_progress: bool = False
) -> Iterator[tuple[str, str]]:
    """Concept and parent, from MRREL or RXNREL, where both are known.

    REL and RELA are read from right to left: ``CUI1|…|CHD|CUI2|…|isa`` says that CUI2 is a CUI1.

    :param sources: SAB values whose rows count; empty for all.
    """
    for row in read_rows(release, kind, 16, show_progress=show_progress):
        first, relation, second, attribute, source = row[0], row[3], row[4], row[7], row[10]
        if row[14] in _SUPPRESSED or (sources and source not in sources):
            continue
        if relation == "PAR" or attribute == "inverse_isa":
            child, parent = first, second
        elif relation == "CHD" or attribute == "isa":
            child, parent = second, first
        else:
            continue
        if child != parent and child in known and parent in known:
            yield child, parent


def add_types(drafts: Drafts, rows: Iterator[list[str]]) -> None:
    """Gives the drafts their semantic types, from MRSTY or RXNSTY."""
    for row in rows:
        draft = drafts.get(row[0])
        if draft is not None and row[3] not in draft.types:
            draft.types += (row[3],)


def cross_reference(source: str, code: str) -> str:
    """A source's code as a CURIE; empty where the source has none.

    >>> cross_reference("MSH", "D009203"), cross_reference("HPO", "HP:0001250"), cross_reference("MTH", "NOCODE")
    ('MESH:D009203', 'HP:0001250', '')
    """
    if not code or code == _NO_CODE:
        return ""
    return code if ":" in code else f"{_PREFIXES.get(source, source)}:{code}"

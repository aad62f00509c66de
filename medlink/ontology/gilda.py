"""Term lists of Gilda (Gyori et al. 2022, https://github.com/gyorilab/gilda), tab-separated with a header line.

Columns after ``gilda.term.Term``: norm_text, text, db, id, entry_name, status, source, organism, source_db, source_id.
"""

from __future__ import annotations

from pathlib import Path

from tqdm import tqdm

from medlink.errors import OntologyFormatError
from medlink.ontology.drafts import Draft, Drafts
from medlink.ontology.options import ReaderOptions
from medlink.ontology.parts import Release
from medlink.ontology.source import Ontology, tidy

TERMS = "grounding_terms.tsv"
FILES = {TERMS: r".*"}
# Gilda's statuses in its order of priority, and the kind of name that each is here.
_KINDS = {"name": "", "curated": "", "synonym": "", "former_name": "former name"}


class GildaOptions(ReaderOptions):
    """What is read of a term list.

    :param databases: db values, such as HGNC and MESH. Empty for all.
    :param organisms: taxonomy codes, such as 9606; terms without one always count. Empty for all.
    """

    databases: tuple[str, ...] = ()
    organisms: tuple[str, ...] = ()


def read_gilda(path: Path, *, name: str, show_progress: bool = False, options: GildaOptions | None = None) -> Ontology:
    """The terms of a list, plain or gzipped, gathered into concepts.

    The preferred name is the entry's name, all texts are exact synonyms, the database is the semantic type, and what an
    id was mapped from a cross-reference. Ids are ``HGNC:6407``, with the database before an id that has no prefix.

    :param name: the ontology's key in the catalogue.
    :raises OntologyFormatError: when a column is missing, a row is broken, or a status is none of Gilda's; names file
        and line.
    """
    options = options or GildaOptions()
    release = Release(path, FILES)
    drafts = Drafts()
    columns = ("text", "db", "id", "entry_name", "status", "?organism", "?source_db", "?source_id")
    rows = release.csv_tables(TERMS, columns, "\t")
    for where, cells in tqdm(rows, desc=f"reading {path.name}", unit=" terms", disable=not show_progress):
        text, database, local, entry, status, organism, source, source_id = map(tidy, cells)
        if status not in _KINDS or not local or not text:
            raise OntologyFormatError(
                "no term of Gilda's", where=where, expected=f"a text, an id and a status of {', '.join(_KINDS)}"
            )
        if options.databases and database not in options.databases:
            continue
        if options.organisms and organism and organism not in options.organisms:
            continue
        curie = _curie(database, local)
        draft = drafts.get(curie)
        if draft is None:
            draft = drafts[curie] = Draft(curie, types=(database,))
        draft.name_it(entry, (0,))
        draft.name_it(text, (1 + list(_KINDS).index(status),), kind=_KINDS[status])
        if source and source_id:
            draft.refer(_curie(source, source_id))
    return drafts.collect(release, name=name, title=name, version="")


def _curie(database: str, local: str) -> str:
    return local if ":" in local else f"{database}:{local}"

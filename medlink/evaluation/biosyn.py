"""Gold mentions and name lists in the form of BioSyn (Sung et al. 2020), the field's common one."""

from __future__ import annotations

import gzip
import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from medlink.errors import CorpusFormatError
from medlink.ontology.source import Ontology
from medlink.records import Concept, Name
from medlink.text import normalise

_IDS = re.compile(r"[|+]")


@dataclass(frozen=True, slots=True)
class Query:
    """A gold mention.

    :param mention: what is looked up. Where an annotator marked several in one, which the form writes as
        ``breast cancer|ovarian cancer``, it is all of them in one string.
    :param gold: ids of which any is right, also where there are several mentions in one (the rule of BELB, Garda et
        al. 2023; BioSyn's own asks for each of them, which changes figures by up to 0.7 points).
    """

    doc_id: str
    mention: str
    gold: frozenset[str]


def ids_of(field: str) -> frozenset[str]:
    """The ids of a field: ``|`` parts alternatives, ``+`` parts of a composite.

    >>> sorted(ids_of("C567755|613097"))
    ['613097', 'C567755']
    """
    return frozenset(part for part in _IDS.split(field) if part)


def read_queries(path: Path) -> tuple[Query, ...]:
    """The gold mentions of a file with lines ``document||start|end||type||mention||ids``.

    :raises CorpusFormatError: when a line has another form; names it.
    """
    queries = []
    for number, fields in _read_fields(path, 5):
        doc_id, _, _, mention, ids = fields
        gold = ids_of(ids)
        if not mention.strip() or not gold:
            raise CorpusFormatError("a gold mention without text or id", where=f"{path}:{number}")
        queries.append(Query(doc_id, mention, gold))
    if not queries:
        raise CorpusFormatError("there is no gold mention in this file", where=str(path))
    return tuple(queries)


def read_names(paths: Iterable[Path], *, name: str) -> Ontology:
    """The names of some files as one ontology; a concept's id is the whole field of ids, as the file writes it.

    Lines are ``ids||name``; a path that ends in ``.gz`` is unpacked on the way. A concept's first name is its
    preferred one.

    :raises CorpusFormatError: when a line has another form; names it.
    """
    names: dict[str, dict[str, None]] = {}
    digest = hashlib.sha256()
    for path in paths:
        for number, (ids, text) in _read_fields(path, 2):
            if not ids_of(ids):
                raise CorpusFormatError("a name without id", where=f"{path}:{number}")
            if normalise(text):
                names.setdefault(ids, {})[text] = None
                digest.update(f"{ids}||{text}\n".encode())
    if not names:
        raise CorpusFormatError("there is no name in these files", where=", ".join(map(str, paths)))
    concepts = tuple(_concept(ids, list(texts)) for ids, texts in sorted(names.items()))
    return Ontology(name=name, title=name, version="", licence="", sha256=digest.hexdigest(), concepts=concepts)


def _concept(ids: str, texts: list[str]) -> Concept:
    return Concept(ids, texts[0], tuple(Name(text) for text in texts[1:]))


def _read_fields(path: Path, n_fields: int) -> Iterator[tuple[int, list[str]]]:
    with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            fields = line.rstrip("\r\n").split("||")
            if len(fields) != n_fields:
                raise CorpusFormatError(
                    "a line of another form",
                    where=f"{path}:{number}",
                    expected=f"{n_fields} fields parted by ||",
                    got=f"{len(fields)}",
                )
            yield number, fields

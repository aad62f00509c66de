"""The gold standard of HPO abstracts (Groza et al. 2015 and its revisions): a folder of texts, a folder of spans."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from medlink.errors import CorpusFormatError
from medlink.evaluation.annotations import Annotation, Corpus, Problem, check_surface
from medlink.evaluation.biosyn import Query
from medlink.ontology.lexicon import Lexicon
from medlink.records import Document

logger = logging.getLogger(__name__)

_LINE = re.compile(r"(?P<start>\d+):(?P<end>\d+)\t(?P<id>[A-Z]+:\d+)\t(?P<surface>.+)")
_KIND = "Phenotype"
_EVERY, _N_DEV = 10, 22


def read_gsc(folder: Path) -> Corpus:
    """The files of ``folder/Text`` as documents, with the spans below ``folder/Annotations``; names are document ids.

    Lines are ``start:end<TAB>id<TAB>surface``, and spans may be nested. A line of another form is left out, as is a
    file of spans without a text; a surface that differs from the text at its offsets counts where the offsets are. The
    problems name all of them.

    :raises CorpusFormatError: when there is no text, or a file is no UTF-8.
    """
    documents = {path.name: Document(path.name, _read(path)) for path in sorted((folder / "Text").glob("*"))}
    if not documents:
        raise CorpusFormatError("there is no text", where=str(folder / "Text"), expected="one file a document")
    annotations, problems = [], []
    for doc_id, where, annotation in _read_spans(folder):
        if annotation is None:
            problems.append(Problem(where, "a line of another form", doc_id=doc_id))
        elif annotation.doc_id not in documents:
            problems.append(Problem(where, "a span of a document without text"))
        else:
            problems.extend(check_surface(annotation, documents[annotation.doc_id], where))
            annotations.append(annotation)
    return Corpus(tuple(documents.values()), tuple(annotations), tuple(problems))


def read_gsc_queries(folder: Path, lexicon: Lexicon) -> tuple[Query, ...]:
    """The gold mentions below ``folder/Annotations``, with today's ids, as :func:`read_gsc` reads them.

    Malformed lines are counted in one warning. An id that the lexicon does not know stays, so it counts as an error.

    :raises CorpusFormatError: when there is no annotation.
    """
    queries, n_malformed = [], 0
    for _, _, annotation in _read_spans(folder):
        if annotation is None:
            n_malformed += 1
            continue
        gold = frozenset(lexicon.resolve(written) or written for written in annotation.concepts)
        queries.append(Query(annotation.doc_id, annotation.surface, gold))
    if n_malformed:
        logger.warning("%s: left out %d malformed lines", folder, n_malformed)
    if not queries:
        raise CorpusFormatError("there is no annotation", where=str(folder / "Annotations"))
    return tuple(queries)


def gsc_dev_documents(doc_ids: Iterable[str]) -> tuple[str, ...]:
    """The documents to tune on, where a corpus has no splits: of the sorted ids every tenth, the first 22 of those.

    The first id is among them. The others are for test.
    """
    return tuple(sorted(doc_ids)[::_EVERY][:_N_DEV])


def _read_spans(folder: Path) -> Iterator[tuple[str, str, Annotation | None]]:
    """Document and place of every line that is not blank, with its annotation; ``None`` where it has another form."""
    for path in sorted((folder / "Annotations").glob("*")):
        for number, line in enumerate(_read(path).splitlines(), start=1):
            if line.strip():
                yield path.name, f"{path}:{number}", _parse(line.rstrip(), path.name)


def _parse(line: str, doc_id: str) -> Annotation | None:
    match = _LINE.fullmatch(line)
    if match is None or int(match["start"]) >= int(match["end"]):
        return None
    start, end = int(match["start"]), int(match["end"])
    return Annotation(doc_id, start, end, match["surface"], frozenset({match["id"]}), _KIND)


def _read(path: Path) -> str:
    try:
        return path.read_bytes().decode()  # as bytes: line ends count as the file has them
    except (OSError, UnicodeDecodeError) as error:
        raise CorpusFormatError("the file cannot be read as UTF-8", where=str(path)) from error

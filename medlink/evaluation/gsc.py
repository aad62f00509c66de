"""The gold standard of HPO abstracts (Groza et al. 2015 and its revisions): a folder of texts, a folder of spans."""

from __future__ import annotations

import logging
import re
from pathlib import Path

from medlink.errors import CorpusFormatError
from medlink.evaluation.biosyn import Query
from medlink.ontology.lexicon import Lexicon

logger = logging.getLogger(__name__)

_LINE = re.compile(r"(?P<start>\d+):(?P<end>\d+)\t(?P<id>[A-Z]+:\d+)\t(?P<surface>.+)")


def read_gsc_queries(folder: Path, lexicon: Lexicon) -> tuple[Query, ...]:
    """The gold mentions below ``folder/Annotations``, with today's ids; lines ``start:end<TAB>id<TAB>surface``.

    Malformed lines are counted in one warning. An id that the lexicon does not know stays, so it counts as an error.

    :raises CorpusFormatError: when there is no annotation.
    """
    queries, n_malformed = [], 0
    for path in sorted((folder / "Annotations").glob("*")):
        for line in path.read_text(encoding="utf-8").splitlines():
            match = _LINE.fullmatch(line.rstrip())
            if match is None:
                n_malformed += bool(line.strip())
                continue
            gold = lexicon.resolve(match["id"]) or match["id"]
            queries.append(Query(path.name, match["surface"], frozenset({gold})))
    if n_malformed:
        logger.warning("%s: left out %d malformed lines", folder, n_malformed)
    if not queries:
        raise CorpusFormatError("there is no annotation", where=str(folder / "Annotations"))
    return tuple(queries)

"""The forms of annotated corpora that can be read."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from medlink.evaluation.annotations import Corpus, join_corpora
from medlink.evaluation.brat import read_brat
from medlink.evaluation.gsc import read_gsc
from medlink.evaluation.pubtator import read_pubtator

CORPUS_READERS: dict[str, Callable[[Path], Corpus]] = {"pubtator": read_pubtator, "brat": read_brat, "gsc": read_gsc}


def read_corpus(paths: Iterable[Path], form: str) -> Corpus:
    """The documents of some files or folders of one form.

    :param form: a key of ``CORPUS_READERS``.
    :raises CorpusFormatError: when one of them cannot be read or holds no document.
    """
    return join_corpora(CORPUS_READERS[form](path) for path in paths)

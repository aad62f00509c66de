"""FastHPOCR (Groza et al. 2024), the recogniser made for HPO, as a rival: its index on medlink's own hp.obo.

Needs: pip install FastHPOCR==0.1.4 pronto
"""

from __future__ import annotations

import contextlib
import io
from collections import defaultdict
from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any

from medlink.errors import MissingExtraError
from medlink.evaluation.annotations import Annotation
from medlink.ontology.catalogue import Catalogue, default_folder, source_path
from medlink.records import Document
from medlink.store.workspace import default_workspace_root


class FastHpoCr:
    """Its annotator with the settings of its publication: all matches, not the longest alone."""

    def __init__(self) -> None:
        index = default_workspace_root() / "bench-fasthpocr" / "hp.index"
        if not index.is_file():
            index.parent.mkdir(parents=True, exist_ok=True)
            _build_index(str(index.parent))
        self._annotator: Any = _import("FastHPOCR.HPOAnnotator").HPOAnnotator(str(index))

    def annotate(self, document: Document) -> Iterator[Annotation]:
        """What it finds in a document."""
        for found in self._annotator.annotate(document.text, longestMatch=False):
            concepts = frozenset({found.getHPOUri()})
            start, end = found.getStartOffset(), found.getEndOffset()
            yield Annotation(document.id, start, end, document.text[start:end], concepts)


def _import(name: str) -> Any:  # noqa: ANN401
    try:
        return import_module(name)
    except ImportError as error:
        raise MissingExtraError(
            "the rival is not installed", where="FastHPOCR", hint="pip install FastHPOCR==0.1.4 pronto"
        ) from error


def _build_index(folder: str) -> None:
    """Builds its index; the one quadratic loop in that is replaced by a look-up with the same result.

    Its own takes hours on some machines; nothing else of it is changed.
    """
    module = _import("FastHPOCR.cr.CRIndexKB")
    indexer = _import("FastHPOCR.IndexHPO")
    tokens_of: dict[int, Mapping[str, list[str]]] = {}

    def compile_cluster_list(self: object, cluster: str, base: Mapping[str, str]) -> list[str]:
        if id(base) not in tokens_of:
            grouped = defaultdict[str, list[str]](list)
            for token, owner in base.items():
                grouped[owner].append(token)
            tokens_of[id(base)] = grouped
        return list(tokens_of[id(base)].get(cluster, ()))

    module.CRIndexKB.compileClusterList = compile_cluster_list
    source = str(source_path(Catalogue([default_folder()]).get("hpo")))
    with contextlib.redirect_stdout(io.StringIO()):
        indexer.IndexHPO(source, folder).index()

"""FastHPOCR (Groza et al. 2024), made for HPO: its index of the ontology's own file, all matches, as published."""

from __future__ import annotations

import contextlib
import io
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from pipelines.bench.rivals.figures import concept_at
from pipelines.bench.rivals.tool import Found, Row, Tool, run_tool


def build(task: Row, folder: Path) -> None:
    """Builds its index; the one quadratic loop in that is replaced by a look-up with the same result.

    Its own takes hours on some machines; nothing else of it is changed.
    """
    from FastHPOCR.cr.CRIndexKB import CRIndexKB
    from FastHPOCR.IndexHPO import IndexHPO

    tokens_of: dict[int, Mapping[str, list[str]]] = {}

    def compile_cluster_list(self: object, cluster: str, base: Mapping[str, str]) -> list[str]:
        if id(base) not in tokens_of:
            grouped = defaultdict[str, list[str]](list)
            for token, owner in base.items():
                grouped[owner].append(token)
            tokens_of[id(base)] = grouped
        return list(tokens_of[id(base)].get(cluster, ()))

    CRIndexKB.compileClusterList = compile_cluster_list
    with contextlib.redirect_stdout(io.StringIO()):
        IndexHPO(task["source"], str(folder)).index()


def load(task: Row, folder: Path) -> Tool:
    """Its annotator."""
    from importlib.metadata import version

    from FastHPOCR.HPOAnnotator import HPOAnnotator

    annotator = HPOAnnotator(str(folder / "hp.index"))

    def find_in(text: str) -> list[Found]:
        found = annotator.annotate(text, longestMatch=False)
        return [(one.getStartOffset(), one.getEndOffset(), one.getHPOUri()) for one in found]

    def find(documents: Sequence[Row]) -> list[list[Found]]:
        return [find_in(document["text"]) for document in documents]

    def link(documents: Sequence[Row]) -> list[list[str | None]]:
        surfaces = [[d["text"][one["start"] : one["end"]] for one in d["mentions"]] for d in documents]
        return [[concept_at(0, len(one), find_in(one))[0] for one in row] for row in surfaces]

    return Tool(version("FastHPOCR"), link, find)


if __name__ == "__main__":
    run_tool(build, load)

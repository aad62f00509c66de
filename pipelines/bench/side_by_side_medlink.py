"""medlink as side_by_side.py measures it: ``python -m pipelines.bench.side_by_side_medlink``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.bench.rivals.tool import Found, Row, Tool, run_tool

if TYPE_CHECKING:
    from medlink.linking.recipe import Recipe


def build(task: Row, folder: Path) -> None:
    """Makes lexicon and index, in the workspace."""
    from medlink.linking.assemble import load_linker

    load_linker(_recipe(task))


def load(task: Row, folder: Path) -> Tool:
    """Linker and detector on them. Given spans are linked by their words, abbreviations as they stand."""
    from medlink import __version__
    from medlink.linking.assemble import load_annotator
    from medlink.records import Document, Mention

    annotator = load_annotator(_recipe(task))

    def link(documents: Sequence[Row]) -> list[list[str | None]]:
        mentions = [
            Mention(document["id"], one["start"], one["end"], document["text"][one["start"] : one["end"]])
            for document in documents
            for one in document["mentions"]
        ]
        links = iter(annotator.linker.link(mentions))
        best = ((link.candidates[0].concept_id if link.candidates else None) for link in links)
        return [[next(best) for _ in document["mentions"]] for document in documents]

    def find(documents: Sequence[Row]) -> list[list[Found]]:
        notes = [Document(document["id"], document["text"]) for document in documents]
        return [
            [(one.mention.start, one.mention.end, one.concept_id) for one in linked.links if one.concept_id is not None]
            for linked in annotator.annotate(notes)
        ]

    return Tool(__version__, link, find)


def _recipe(task: Row) -> Recipe:
    from medlink.detection.settings import DetectionSettings
    from medlink.linking.recipe import Recipe
    from medlink.store.workspace import default_workspace_root

    detection = DetectionSettings(**task["detection"])
    root = default_workspace_root()
    return Recipe(root, ontology=task["ontology"], encoder=task["encoder"], n_threads=1, detection=detection)


if __name__ == "__main__":
    run_tool(build, load)

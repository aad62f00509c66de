"""MedCAT v2 on given names, with what it learned by itself from texts without annotations: see medcat_model.py."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pipelines.bench.rivals.figures import concept_at
from pipelines.bench.rivals.tool import Found, Row, Tool, run_tool


def build(task: Row, folder: Path) -> None:
    """Makes a model pack of the names and lets it read the texts."""
    from pipelines.bench.rivals.medcat_model import MedCat, Settings

    model = MedCat.build(task["names"], task["texts"], Settings(nested=task["nested"]), folder)
    model.read(task["texts"])
    model.save(folder)


def load(task: Row, folder: Path) -> Tool:
    """The model pack. A given span that its dictionary does not have gets what it finds there."""
    from medcat import __version__

    from pipelines.bench.rivals.medcat_model import MedCat

    model = MedCat.load(folder)

    def find(documents: Sequence[Row]) -> list[list[Found]]:
        return [model.find(document["text"]) for document in documents]

    def link(documents: Sequence[Row]) -> list[list[str | None]]:
        answers: list[list[str | None]] = []
        for document in documents:
            spans = [(one["start"], one["end"]) for one in document["mentions"]]
            given = model.link(document["text"], spans)
            found = model.find(document["text"]) if len(given) < len(set(spans)) else []
            answers.append([given.get(span) or concept_at(*span, found)[0] for span in spans])
        return answers

    return Tool(__version__, link, find)


if __name__ == "__main__":
    run_tool(build, load)

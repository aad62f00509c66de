"""Teaches MedCAT corrections batch by batch and asks it after each: medcat_corrections.py says what is in the files.

Usage, in MedCAT's environment: python -m pipelines.bench.rivals.medcat_learner TASK ANSWERS
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from medcat import __version__

from pipelines.bench.rivals.figures import concept_at, peak_mib
from pipelines.bench.rivals.medcat_model import MedCat, Row, Settings, export_of

NONE = "none"
ALIASES = "aliases"


def learn(task: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """The answers after each batch, with what they took."""
    started = time.perf_counter()
    model = MedCat.build(task["names"], task["texts"], Settings(**task["settings"]), folder)
    built = time.perf_counter()
    if task["read_texts"]:
        model.read(task["texts"])
    read = time.perf_counter()
    return {
        "medcat": __version__,
        "seconds_to_build": round(built - started, 3),
        "seconds_to_read": round(read - built, 3),
        "milestones": list(_milestones(model, task)),
        "peak_mib": peak_mib(),
    }


def _milestones(model: MedCat, task: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    yield {"name": NONE, "n_corrections": 0, "seconds_to_teach": 0.0, **ask(model, task["test"])}
    seconds, n_corrections = 0.0, 0
    for batch in task["batches"]:
        export = export_of(batch["name"], batch["documents"], model)
        n_corrections += sum(len(row["annotations"]) for row in export["projects"][0]["documents"])
        before = time.perf_counter()
        if task["learn"] == ALIASES:
            model.add_names(export)
        else:
            model.teach(export, task["epochs"])
        seconds += time.perf_counter() - before
        if batch.get("ask", True):
            taught = {"n_corrections": n_corrections, "seconds_to_teach": round(seconds, 3)}
            yield {"name": batch["name"], **taught, **ask(model, task["test"])}


def ask(model: MedCat, documents: Sequence[Row]) -> dict[str, Any]:
    """What it says of the mentions of some documents, in their order."""
    before = time.perf_counter()
    found = [model.find(document["text"]) for document in documents]
    detected = time.perf_counter()
    given = [model.link(d["text"], [(m["start"], m["end"]) for m in d["mentions"]]) for d in documents]
    linked = time.perf_counter()
    return {
        "seconds_to_find": round(detected - before, 3),
        "seconds_to_link": round(linked - detected, 3),
        "peak_mib": peak_mib(),
        "answers": [
            _answer(document, mention, of_document, of_spans)
            for document, of_document, of_spans in zip(documents, found, given, strict=True)
            for mention in document["mentions"]
        ],
    }


def _answer(
    document: Row, mention: Row, found: list[tuple[int, int, str]], given: Mapping[tuple[int, int], str]
) -> dict[str, Any]:
    start, end = mention["start"], mention["end"]
    concept, exact = concept_at(start, end, found)
    return {
        "doc_id": document["id"],
        "start": start,
        "end": end,
        "found": concept,
        "exact": exact,
        "given": given.get((start, end), concept),
    }


def main() -> None:
    """Reads the task, writes the answers."""
    task = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory() as folder:
        answers = learn(task, Path(folder))
    Path(sys.argv[2]).write_text(json.dumps(answers), encoding="utf-8")


if __name__ == "__main__":
    main()

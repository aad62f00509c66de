"""A tool as side_by_side.py measures it: built once, loaded in a fresh process, then asked and timed.

A module with a tool calls :func:`run_tool`; its command is ``build TASK FOLDER`` or ``run TASK FOLDER ANSWERS``.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.bench.rivals.figures import peak_mib

Row = Mapping[str, Any]
Found = tuple[int, int, str]


@dataclass(frozen=True, slots=True)
class Tool:
    """What a tool can do with documents, rows of ``id``, ``text`` and ``mentions``.

    :param link: the concepts of each document's mentions, in their order, ``None`` where it has no answer.
    :param find: what it finds in each document; ``None`` where it cannot do that by itself.
    """

    version: str
    link: Callable[[Sequence[Row]], list[list[str | None]]]
    find: Callable[[Sequence[Row]], list[list[Found]]] | None


def run_tool(build: Callable[[Row, Path], None], load: Callable[[Row, Path], Tool]) -> None:
    """Builds or runs a tool, as the command line says.

    :param build: takes a task with the names, and a folder for what it makes of them.
    :param load: takes the task without the names, and that folder; all imports of the tool are its own.
    """
    verb, task_file, folder, *answers = sys.argv[1:]
    task = json.loads(Path(task_file).read_text(encoding="utf-8"))
    if verb == "build":
        build(task, Path(folder))
    else:
        Path(answers[0]).write_text(json.dumps(_measure(task, Path(folder), load)), encoding="utf-8")


def _measure(task: Row, folder: Path, load: Callable[[Row, Path], Tool]) -> dict[str, Any]:
    """Its figures and answers; loading ends with the first document, other documents warm it up."""
    warm, documents = task["warm"], task["documents"]
    started = time.perf_counter()
    tool = load(task, folder)
    _ask(tool, warm[:1])
    loaded = time.perf_counter()
    load_mib = peak_mib()
    _ask(tool, warm[1:])
    before = time.perf_counter()
    linked = tool.link(documents)
    between = time.perf_counter()
    found = tool.find(documents) if tool.find else None
    after = time.perf_counter()
    return {
        "version": tool.version,
        "load_s": loaded - started,
        "load_mib": load_mib,
        "link_s": between - before,
        "find_s": after - between,
        "peak_mib": peak_mib(),
        "linked": linked,
        "found": found,
    }


def _ask(tool: Tool, documents: Sequence[Row]) -> None:
    tool.link(documents)
    if tool.find:
        tool.find(documents)

"""A tool as side_by_side.py measures it: built once, loaded in a fresh process, then asked and timed.

A module with a tool calls :func:`run_tool`; its command is ``build TASK FOLDER``, and ``link TASK FOLDER ANSWERS`` or
``find TASK FOLDER ANSWERS``, each in a process of its own, as tools remember mentions.
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

BUILD, LINK, FIND = "build", "link", "find"


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
    if verb == BUILD:
        build(task, Path(folder))
    else:
        Path(answers[0]).write_text(json.dumps(_measure(verb, task, Path(folder), load)), encoding="utf-8")


def _measure(verb: str, task: Row, folder: Path, load: Callable[[Row, Path], Tool]) -> dict[str, Any]:
    """Its figures and answers; loading ends with the first document, others warm it up.

    ``load_s`` is by the clock, all other seconds are the processor's. Without answers where it cannot do what is asked.
    """
    started, working = time.perf_counter(), time.process_time()
    tool = load(task, folder)
    ask = tool.link if verb == LINK else tool.find
    if ask is None:
        return {"version": tool.version, "answers": None}
    warm = task["warm"]
    ask(warm[:1])
    load_s, load_cpu_s, load_mib = time.perf_counter() - started, time.process_time() - working, peak_mib()
    ask(warm[1:])
    before = time.process_time()
    answers = ask(task["documents"])
    return {
        "version": tool.version,
        "load_s": load_s,
        "load_cpu_s": load_cpu_s,
        "load_mib": load_mib,
        "seconds": time.process_time() - before,
        "peak_mib": peak_mib(),
        "answers": answers,
    }

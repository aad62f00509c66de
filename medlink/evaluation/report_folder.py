"""The folder of a report: report.md for people, report.json for programs, report.png for slides."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

from medlink.evaluation.chart import draw_report
from medlink.evaluation.notes_chart import draw_notes_report
from medlink.evaluation.notes_report import NotesReport, notes_to_json, notes_to_markdown
from medlink.evaluation.report import Report, to_json, to_markdown
from medlink.formats.atomic import new_folder


def write_report(report: Report, folder: Path) -> tuple[Path, ...]:
    """Writes the three files and returns their paths; the folder then holds all of them or is untouched.

    :raises SettingError: when the folder exists and is not empty.
    :raises MissingExtraError: when matplotlib is not installed.
    """
    return _write(folder, to_markdown(report), to_json(report), lambda stream: draw_report(report, stream))


def write_notes_report(report: NotesReport, folder: Path) -> tuple[Path, ...]:
    """As :func:`write_report`, for an evaluation of whole notes."""
    page, values = notes_to_markdown(report), notes_to_json(report)
    return _write(folder, page, values, lambda stream: draw_notes_report(report, stream))


def _write(folder: Path, page: str, values: dict[str, Any], draw: Callable[[BinaryIO], None]) -> tuple[Path, ...]:
    with new_folder(folder) as partial:
        (partial / "report.md").write_text(page, encoding="utf-8", newline="\n")
        text = json.dumps(values, ensure_ascii=False, indent=2, allow_nan=False)
        (partial / "report.json").write_text(text + "\n", encoding="utf-8", newline="\n")
        with (partial / "report.png").open("wb") as stream:
            draw(stream)
    return tuple(folder / name for name in ("report.md", "report.json", "report.png"))

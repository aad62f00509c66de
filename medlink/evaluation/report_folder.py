"""The folder of a report: report.md for people, report.json for programs, report.png for slides."""

from __future__ import annotations

import json
from pathlib import Path

from medlink.evaluation.chart import draw_report
from medlink.evaluation.report import Report, to_json, to_markdown
from medlink.formats.atomic import new_folder


def write_report(report: Report, folder: Path) -> tuple[Path, ...]:
    """Writes the three files and returns their paths; the folder then holds all of them or is untouched.

    :raises SettingError: when the folder exists and is not empty.
    :raises MissingExtraError: when matplotlib is not installed.
    """
    with new_folder(folder) as partial:
        (partial / "report.md").write_text(to_markdown(report), encoding="utf-8", newline="\n")
        text = json.dumps(to_json(report), ensure_ascii=False, indent=2, allow_nan=False)
        (partial / "report.json").write_text(text + "\n", encoding="utf-8", newline="\n")
        with (partial / "report.png").open("wb") as stream:
            draw_report(report, stream)
    return tuple(folder / name for name in ("report.md", "report.json", "report.png"))

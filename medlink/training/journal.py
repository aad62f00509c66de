"""What a training writes down: one JSON line a step, evaluation and summary; and a picture of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from medlink.errors import ArtifactError
from medlink.extras import import_extra
from medlink.formats.atomic import new_file
from medlink.training.trainer import StepResult


class Journal:
    """The lines of a training, appended one by one; each says its "kind": step, evaluation or summary.

    :param is_kept: whether anything is written; of several processes, one writes for all.
    """

    def __init__(self, path: Path, *, is_kept: bool = True) -> None:
        self.path, self._is_kept = path, is_kept

    def write_step(self, result: StepResult) -> None:
        """Append the line of a step."""
        self.write("step", asdict(result))

    def write(self, kind: str, facts: Mapping[str, Any]) -> None:
        """Append a line."""
        if not self._is_kept:
            return
        with self.path.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps({"kind": kind, **facts}) + "\n")

    def lines(self) -> list[dict[str, Any]]:
        """All lines so far.

        :raises ArtifactError: when one is damaged; names it.
        """
        lines = []
        text = self.path.read_text(encoding="utf-8") if self.path.exists() else ""
        for number, line in enumerate(text.splitlines(), start=1):
            try:
                lines.append(json.loads(line))
            except json.JSONDecodeError as error:
                raise ArtifactError("a line of the journal is damaged", where=f"{self.path}:{number}") from error
        return lines

    def rewind(self, n_done: int) -> None:
        """Drop what came after that many steps, and any summary: a resumed run writes it again.

        A last line that a crash cut short is dropped too.
        """
        if not self._is_kept:
            return
        kept = []
        for line in self.path.read_text(encoding="utf-8").splitlines(keepends=True) if self.path.exists() else ():
            if not line.endswith("\n"):
                break
            facts = json.loads(line)
            if facts["kind"] != "summary" and facts["step"] <= n_done:
                kept.append(line)
        with new_file(self.path) as stream:
            stream.write("".join(kept).encode())

    def draw(self, path: Path) -> None:
        """Write a PNG with loss, effective rank and dev accuracy over the steps.

        :raises MissingExtraError: when matplotlib is not installed.
        """
        if not self._is_kept:
            return
        lines = self.lines()
        steps = [line for line in lines if line["kind"] == "step"]
        looks = [line for line in steps if line["collapse"]]
        evaluations = [line for line in lines if line["kind"] == "evaluation"]
        curves = {
            "loss": ([line["step"] for line in steps], [line["parts"]["loss"] for line in steps]),
            "effective rank": (
                [line["step"] for line in looks],
                [line["collapse"]["effective_rank"] for line in looks],
            ),
            "dev accuracy": (
                [line["step"] for line in evaluations],
                [line["accuracy"] for line in evaluations],
            ),
        }
        figure = import_extra("matplotlib.figure", what="training").Figure(figsize=(12, 3.5))
        figure.subplots_adjust(left=0.05, right=0.98, bottom=0.15, wspace=0.2)
        for axis, (title, (x, y)) in zip(figure.subplots(1, len(curves)), curves.items(), strict=True):
            axis.plot(x, y, marker="o" if len(x) < 30 else "", linewidth=1.2, markersize=3)
            axis.set(title=title, xlabel="step")
            axis.grid(alpha=0.3)
        with new_file(path) as stream:
            figure.savefig(stream, format="png")

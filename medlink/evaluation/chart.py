"""The report as a picture: accuracy at 1 of every system with its interval, one panel a subset."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, BinaryIO

from medlink.evaluation.comparison import SubsetScores
from medlink.evaluation.report import Report, size_of
from medlink.evaluation.systems import MEDLINK, MEDLINK_DOCUMENT
from medlink.extras import import_extra

OURS, OTHERS, FAINT = "#0b6e8a", "#8a8f98", "#e4e7eb"
_LONGEST_NAME = 28


def import_matplotlib() -> Any:  # noqa: ANN401
    """The part of matplotlib that draws; callers import it before any long work.

    :raises MissingExtraError: when matplotlib is not installed.
    """
    return import_extra("matplotlib.figure", what="the chart of a report")


def draw_report(report: Report, stream: BinaryIO) -> None:
    """Writes a PNG.

    :raises MissingExtraError: when matplotlib is not installed.
    """
    n_panels = len(report.subsets)
    size = (1.6 + 3.1 * n_panels, 1.5 + 0.42 * len(report.systems))
    figure = import_matplotlib().Figure(figsize=size, dpi=160, layout="constrained")
    panels = figure.subplots(1, n_panels, sharey=True, squeeze=False)[0]
    limits = _limits(report.subsets)
    for axis, subset in zip(panels, report.subsets, strict=True):
        _draw_panel(axis, subset, report.systems)
        axis.set_xlim(*limits)
    panels[0].set_yticks(range(len(report.systems)), [_short(system) for system in report.systems])
    panels[0].invert_yaxis()
    for label, system in zip(panels[0].get_yticklabels(), report.systems, strict=True):
        label.set_color(_colour(system) if system in (MEDLINK, MEDLINK_DOCUMENT) else "#30343a")
    figure.supxlabel(f"accuracy at 1, with 95 % intervals  ·  names: {report.setting.names_used}", fontsize=9)
    figure.savefig(stream, format="png")


def _draw_panel(axis: Any, subset: SubsetScores, systems: Sequence[str]) -> None:  # noqa: ANN401
    axis.set_title(f"{subset.name}\n", fontsize=10, fontweight="bold", loc="left")
    axis.text(0, 1.04, size_of(subset), transform=axis.transAxes, fontsize=8, color=OTHERS)
    for place, system in enumerate(systems):
        if system in subset.systems:
            _draw_system(axis, place, subset, system)
    axis.set_ylim(-0.6, len(systems) - 0.4)
    axis.grid(axis="x", color=FAINT, linewidth=0.8)
    axis.set_axisbelow(True)
    axis.spines[["top", "right", "left"]].set_visible(False)
    axis.spines["bottom"].set_color(FAINT)
    axis.tick_params(length=0, labelsize=8.5)


def _draw_system(axis: Any, place: int, subset: SubsetScores, system: str) -> None:  # noqa: ANN401
    figure, colour = subset.systems[system].acc1, _colour(system)
    axis.plot([figure.low, figure.high], [place, place], color=colour, alpha=0.35, linewidth=5, solid_capstyle="round")
    axis.plot([figure.value], [place], color=colour, marker="o", markersize=5.5)
    axis.annotate(
        f"{figure.value:.3f}",
        (figure.value, place),
        xytext=(0, 6),
        textcoords="offset points",
        ha="center",
        fontsize=8,
        color=colour,
    )


def _colour(system: str) -> str:
    return OURS if system in (MEDLINK, MEDLINK_DOCUMENT) else OTHERS


def _limits(subsets: Sequence[SubsetScores]) -> tuple[float, float]:
    """The ends of the axis that all panels share: every interval fits, with a little air."""
    figures = [scores.acc1 for subset in subsets for scores in subset.systems.values()]
    low = min((figure.low for figure in figures), default=0.0)
    high = max((figure.high for figure in figures), default=1.0)
    air = max(0.06 * (high - low), 0.02)
    return low - air, high + air


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST_NAME else "…" + name[1 - _LONGEST_NAME :]

"""The report on whole notes as a picture: the figures with their intervals, and the misses by kind."""

from __future__ import annotations

from typing import Any, BinaryIO

from medlink.evaluation.chart import FAINT, OTHERS, OURS, import_matplotlib
from medlink.evaluation.metrics import Interval
from medlink.evaluation.notes_report import NotesReport

_SHARES = (("precision", OTHERS, -0.22), ("recall", OTHERS, 0.0), ("f", OURS, 0.22))


def draw_notes_report(report: NotesReport, stream: BinaryIO) -> None:
    """Writes a PNG.

    :raises MissingExtraError: when matplotlib is not installed.
    """
    figure = import_matplotlib().Figure(figsize=(10.5, 4.2), dpi=160, layout="constrained")
    figures, misses = figure.subplots(1, 2)
    _draw_figures(figures, report)
    _draw_misses(misses, report)
    figure.savefig(stream, format="png")


def _draw_figures(axis: Any, report: NotesReport) -> None:  # noqa: ANN401
    _begin(axis, "precision, recall and F", f"{report.evaluation.n_documents:,} documents, 95 % intervals")
    for place, figures in enumerate(report.levels.values()):
        for name, colour, shift in _SHARES:
            _draw_share(axis, place + shift, getattr(figures, name), f"{name[0].upper()} ", colour)
    axis.set_yticks(range(len(report.levels)), list(report.levels))
    axis.set_ylim(len(report.levels) - 0.5, -0.5)
    axis.set_xlim(right=min(1.06, axis.get_xlim()[1] + 0.08))


def _draw_share(axis: Any, place: float, share: Interval, label: str, colour: str) -> None:  # noqa: ANN401
    axis.plot([share.low, share.high], [place, place], color=colour, alpha=0.35, linewidth=5, solid_capstyle="round")
    axis.plot([share.value], [place], color=colour, marker="o", markersize=4.5)
    axis.annotate(
        f"{label}{share.value:.3f}",
        (share.high, place),
        xytext=(7, 0),
        textcoords="offset points",
        va="center",
        fontsize=7.5,
        color=colour,
    )


def _draw_misses(axis: Any, report: NotesReport) -> None:  # noqa: ANN401
    _begin(axis, "misses at mention level", "gold mentions not found, and wrong predictions, by kind")
    kinds = report.kinds
    for shift, side, colour in ((-0.19, 0, OURS), (0.19, 1, OTHERS)):
        counts = [pair[side] for pair in kinds.values()]
        places = [place + shift for place in range(len(kinds))]
        bars = axis.barh(places, counts, height=0.34, color=colour, label=("gold", "predicted")[side])
        axis.bar_label(bars, padding=3, fontsize=7.5, color=colour)
    axis.set_yticks(range(len(kinds)), [kind.value for kind in kinds])
    axis.invert_yaxis()
    axis.margins(x=0.1)
    axis.legend(frameon=False, fontsize=8, loc="lower right")


def _begin(axis: Any, title: str, subtitle: str) -> None:  # noqa: ANN401
    axis.set_title(f"{title}\n", fontsize=10, fontweight="bold", loc="left")
    axis.text(0, 1.03, subtitle, transform=axis.transAxes, fontsize=8, color=OTHERS)
    axis.grid(axis="x", color=FAINT, linewidth=0.8)
    axis.set_axisbelow(True)
    axis.spines[["top", "right", "left"]].set_visible(False)
    axis.spines["bottom"].set_color(FAINT)
    axis.tick_params(length=0, labelsize=8.5)

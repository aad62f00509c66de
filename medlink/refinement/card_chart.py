"""The report card as a picture: accuracy before and after on every part, and what became of the corrections."""

from __future__ import annotations

from typing import Any, BinaryIO

from medlink.evaluation.chart import FAINT, OTHERS, OURS, import_matplotlib
from medlink.refinement.card import Fate, ReportCard

_COLOURS = {Fate.FIXED: OURS, Fate.KEPT: "#9cc5d1", Fate.NOT_FIXED: "#d9a441", Fate.LOST: "#b3392f"}


def draw_card(card: ReportCard, stream: BinaryIO) -> None:
    """Writes a PNG.

    :raises MissingExtraError: when matplotlib is not installed.
    """
    n_rows = len(card.standings)
    figure = import_matplotlib().Figure(figsize=(9, 2.0 + 0.5 * n_rows), dpi=160, layout="constrained")
    verdict = "passed" if card.judgement.passed else "refused"
    figure.suptitle(f"{card.facts.child}: {verdict}", fontsize=10.5, fontweight="bold", x=0.01, ha="left")
    left, right = figure.subplots(1, 2, width_ratios=(3, 1))
    _draw_standings(left, card)
    _draw_corrections(right, card)
    for axis in (left, right):
        axis.set_axisbelow(True)
        axis.spines[["top", "right", "left"]].set_visible(False)
        axis.spines["bottom"].set_color(FAINT)
        axis.tick_params(length=0, labelsize=8.5)
    figure.savefig(stream, format="png")


def _draw_standings(axis: Any, card: ReportCard) -> None:  # noqa: ANN401
    axis.set_title("accuracy at 1, with 95 % intervals", fontsize=9, loc="left")
    for place, standing in enumerate(card.standings):
        for offset, figure, colour in ((-0.15, standing.before, OTHERS), (0.15, standing.after, OURS)):
            row = place + offset
            axis.plot([figure.low, figure.high], [row, row], color=colour, alpha=0.35, linewidth=4)
            axis.plot([figure.value], [row], color=colour, marker="o", markersize=5)
            axis.annotate(
                f"{figure.value:.3f}",
                (figure.high, row),
                xytext=(5, 0),
                textcoords="offset points",
                va="center",
                fontsize=7.5,
                color=colour,
            )
    labels = [f"{standing.part} ({standing.n:,})" for standing in card.standings]
    axis.set_yticks(range(len(labels)), labels)
    axis.set_ylim(len(labels) - 0.4, -0.6)
    axis.margins(x=0.12)
    axis.grid(axis="x", color=FAINT, linewidth=0.8)
    axis.plot([], [], color=OTHERS, marker="o", label=f"before: {card.facts.parent}")
    axis.plot([], [], color=OURS, marker="o", label=f"after: {card.facts.child}")
    axis.legend(frameon=False, fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.12), ncols=2)


def _draw_corrections(axis: Any, card: ReportCard) -> None:  # noqa: ANN401
    axis.set_title("corrections", fontsize=9, loc="left")
    counts = [(fate, len(card.corrections.get(fate, ()))) for fate in _COLOURS]
    axis.barh(range(len(counts)), [n for _, n in counts], color=[_COLOURS[fate] for fate, _ in counts], height=0.55)
    axis.set_yticks(range(len(counts)), [fate.value for fate, _ in counts])
    axis.invert_yaxis()
    axis.set_xlim(0, 1.25 * max(1, *(n for _, n in counts)))
    axis.set_xticks([])
    for place, (_, n) in enumerate(counts):
        axis.annotate(f"{n:,}", (n, place), xytext=(4, 0), textcoords="offset points", va="center", fontsize=8)

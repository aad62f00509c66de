"""The table and the picture of the retroactive bench, from the lines that its arms left in a folder."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medlink.evaluation.calibration import Answers, calibration_error
from medlink.evaluation.chart import FAINT, OTHERS, OURS, import_matplotlib
from medlink.evaluation.metrics import resample_means

BASELINE = "aliases"
OTHER = "other ontology"
# Colour, line and width by arm.
_STYLES = {
    "none": (OTHERS, ":", 1.2),
    "aliases": (OTHERS, "-", 1.6),
    "naive": ("#b3541e", "--", 1.4),
    "adapter": (OURS, ":", 1.6),
    "surface": (OURS, "-", 2.2),
    "full": (OURS, "--", 1.6),
    "retrain": ("#4a4a4a", "-.", 1.4),
}


@dataclass(frozen=True, slots=True)
class Point:
    """An arm after a batch; figures are means over its seeds.

    :param right: right or wrong of each test mention, the mean over seeds. *Shape:* (n_test,).
    :param facts: what the arm's line says beside that.
    """

    arm: str
    batch: int
    n_mentions: int
    right: NDArray[np.float64]
    other: NDArray[np.float64] | None
    calibration: float | None
    facts: Mapping[str, Any]


def report(folder: Path) -> list[dict[str, Any]]:
    """Prints the table of the last batch, writes ``table.md`` and ``curves.png``, and gives the figures by arm."""
    case = json.loads((folder / "case.json").read_text(encoding="utf-8"))
    subsets = {name: _bits(text) > 0 for name, text in case["subsets"].items()}
    curves = {arm: list(points) for arm, points in _read(folder).items()}
    lines = list(_figures(curves, subsets, case))
    table = _table(lines, subsets)
    print(table)
    (folder / "table.md").write_text(table + "\n", encoding="utf-8")
    _draw(curves, subsets, folder / "curves.png")
    print(f"Wrote {folder / 'table.md'} and {folder / 'curves.png'}")
    return lines


def _read(folder: Path) -> dict[str, list[Point]]:
    """The points of each arm, in order, seeds together."""
    found = defaultdict[tuple[str, int], list[dict[str, Any]]](list)
    for path in sorted(folder.glob("*-*.jsonl")):
        for text in path.read_text(encoding="utf-8").splitlines():
            line = json.loads(text)
            if "right" in line:
                found[line["arm"], line["batch"]].append(line)
    curves = defaultdict[str, list[Point]](list)
    for (arm, batch), lines in sorted(found.items(), key=lambda item: item[0]):
        rights = [_bits(line["right"]) for line in lines]
        others = [_bits(line["other"]) for line in lines if line.get("other")]
        errors = [
            calibration_error(Answers(right > 0, np.array(line["scores"])))
            for right, line in zip(rights, lines, strict=True)
            if "scores" in line
        ]
        curves[arm].append(
            Point(
                arm,
                batch,
                lines[0]["n_mentions"],
                np.mean(rights, axis=0),
                np.mean(others, axis=0) if others else None,
                mean(errors) if errors else None,
                {**lines[0], "n_seeds": len(lines)},
            )
        )
    return dict(curves)


def _figures(
    curves: Mapping[str, Sequence[Point]], subsets: Mapping[str, NDArray[np.bool_]], case: Mapping[str, Any]
) -> Iterator[dict[str, Any]]:
    """What each arm came to at its end, and how far it is from counting alone."""
    documents = np.array(case["documents"])
    base = curves[BASELINE][-1] if BASELINE in curves else None
    for arm, points in curves.items():
        last = points[-1]
        line: dict[str, Any] = {"arm": arm, "n_seeds": last.facts["n_seeds"], "n_mentions": last.n_mentions}
        for name, chosen in subsets.items():
            if not chosen.any():
                continue
            value = last.right[chosen]
            line[name] = round(float(value.mean()), 4)
            line[f"{name} n"] = int(chosen.sum())
            line[f"{name} interval"] = document_interval(value, documents[chosen])
            if base is not None and arm != BASELINE:
                gain = value - base.right[chosen]
                line[f"{name} gain"] = round(float(gain.mean()), 4)
                line[f"{name} gain interval"] = document_interval(gain, documents[chosen])
        if last.other is not None:
            line[OTHER] = round(float(last.other.mean()), 4)
            line[f"{OTHER} n"] = len(last.other)
        line["calibration error"] = None if last.calibration is None else round(last.calibration, 4)
        line["fixed afterwards"] = last.facts.get("fixed")
        line["seconds a batch"] = _mean(point.facts.get("seconds") for point in points)
        line["work"] = sum(point.facts.get("work", 0) for point in points)
        line["refused"] = sum(bool(point.facts.get("gate")) for point in points)
        line["peak MiB"] = last.facts.get("peak_mib")
        yield line


def _table(lines: Sequence[Mapping[str, Any]], subsets: Mapping[str, NDArray[np.bool_]]) -> str:
    columns = [name for name, chosen in subsets.items() if chosen.any()]
    head = ["arm", *(f"{name} (n {int(subsets[name].sum())})" for name in columns), OTHER]
    head += ["calibration error", "fixed afterwards", "s a batch", "refused", "seeds"]
    rows = [head, ["---"] * len(head)]
    for line in lines:
        cells = [str(line["arm"])]
        for name in columns:
            gain = line.get(f"{name} gain")
            low, high = line[f"{name} interval"]
            cells.append(
                f"{_share(line[name])} [{_share(low)}, {_share(high)}]{'' if gain is None else f' {gain:+.3f}'}"
            )
        cells += [_share(line.get(OTHER)), _share(line["calibration error"]), _share(line["fixed afterwards"])]
        cells += [str(line["seconds a batch"] or ""), str(line["refused"] or ""), str(line["n_seeds"])]
        rows.append(cells)
    return "\n".join(f"| {' | '.join(cells)} |" for cells in rows)


def _draw(curves: Mapping[str, Sequence[Point]], subsets: Mapping[str, NDArray[np.bool_]], path: Path) -> None:
    shown = [name for name in ("all", "unseen surfaces", "untouched concepts") if subsets[name].any()]
    figure = import_matplotlib().Figure(figsize=(4.2 * len(shown), 3.8), dpi=160, layout="constrained")
    axes = np.atleast_1d(figure.subplots(1, len(shown)))
    for axis, name in zip(axes, shown, strict=True):
        axis.set_title(f"{name} (n {int(subsets[name].sum())})", fontsize=10, fontweight="bold", loc="left")
        for arm, points in curves.items():
            colour, line, width = _STYLES.get(arm, ("#8a6d3b", "-", 1.2))
            xs = [point.n_mentions for point in points]
            ys = [float(point.right[subsets[name]].mean()) for point in points]
            axis.plot(xs, ys, line, color=colour, linewidth=width, label=arm, marker="o" if len(xs) < 5 else None)
        axis.grid(color=FAINT, linewidth=0.8)
        axis.set_axisbelow(True)
        axis.spines[["top", "right", "left"]].set_visible(False)
        axis.tick_params(length=0, labelsize=8.5)
    axes[0].legend(frameon=False, fontsize=8)
    axes[0].set_ylabel("accuracy at 1 on the test", fontsize=8.5)
    figure.supxlabel("annotated mentions", fontsize=9)
    figure.savefig(path, format="png")


def document_interval(values: NDArray[np.float64], documents: NDArray[np.str_]) -> tuple[float, float]:
    """The 95 % interval of the mean by a bootstrap of documents."""
    samples = resample_means(values[:, None], documents.tolist(), np.ones(len(values)), seed=0)[:, 0]
    low, high = np.percentile(samples, [2.5, 97.5]).tolist()
    return round(low, 4), round(high, 4)


def _bits(text: str) -> NDArray[np.float64]:
    return np.array([char == "1" for char in text], np.float64)


def _mean(values: Iterator[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return round(mean(known), 1) if known else None


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"

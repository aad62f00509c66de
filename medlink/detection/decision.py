"""The decision which candidates are mentions: a calibrated probability for each, and the best spans without overlap."""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from math import exp, log

import numpy as np
from numpy.typing import NDArray

from medlink.detection.evidence import FEATURES, N_PLAIN_FEATURES, Candidate, features_of
from medlink.errors import SettingError

# Probabilities are kept away from 0 and 1 by so much.
_TINY = 1e-6


@dataclass(frozen=True, slots=True)
class Decision:
    """A logistic regression over :func:`medlink.detection.evidence.features_of`; see ``pipelines/fit_decision.py``.

    :param plain: weights without a recogniser. *Shape:* (N_PLAIN_FEATURES,).
    :param recognised: weights with one. *Shape:* (n_features,).
    """

    plain: NDArray[np.float64]
    recognised: NDArray[np.float64]

    def probability(self, candidate: Candidate) -> float:
        """How likely a candidate is a mention, in (0, 1)."""
        weights = self.plain if candidate.support is None else self.recognised
        return 1 / (1 + exp(-float(np.clip(features_of(candidate) @ weights, -30, 30))))


def load_decision() -> Decision:
    """The decision that comes with medlink.

    :raises SettingError: when its file lacks a feature.
    """
    stored = json.loads(files("medlink.detection").joinpath("decision.json").read_text(encoding="utf-8"))
    try:
        plain = np.array([stored["plain"][name] for name in FEATURES[:N_PLAIN_FEATURES]])
        recognised = np.array([stored["recognised"][name] for name in FEATURES])
    except KeyError as error:
        raise SettingError("a decision without a feature", where="decision.json", expected=str(error)) from error
    return Decision(plain, recognised)


def best_disjoint(spans: Sequence[tuple[int, int]], probabilities: Sequence[float], *, keep: float) -> list[int]:
    """Which spans to keep, so that none overlap and their gain is greatest.

    A span gains its log-odds less those of ``keep``, times its length: of a long one and two short ones inside, all as
    likely, the long one stays. Weighted interval scheduling (Kleinberg & Tardos 2005, section 6.1).

    :param spans: ``[start, end)`` of each.
    :param keep: least probability, in (0, 1).
    :return: places of the kept spans, by their ends.
    """
    order = sorted((place for place, p in enumerate(probabilities) if p >= keep), key=lambda i: (spans[i][1], i))
    ends = [spans[place][1] for place in order]
    best = [0.0]
    before = []
    for n, place in enumerate(order):
        free = bisect_right(ends, spans[place][0], 0, n)
        before.append(free)
        best.append(max(best[n], best[free] + _gain(spans[place], probabilities[place], keep)))
    kept: list[int] = []
    n = len(order)
    while n:
        if best[n] == best[n - 1]:
            n -= 1
        else:
            kept.append(order[n - 1])
            n = before[n - 1]
    return kept[::-1]


def _gain(span: tuple[int, int], probability: float, keep: float) -> float:
    """More than nothing, so that a span at the threshold is kept where it stands alone."""
    odds, least = (log(p / (1 - p)) for p in (min(max(p, _TINY), 1 - _TINY) for p in (probability, keep)))
    return (odds - least + _TINY) * (span[1] - span[0])

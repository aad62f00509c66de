"""The watch over a training that ends it when its representation collapses."""

from __future__ import annotations

from torch import Tensor

from medlink.contrastive.diagnostics import CollapseGuard, CollapseReport
from medlink.errors import MedlinkError
from medlink.training.recipe import GuardSection


class CollapseError(MedlinkError, RuntimeError):
    """A training whose representation collapsed, or whose loss is no number any more."""


class CollapseWatch:
    """Looks at the embeddings now and then, and ends the training after some bad looks in a row.

    :ivar n_bad: bad looks in a row so far; all the state there is.
    """

    def __init__(self, section: GuardSection) -> None:
        self._section = section
        self._guard = CollapseGuard(
            lowest_rank_share=section.lowest_rank_share,
            lowest_spread=section.lowest_spread,
            highest_uniformity=section.highest_uniformity,
        )
        self.n_bad = 0

    def look(self, step: int, first: Tensor, second: Tensor) -> CollapseReport | None:
        """What the guard saw at this step; ``None`` where it is not its turn.

        :param first: *Shape:* (n_pairs, width), ``second`` likewise.
        :raises CollapseError: when this was one bad look too many.
        """
        if step % self._section.every:
            return None
        report = self._guard.inspect(first, second)
        self.n_bad = self.n_bad + 1 if report.collapsed else 0
        if self.n_bad >= self._section.patience:
            raise CollapseError(
                f"the representation has collapsed: {'; '.join(report.reasons)}",
                where=f"step {step}",
                got=f"{self.n_bad} bad looks in a row",
                hint="Lower train.learning_rate, raise objective.spread, or choose an objective with negatives.",
            )
        return report

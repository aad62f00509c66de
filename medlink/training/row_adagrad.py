"""Adagrad with one step size a row, for embedding tables with sparse gradients."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from medlink.errors import SettingError

_TINY = 1e-12


class RowAdagrad(Optimizer):
    """Adagrad (Duchi et al. 2011) that sums the mean square of a row's gradient, not each number's own.

    Row ``r`` moves by ``rate · g_r / √(Σ_t mean(g_rt²))`` in each step that has a gradient for it, others not at all.
    As in the embedding tables of FBGEMM ("exact row-wise Adagrad"): state and work of a step are small. A rare row's
    first step is as long as the rate, whatever the loss's scale.

    :param rate: >= 0; 0.2 to 0.6 trains the surface tower best, 0.05 far too slowly.
    :raises SettingError: when it is not.
    """

    def __init__(self, tables: Iterable[Tensor] | Iterable[dict[str, Any]], *, rate: float) -> None:
        if not rate >= 0:
            raise SettingError("this setting is out of its range", where="rate", expected=">= 0", got=str(rate))
        super().__init__(tables, {"lr": rate})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """One step along the gradients, each a sparse tensor of rows."""
        for group in self.param_groups:
            for table in group["params"]:
                if table.grad is not None:
                    self._step_table(table, group["lr"])

    def squares(self, table: Tensor) -> Tensor:
        """The sum so far of each row's mean squared gradients. *Shape:* (n_rows,)."""
        state = self.state[table]
        if not state:
            state["squares"] = torch.zeros(len(table), device=table.device)
        return state["squares"]  # type: ignore[no-any-return]

    def _step_table(self, table: Tensor, rate: float) -> None:
        gradient = table.grad.coalesce()  # type: ignore[union-attr]
        rows, values = gradient.indices()[0], gradient.values()
        squares = self.squares(table)
        squares[rows] += torch.linalg.vector_norm(values, dim=1).square() / values.shape[1]
        table.index_add_(0, rows, values * (-rate / (squares[rows].sqrt() + _TINY))[:, None])

"""Small networks that are trained beside an encoder and dropped afterwards: heads, predictors, a temperature."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def projection_head(width: int, projected: int, *, hidden: int, seed: int) -> nn.Sequential:
    """A projection head g(h) = W₂·relu(W₁·h + b) (Chen et al. 2020, "SimCLR", section 2.1).

    The loss sees g(h); what is kept after training is h, which the paper finds to be the better representation.

    :param width: of the encoder's vectors.
    :param projected: width of what the loss sees.
    :param hidden: width of the hidden layer.
    :param seed: of the initial weights.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return nn.Sequential(nn.Linear(width, hidden), nn.ReLU(), nn.Linear(hidden, projected, bias=False))


def byol_predictor(width: int, *, hidden: int, seed: int) -> nn.Sequential:
    """A BYOL head, as projector and predictor: linear, batch norm, ReLU, linear (Grill et al. 2020, section 3.2).

    Batch norm needs at least two rows a batch in training mode.

    :param width: of input and output.
    :param hidden: width of the hidden layer.
    :param seed: of the initial weights.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return nn.Sequential(
            nn.Linear(width, hidden, bias=False), nn.BatchNorm1d(hidden), nn.ReLU(), nn.Linear(hidden, width)
        )


class LearnedTemperature(nn.Module):
    """A temperature that is learned with the encoder (Radford et al. 2021, "CLIP", section 2.4).

    The parameter is the logarithm of one over the temperature.

    :param initial: the temperature at the start, > 0.
    :param lowest: where :meth:`bound` stops it; the paper's 0.01 keeps training stable.
    """

    def __init__(self, initial: float = 0.07, *, lowest: float = 0.01) -> None:
        super().__init__()
        self.log_scale = nn.Parameter(-torch.tensor(initial).log())
        self._highest = -torch.tensor(lowest).log().item()

    def forward(self) -> Tensor:
        """The temperature, a scalar."""
        return (-self.log_scale).exp()

    @torch.no_grad()
    def bound(self) -> None:
        """Bring the temperature back to ``lowest`` where a step went below; call it after each step."""
        self.log_scale.clamp_(max=self._highest)

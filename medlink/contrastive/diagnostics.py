"""Is the representation healthy? Effective rank, alignment, uniformity, variance; and a guard against collapse."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional as F

from medlink.contrastive.similarity import full_precision


def effective_rank(embeddings: Tensor) -> float:
    """The number of dimensions that the vectors really use: exp of the entropy of the normalised singular values.

    Roy & Vetterli 2007, "The Effective Rank". It is 1 when all vectors lie on one line and at most
    min(n_items, width); 0 when all are zero or there are none.

    :param embeddings: *Shape:* (n_items, width).
    """
    if embeddings.numel() == 0:
        return 0.0
    items = full_precision(embeddings.detach()).cpu().double()
    gram = items @ items.T if len(items) < items.shape[1] else items.T @ items  # a tenth of the time of an SVD
    singular = torch.linalg.eigvalsh(gram).clamp_min(0).sqrt()
    if singular[-1] == 0:
        return 0.0
    share = singular / singular.sum()
    return float(torch.special.entr(share).sum().exp())


def alignment(first: Tensor, second: Tensor) -> float:
    """The mean squared distance between the two unit vectors of a positive pair, in [0, 4]; lower is better.

    Wang & Isola 2020, "Understanding Contrastive Representation Learning through Alignment and Uniformity on the
    Hypersphere", section 4.1, with their exponent of 2. 0 for no pairs.

    :param first: *Shape:* (n_pairs, width).
    :param second: *Shape:* (n_pairs, width).
    """
    difference = _unit(first) - _unit(second)
    return float(difference.square().sum() / max(len(first), 1))


def uniformity(embeddings: Tensor) -> float:
    """The log of the mean exp(-2·D²) over pairs of unit vectors, in [-8, 0]; lower is more evenly spread.

    Wang & Isola 2020, section 4.1, with their t of 2. 0 means that all vectors coincide; fewer than two give 0.

    :param embeddings: *Shape:* (n_items, width).
    """
    if len(embeddings) < 2:
        return 0.0
    squared = torch.pdist(_unit(embeddings)).square()  # (n_items · (n_items - 1) / 2,)
    return float((-2 * squared).exp().mean().log())


def variance_per_dimension(embeddings: Tensor) -> Tensor:
    """The unbiased variance of each dimension of the unit vectors; evenly spread ones have 1 / width everywhere.

    :param embeddings: *Shape:* (n_items, width).
    :returns: *Shape:* (width,); zeros for fewer than two items.
    """
    if len(embeddings) < 2:
        return torch.zeros(embeddings.shape[1])
    return _unit(embeddings).var(dim=0)


def _unit(embeddings: Tensor) -> Tensor:
    """The vectors at unit length, without their graph."""
    return F.normalize(full_precision(embeddings.detach()), dim=1)


@dataclass(frozen=True, slots=True)
class CollapseReport:
    """What the guard saw in one batch.

    :param reasons: why the representation counts as collapsed, in words; empty where it does not.
    :param spread: mean standard deviation per dimension times √width: 1 for evenly spread unit vectors, 0 for a point.
    :param dead_share: share of dimensions whose variance is below a hundredth of 1 / width, in [0, 1].
    """

    reasons: tuple[str, ...]
    effective_rank: float
    alignment: float
    uniformity: float
    spread: float
    dead_share: float

    @property
    def collapsed(self) -> bool:
        """Whether there is a reason to stop."""
        return bool(self.reasons)


@dataclass(frozen=True, slots=True)
class CollapseGuard:
    """Limits below which a representation counts as collapsed. It judges one batch; how often in a row is the caller's.

    :param lowest_rank_share: effective rank over min(n_items, width).
    :param lowest_spread: see :class:`CollapseReport`.
    :param highest_uniformity: in [-8, 0].
    :param n_items: batches with fewer vectors are reported, not judged.
    """

    lowest_rank_share: float = 0.05
    lowest_spread: float = 0.1
    highest_uniformity: float = -0.1
    n_items: int = 16

    def inspect(self, first: Tensor, second: Tensor) -> CollapseReport:
        """What these pairs of embeddings say about the representation.

        :param first: *Shape:* (n_pairs, width).
        :param second: *Shape:* (n_pairs, width), the positives of ``first``.
        """
        embeddings = full_precision(torch.cat((first, second)).detach())
        if not embeddings.isfinite().all():
            nan = float("nan")
            return CollapseReport(("embeddings are not finite",), nan, nan, nan, nan, nan)
        width = embeddings.shape[1]
        variance = variance_per_dimension(embeddings)
        report = CollapseReport(
            reasons=(),
            effective_rank=effective_rank(embeddings),
            alignment=alignment(first, second),
            uniformity=uniformity(embeddings),
            spread=float(variance.sqrt().mean()) * width**0.5,
            dead_share=float((variance < 0.01 / width).float().mean()),
        )
        return report if len(embeddings) < self.n_items else replace(report, reasons=self._reasons(report, embeddings))

    def _reasons(self, report: CollapseReport, embeddings: Tensor) -> tuple[str, ...]:
        """What in the report is beyond its limit, in words."""
        highest_rank = min(embeddings.shape)
        share = report.effective_rank / highest_rank
        reasons = []
        if share < self.lowest_rank_share:
            reasons.append(
                f"effective rank {report.effective_rank:.1f} of {highest_rank} possible, a share of {share:.3f} < "
                f"{self.lowest_rank_share:g}: the vectors fill few dimensions"
            )
        if report.spread < self.lowest_spread:
            reasons.append(f"spread {report.spread:.3f} < {self.lowest_spread:g}: the vectors hardly vary")
        if report.uniformity > self.highest_uniformity:
            reasons.append(
                f"uniformity {report.uniformity:.3f} > {self.highest_uniformity:g}: the vectors sit in one place"
            )
        return tuple(reasons)

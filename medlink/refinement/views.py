"""Queries and names as training sees them: the parent's vectors, of which one part is computed anew with its graph."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from medlink.encoder.adapter import Adapter
from medlink.encoder.combined import CombinedEncoder
from medlink.encoder.protocol import Encoder
from medlink.encoder.surface import SurfaceEncoder
from medlink.encoder.surface_tower import SurfaceTower
from medlink.encoder.transformer import TransformerEncoder
from medlink.encoder.transformer_tower import TowerSettings, TransformerTower
from medlink.errors import SettingError
from medlink.linking.linker import Linker
from medlink.linking.remembering import without_memory
from medlink.refinement.settings import Mode, RefineSettings


@dataclass(frozen=True, slots=True, eq=False)
class Texts:
    """Some texts with the parent's vectors of them, before any adapter.

    :param vectors: *Shape:* (n_texts, width).
    """

    texts: tuple[str, ...]
    vectors: Tensor

    @classmethod
    def of(cls, texts: Sequence[str], vectors: NDArray[np.float32], *, device: str = "cpu") -> Texts:
        """The texts with their vectors, on a device."""
        return cls(tuple(texts), torch.from_numpy(np.ascontiguousarray(vectors, np.float32)).to(device))

    def __len__(self) -> int:
        return len(self.texts)

    def take(self, rows: Sequence[int]) -> Texts:
        """Some of them, in the order asked for."""
        return Texts(tuple(self.texts[row] for row in rows), self.vectors[list(rows)])


class Views(Protocol):
    """What is trained, seen through the vectors that it makes."""

    @property
    def dense(self) -> list[nn.Parameter]:
        """What has dense gradients."""

    @property
    def sparse(self) -> list[nn.Parameter]:
        """Tables whose gradients hold but the rows that were used."""

    def query(self, texts: Texts) -> Tensor:
        """Unit vectors of mentions, with their graph. *Shape:* (n_texts, width)."""

    def key(self, texts: Texts) -> Tensor:
        """Unit vectors of names; with their graph where they are trained. *Shape:* (n_texts, width)."""


class AdapterViews:
    """A residual network on the query side of the last tower: ``q' = normalise(q + tanh(q W_in) W_out)``."""

    def __init__(self, parent: Linker, settings: RefineSettings, *, device: str = "cpu") -> None:
        tower = parent.encoder.towers[-1]
        start = parent.adapter or Adapter.identity(tower.stop - tower.start, settings.n_hidden, seed=settings.seed)
        self._start, self._share = tower.start, tower.share
        self.w_in = nn.Parameter(torch.from_numpy(start.w_in.copy()).to(device))
        self.w_out = nn.Parameter(torch.from_numpy(start.w_out.copy()).to(device))

    @property
    def dense(self) -> list[nn.Parameter]:
        """Both matrices."""
        return [self.w_in, self.w_out]

    @property
    def sparse(self) -> list[nn.Parameter]:
        """Nothing."""
        return []

    def query(self, texts: Texts) -> Tensor:
        """See :class:`Views`."""
        rest, unit = texts.vectors[:, : self._start], texts.vectors[:, self._start :] / sqrt(self._share)
        return torch.cat((rest, sqrt(self._share) * adapt(unit, self.w_in, self.w_out)), dim=1)

    def key(self, texts: Texts) -> Tensor:
        """See :class:`Views`."""
        return texts.vectors

    def adapter(self) -> Adapter:
        """The network as it is now."""
        w_in, w_out = (weights.detach().cpu().numpy().copy() for weights in (self.w_in, self.w_out))
        return Adapter(np.asarray(w_in, np.float32), np.asarray(w_out, np.float32))


class SurfaceViews:
    """The surface tower is trained, and beside it an adapter behind the semantic tower, where one is asked for.

    What the semantic tower says stands beside what is trained, so that this learns what is left to learn.
    """

    def __init__(self, parent: Linker, settings: RefineSettings, *, device: str = "cpu") -> None:
        encoder = parent.encoder
        surface = encoder.surface if isinstance(encoder, CombinedEncoder) else encoder
        if not isinstance(surface, SurfaceEncoder):
            raise SettingError(
                "this encoder has no surface tower", where="mode", expected="adapter or full", got=Mode.SURFACE.value
            )
        self.tower = SurfaceTower.of(surface).to(device)
        self._edge, self._share = surface.width, encoder.towers[0].share
        adapts = bool(parent.adapter) or (settings.adapter_rate > 0 and len(encoder.towers) > 1)
        self._semantic = AdapterViews(parent, settings, device=device) if adapts else None

    @property
    def dense(self) -> list[nn.Parameter]:
        """The adapter's."""
        return self._semantic.dense if self._semantic else []

    @property
    def sparse(self) -> list[nn.Parameter]:
        """The table."""
        return list(self.tower.parameters())

    def query(self, texts: Texts) -> Tensor:
        """See :class:`Views`."""
        return self._beside(texts.texts, self._semantic.query(texts) if self._semantic else texts.vectors)

    def key(self, texts: Texts) -> Tensor:
        """See :class:`Views`."""
        return self._beside(texts.texts, texts.vectors)

    def adapter(self) -> Adapter | None:
        """The adapter as it is now."""
        return self._semantic.adapter() if self._semantic else None

    def _beside(self, texts: Sequence[str], vectors: Tensor) -> Tensor:
        return torch.cat((sqrt(self._share) * self.tower(texts), vectors[:, self._edge :]), dim=1)


class FullViews:
    """The transformer's upper layers are trained; the surface tower's part stands beside it."""

    def __init__(
        self, parent: Linker, settings: RefineSettings, *, device: str = "cpu", dtype: str = "float32"
    ) -> None:
        encoder = parent.encoder
        semantic = without_memory(encoder.semantic if isinstance(encoder, CombinedEncoder) else encoder)
        if not isinstance(semantic, TransformerEncoder):
            raise SettingError(
                "this encoder has no transformer", where="mode", expected=Mode.SURFACE.value, got=Mode.FULL.value
            )
        self.tower = TransformerTower(semantic.folder, TowerSettings(semantic.settings.pooling, dtype=dtype)).to(device)
        self.tower.freeze(max(0, self.tower.n_layers + 1 - settings.trained_layers))
        # Dropout would move the vectors of names that nothing is to be learned about.
        self.tower.eval()
        tower = encoder.towers[-1]
        self._start, self._share = tower.start, tower.share
        self._adapter = _Frozen(parent.adapter, encoder) if parent.adapter else None

    @property
    def dense(self) -> list[nn.Parameter]:
        """The weights that are not frozen."""
        return [parameter for parameter in self.tower.parameters() if parameter.requires_grad]

    @property
    def sparse(self) -> list[nn.Parameter]:
        """Nothing."""
        return []

    def query(self, texts: Texts) -> Tensor:
        """See :class:`Views`."""
        vectors = self.key(texts)
        return self._adapter(vectors) if self._adapter else vectors

    def key(self, texts: Texts) -> Tensor:
        """See :class:`Views`."""
        unit = F.normalize(self.tower(texts.texts), dim=1)
        return torch.cat((texts.vectors[:, : self._start], sqrt(self._share) * unit), dim=1)

    def save(self, folder: Path) -> None:
        """Write the transformer as it is now."""
        self.tower.save(folder)


class _Frozen:
    """The parent's adapter, which is not trained."""

    def __init__(self, adapter: Adapter, encoder: Encoder) -> None:
        tower = encoder.towers[-1]
        self._start, self._share = tower.start, tower.share
        self._w_in, self._w_out = torch.from_numpy(adapter.w_in.copy()), torch.from_numpy(adapter.w_out.copy())

    def __call__(self, vectors: Tensor) -> Tensor:
        w_in, w_out = self._w_in.to(vectors.device), self._w_out.to(vectors.device)
        unit = vectors[:, self._start :] / sqrt(self._share)
        return torch.cat((vectors[:, : self._start], sqrt(self._share) * adapt(unit, w_in, w_out)), dim=1)


def adapt(unit: Tensor, w_in: Tensor, w_out: Tensor) -> Tensor:
    """``normalise(q + tanh(q W_in) W_out)`` with its graph; the same as :meth:`medlink.encoder.adapter.Adapter.apply`.

    :param unit: *Shape:* (n_vectors, width), unit length.
    """
    return F.normalize(unit + torch.tanh(unit @ w_in) @ w_out, dim=1)

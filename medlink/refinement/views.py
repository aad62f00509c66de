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

from medlink.contrastive.grad_cache import GradCache
from medlink.encoder.adapter import Adapter
from medlink.encoder.combined import CombinedEncoder
from medlink.encoder.protocol import TowerSpan
from medlink.encoder.surface import SurfaceEncoder
from medlink.encoder.surface_tower import SurfaceTower
from medlink.encoder.transformer import TransformerEncoder
from medlink.encoder.transformer_tower import TowerSettings, TransformerTower
from medlink.errors import SettingError
from medlink.linking.linker import Linker
from medlink.linking.remembering import without_memory
from medlink.refinement.settings import Mode, RefineSettings
from medlink.training.processes import ALONE, Processes, SharedCache


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

    def backward(self, loss: Tensor) -> None:
        """Send the gradient of a loss on such vectors to what is trained."""


class AdapterViews:
    """A residual network on the query side of the last tower: ``q' = normalise(q + tanh(q W_in) W_out)``.

    :raises SettingError: when that tower has no share in the cosine, so that nothing could be learned.
    """

    def __init__(self, parent: Linker, settings: RefineSettings, *, device: str = "cpu") -> None:
        self._tower = tower = parent.encoder.towers[-1]
        if not tower.share:
            raise SettingError(
                "the semantic tower has no share in the cosine", where="mode", expected="surface", got=settings.mode
            )
        start = parent.adapter or Adapter.identity(tower.stop - tower.start, settings.n_hidden, seed=settings.seed)
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
        return _adapt_last(texts.vectors, self._tower, self.w_in, self.w_out)

    def key(self, texts: Texts) -> Tensor:
        """See :class:`Views`."""
        return texts.vectors

    def backward(self, loss: Tensor) -> None:
        """See :class:`Views`."""
        loss.backward()  # type: ignore[no-untyped-call]

    def adapter(self) -> Adapter:
        """The network as it is now."""
        w_in, w_out = (weights.detach().cpu().numpy().copy() for weights in (self.w_in, self.w_out))
        return Adapter(np.asarray(w_in, np.float32), np.asarray(w_out, np.float32))


class SurfaceViews:
    """The surface tower is trained, and beside it an adapter behind the semantic tower, where one is asked for.

    What the semantic tower says stands beside what is trained, so that this learns what is left to learn.

    :raises SettingError: when the encoder has no surface tower.
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
        is_asked = parent.adapter is not None or settings.adapter_rate > 0
        has_semantic = len(encoder.towers) > 1 and encoder.towers[-1].share > 0
        self._semantic = AdapterViews(parent, settings, device=device) if is_asked and has_semantic else None

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

    def backward(self, loss: Tensor) -> None:
        """See :class:`Views`."""
        loss.backward()  # type: ignore[no-untyped-call]

    def adapter(self) -> Adapter | None:
        """The adapter as it is now."""
        return self._semantic.adapter() if self._semantic else None

    def _beside(self, texts: Sequence[str], vectors: Tensor) -> Tensor:
        return torch.cat((sqrt(self._share) * self.tower(texts), vectors[:, self._edge :]), dim=1)


class FullViews:
    """The transformer's upper layers are trained; the surface tower's part stands beside it, the adapter behind it.

    More texts than ``settings.chunk_size`` are encoded without their graph, chunk by chunk, and again for their
    gradients (:class:`medlink.contrastive.grad_cache.GradCache`), so that a chunk is all that has to fit. Several
    processes encode a share each (:class:`medlink.training.processes.SharedCache`).

    :param dtype: of the forward and backward pass, ``float32`` or ``bfloat16``; the weights stay float32.
    :param processes: that train these views, all of them with the same texts in the same order.
    :raises SettingError: when the encoder has no transformer.
    """

    def __init__(
        self,
        parent: Linker,
        settings: RefineSettings,
        *,
        device: str = "cpu",
        dtype: str = "float32",
        processes: Processes = ALONE,
    ) -> None:
        encoder = parent.encoder
        semantic = without_memory(encoder.semantic if isinstance(encoder, CombinedEncoder) else encoder)
        if not isinstance(semantic, TransformerEncoder):
            raise SettingError(
                "this encoder has no transformer", where="mode", expected=Mode.SURFACE.value, got=Mode.FULL.value
            )
        reading = TowerSettings(semantic.settings.pooling, semantic.settings.max_length, dtype)
        self.tower = TransformerTower(semantic.folder, reading).to(device)
        self.tower.freeze(max(0, self.tower.n_layers + 1 - settings.trained_layers))
        # Dropout would move the vectors of names that nothing is to be learned about.
        self.tower.eval()
        self._span, self._chunk_size = encoder.towers[-1], settings.chunk_size
        cache = GradCache[list[str]](self.tower, chunk_size=settings.chunk_size)
        self._cache = cache if processes.n == 1 else SharedCache(cache, processes)
        self._processes = processes
        given = (parent.adapter.w_in, parent.adapter.w_out) if parent.adapter else ()
        self._adapter = tuple(torch.from_numpy(weights.copy()).to(device) for weights in given)

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
        return _adapt_last(vectors, self._span, *self._adapter) if self._adapter else vectors

    def key(self, texts: Texts) -> Tensor:
        """See :class:`Views`."""
        is_shared = self._processes.n > 1 and len(texts) >= self._processes.n
        fits = not is_shared and len(texts) <= self._chunk_size
        pooled = self.tower(texts.texts) if fits else self._cache(list(texts.texts))
        unit = F.normalize(pooled, dim=1)
        return torch.cat((texts.vectors[:, : self._span.start], sqrt(self._span.share) * unit), dim=1)

    def backward(self, loss: Tensor) -> None:
        """See :class:`Views`."""
        loss.backward()  # type: ignore[no-untyped-call]
        self._cache.backward()
        self._processes.sum_gradients(self.dense)

    def save(self, folder: Path) -> None:
        """Write the transformer as it is now."""
        self.tower.save(folder)


def adapt(unit: Tensor, w_in: Tensor, w_out: Tensor) -> Tensor:
    """``normalise(q + tanh(q W_in) W_out)`` with its graph; the same as :meth:`medlink.encoder.adapter.Adapter.apply`.

    :param unit: *Shape:* (n_vectors, width), unit length.
    """
    return F.normalize(unit + torch.tanh(unit @ w_in) @ w_out, dim=1)


def _adapt_last(vectors: Tensor, tower: TowerSpan, w_in: Tensor, w_out: Tensor) -> Tensor:
    """Vectors whose last tower's part has gone through an adapter. *Shape:* (n_vectors, width)."""
    scale = sqrt(tower.share)
    unit = vectors[:, tower.start :] / scale
    return torch.cat((vectors[:, : tower.start], scale * adapt(unit, w_in, w_out)), dim=1)

"""A child of a linker: the parent's parts, of which training has moved some."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from medlink.encoder.combined import SEMANTIC, SURFACE, CombinedEncoder, Tower, towers_of, write_weight
from medlink.encoder.loading import open_encoder
from medlink.encoder.protocol import Encoder
from medlink.encoder.surface import SurfaceEncoder, write_surface
from medlink.encoder.transformer import TransformerEncoder, fastest_dtype
from medlink.errors import SettingError
from medlink.index.dense import DenseIndex
from medlink.index.name_index import NameIndex
from medlink.index.vectors import NameVectors
from medlink.linking.linker import Linker
from medlink.linking.parts import ReleaseSettings, write_parts
from medlink.linking.ranker import Ranker
from medlink.linking.remembering import without_memory
from medlink.refinement.views import AdapterViews, FullViews, SurfaceViews, Views
from medlink.store.release import ENCODER

# Eight bits a number: small steps of training are lost in four.
_BITS = 8
# Names of a group that tell how far all of it has moved; the groups' bounds, by the cosine with what was learned.
_N_PROBED = 64
_BINS = (0.0, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 1.01)


@dataclass(frozen=True, slots=True)
class Moved:
    """Names whose vectors were made anew.

    :param n_encoded: how many.
    :param n_names: of how many in all.
    """

    n_encoded: int
    n_names: int


def write_child(parent: Linker, views: Views | None, ranker: Ranker, folder: Path, *, threshold: float) -> Linker:
    """Writes all that a release of the child holds, and gives the child, which still searches the parent's index.

    :param views: what was trained; ``None`` where only the ranker was.
    :param threshold: the score below which a mention is NIL.
    :param folder: to be filled with ``encoder`` and the other parts.
    """
    adapter = views.adapter() if isinstance(views, AdapterViews | SurfaceViews) else parent.adapter
    encoder = _write_encoder(parent.encoder, views, folder / ENCODER)
    kept = ReleaseSettings(threshold=threshold, pooling=_pooling(parent.encoder))
    write_parts(folder, ranker=ranker, settings=kept, context=parent.context, adapter=adapter)
    settings = replace(parent.settings, threshold=threshold)
    return replace(parent, encoder=encoder, ranker=ranker, settings=settings, adapter=adapter, release_folder=folder)


def move_names(
    child: Linker, parent: Linker, *, max_drift: float = 0.0, near: Sequence[str] = (), show_progress: bool = False
) -> tuple[Linker, Moved]:
    """The child with an index of its own vectors; of towers that did not change the parent's are taken.

    :param max_drift: cosine distance by which a name's semantic vector may have moved and stay as it was. Names are
        grouped by how near they lie to what was learned; where a sample of a group has moved less, the group stays.
    :param near: what was learned: texts.
    """
    names = child.lexicon.names
    old = _parts(parent)
    parts, n_encoded = [], 0
    for i, (tower, before) in enumerate(zip(towers_of(child.encoder), towers_of(parent.encoder), strict=True)):
        if tower.encoder.fingerprint == before.encoder.fingerprint:
            parts.append(old[i])
            continue
        encode, rows = _for_names(tower).encode, np.arange(len(names))
        if max_drift and isinstance(tower.encoder, TransformerEncoder):
            rows = _moved_rows(child, old[i], encode, near, max_drift)
        part = np.array(old[i])
        part[rows] = encode([names[row] for row in rows.tolist()], show_progress=show_progress)
        parts.append(part)
        n_encoded = max(n_encoded, len(rows))
    if not n_encoded:
        return child, Moved(0, len(names))
    index = NameIndex(child.index.ngrams, DenseIndex(NameVectors.of(*parts)))
    return replace(child, index=index), Moved(n_encoded, len(names))


def _for_names(tower: Tower) -> Tower:
    """The tower in the numbers in which names are encoded, see :func:`medlink.linking.assemble.load_index`."""
    encoder = tower.encoder
    if not isinstance(encoder, TransformerEncoder):
        return tower
    fastest = replace(encoder.settings, dtype=fastest_dtype(encoder.settings.device))
    return Tower(TransformerEncoder(encoder.folder, fastest), tower.factor)


def _parts(linker: Linker) -> list[NDArray[np.float16]]:
    """The names' vectors by tower. *Shape:* (n_names, width of the tower) each."""
    vectors = linker.index.dense.vectors
    if len(vectors.blocks) == 1 and len(vectors.blocks[0]) == len(linker.encoder.towers):
        return list(vectors.blocks[0])
    whole = vectors.take(np.arange(len(vectors)))
    return [whole[:, tower.start : tower.stop] for tower in linker.encoder.towers]


def _moved_rows(
    child: Linker,
    old: NDArray[np.float16],
    encode: Callable[[Sequence[str]], NDArray[np.float32]],
    near: Sequence[str],
    max_drift: float,
) -> NDArray[np.int64]:
    """The names of those groups that have moved by more than ``max_drift``, as a sample of each says."""
    tower = child.encoder.towers[-1]
    learned = child.encoder.encode(near)[:, tower.start : tower.stop] if near else np.zeros((0, old.shape[1]))
    share = tower.share or 1.0
    closeness = np.zeros(len(old))
    for start in range(0, len(old), 4096):
        block = old[start : start + 4096].astype(np.float32) @ learned.T / share
        closeness[start : start + 4096] = block.max(axis=1, initial=0.0)
    random = np.random.default_rng(0)
    moved = []
    for group in range(len(_BINS) - 1):
        rows = np.flatnonzero((closeness >= _BINS[group]) & (closeness < _BINS[group + 1]))
        if not len(rows):
            continue
        probed = random.choice(rows, min(_N_PROBED, len(rows)), replace=False)
        fresh = encode([child.lexicon.names[row] for row in probed.tolist()])
        drift = 1 - (fresh * old[probed].astype(np.float32)).sum(axis=1) / share
        if np.quantile(drift, 0.9) > max_drift:
            moved.append(rows)
    return np.sort(np.concatenate(moved)) if moved else np.empty(0, np.int64)


def _write_encoder(encoder: Encoder, views: Views | None, folder: Path) -> Encoder:
    """The encoder with what was trained, written and opened again as links will use it."""
    if isinstance(encoder, CombinedEncoder):
        write_weight(folder, encoder.weight)
        surface = _write_tower(encoder.surface, views, folder / SURFACE)
        semantic = without_memory(encoder.semantic)
        if not isinstance(views, FullViews):  # the very tower, with what it remembers
            _copy(semantic, folder / SEMANTIC)
            return CombinedEncoder(surface, encoder.semantic, encoder.weight)
        return CombinedEncoder(surface, _write_tower(semantic, views, folder / SEMANTIC), encoder.weight)
    return _write_tower(without_memory(encoder), views, folder)


def _write_tower(tower: Encoder, views: Views | None, folder: Path) -> Encoder:
    if isinstance(views, SurfaceViews) and isinstance(tower, SurfaceEncoder):
        write_surface(folder, views.tower.table, tower.config.features, bits=_BITS)
    elif isinstance(views, FullViews) and isinstance(tower, TransformerEncoder):
        views.save(folder)
        return TransformerEncoder(folder, tower.settings)
    else:
        _copy(tower, folder)
        return tower
    return open_encoder(folder)


def _copy(tower: Encoder, folder: Path) -> None:
    source = getattr(tower, "folder", None)
    if source is None:
        raise SettingError("this encoder has no folder to be copied", got=type(tower).__name__)
    shutil.copytree(source, folder, dirs_exist_ok=True)


def _pooling(encoder: Encoder) -> str:
    semantic = without_memory(encoder.semantic if isinstance(encoder, CombinedEncoder) else encoder)
    return semantic.settings.pooling if isinstance(semantic, TransformerEncoder) else "mean"

"""Names' vectors kept in the workspace by tower: what is there is not encoded again, what was begun goes on."""

from __future__ import annotations

import hashlib
import logging
import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from medlink import __version__
from medlink.encoder.combined import Tower
from medlink.errors import ArtifactError
from medlink.index.arrays import make_array, map_array
from medlink.index.vectors import check_finite
from medlink.ontology.columns import digest_of
from medlink.store.artifacts import MANIFEST, Facts, Manifest, obtain_artifact, read_manifest, write_artifact

logger = logging.getLogger(__name__)

KIND = "name-vectors.v1"
_VECTORS, _NAMES = "vectors.npy", "names.npy"
# Names that are encoded before they are first written. A chunk that takes less than ``_CHUNK_SECONDS`` is followed by
# one of twice as many names, up to ``_LARGEST``: a slow encoder loses little when it is killed, a quick one is not
# held up by writing.
_CHUNK, _CHUNK_SECONDS, _LARGEST = 8192, 10.0, 1 << 16
_DIGEST = 16  # bytes of a name's hash

Half = NDArray[np.float16]
Keys = NDArray[np.bytes_]


@dataclass(frozen=True, slots=True)
class Shelf:
    """Where the vectors of one tower are kept.

    :param folder: with one artifact for each set of names; other towers' artifacts may lie beside them.
    :param name: how its artifacts' names begin, such as the ontology's.
    :param tower: what encodes.
    """

    folder: Path
    name: str
    tower: Tower

    @property
    def facts(self) -> Facts:
        """What the vectors depend on beside the names."""
        return {"tower": self.tower.encoder.fingerprint, "factor": self.tower.factor}

    def place_of(self, names: Sequence[str]) -> Path:
        """The folder of some names' vectors."""
        facts = f"{self.tower.encoder.fingerprint} {self.tower.factor!r} {digest_of(names)}"
        digest = hashlib.sha256(facts.encode())
        return self.folder / f"{self.name}-{digest.hexdigest()[:16]}"


def obtain_vectors(
    names: Sequence[str], shelf: Shelf, *, chunk: int = _CHUNK, show_progress: bool = False
) -> NDArray[np.float16]:
    """The tower's vectors of some names, memory-mapped, from the workspace if they are there.

    Rows that an artifact of the same tower has for another set of names (an older version of the ontology, another
    branch) are taken from it. Only the others are encoded, and written as they finish: a build that was killed goes on
    where it stopped. What was encoded is used as it is, so somebody who deletes the folder meanwhile costs no work and
    no answer.

    :param names: distinct, normalised.
    :param chunk: names to encode before the first are written.
    :returns: *Shape:* (n_names, width of the tower).
    :raises EncoderError: when a vector is not finite.
    """
    folder = shelf.place_of(names)
    parts = folder.parent / f".{folder.name}.parts"
    built: list[Half] = []

    def fill(target: Path) -> Facts:
        shape = len(names), shelf.tower.encoder.width
        vectors = make_array(target / _VECTORS, shape, np.float16)
        if built:
            vectors[:] = built[0]
        else:
            _fill(vectors, names, _Filling(shelf, parts, chunk, show_progress))
        built[:] = [vectors]
        np.save(target / _NAMES, _keys(names))
        return {"medlink": __version__, "n_names": shape[0], "width": shape[1], "dtype": "float16", **shelf.facts}

    for _ in range(3):
        obtain_artifact(folder, fill, kind=KIND)
        shutil.rmtree(parts, ignore_errors=True)
        try:
            return built[0] if built else map_array(folder / _VECTORS)
        except FileNotFoundError:
            continue  # deleted between check and reading: build it
    raise ArtifactError("the vectors are deleted again and again while they are read", where=str(folder))


@dataclass(frozen=True, slots=True)
class _Filling:
    """How a matrix of vectors is filled.

    :param parts: the folder of what a killed build had encoded; what this one encodes goes there, too.
    """

    shelf: Shelf
    parts: Path
    chunk: int
    show_progress: bool


def _fill(vectors: Half, names: Sequence[str], how: _Filling) -> None:
    """Fills a matrix: from what is kept, else by the encoder."""
    keys = _keys(names)
    missing = np.arange(len(names))
    for source in _sources(how):
        if not len(missing):
            break
        missing = _take(source, vectors, keys, missing)
    # Long names first: those of a chunk are about equally long, and what is left takes less time than it seems.
    missing = missing[np.argsort([-len(names[row]) for row in missing], kind="stable")]
    logger.info("encoding %d of %d names of %s", len(missing), len(names), how.shelf.name)
    with tqdm(total=len(missing), desc="encoding", unit="name", disable=not how.show_progress) as progress:
        for rows in _chunks(missing, how.chunk):
            encoded = how.shelf.tower.encode([names[row] for row in rows]).astype(np.float16)
            check_finite(encoded)
            vectors[rows] = encoded
            _write_part(how, keys[rows], encoded)
            progress.update(len(rows))


def _chunks(rows: NDArray[np.int64], size: int) -> Iterator[NDArray[np.int64]]:
    """The rows in chunks, larger ones when the caller is quick."""
    start = 0
    while start < len(rows):
        began = time.monotonic()
        yield rows[start : start + size]
        start += size
        if time.monotonic() - began < _CHUNK_SECONDS:
            size = min(2 * size, max(size, _LARGEST))


def _write_part(how: _Filling, keys: Keys, encoded: Half) -> None:
    def fill(target: Path) -> Facts:
        np.save(target / _VECTORS, encoded)
        np.save(target / _NAMES, keys)
        return how.shelf.facts

    write_artifact(how.parts / hashlib.sha256(keys.tobytes()).hexdigest()[:16], fill, kind=KIND)


def _sources(how: _Filling) -> Iterator[Path]:
    """Folders with vectors of the tower that are sound: what a killed build left first, then the newest."""
    folders = [*_manifests(how.parts), *sorted(_manifests(how.shelf.folder), key=_age)]
    for path in folders:
        try:
            stated = Manifest.model_validate_json(path.read_bytes()).facts
            if how.shelf.facts.items() <= stated.items():
                read_manifest(path.parent, kind=KIND)
                yield path.parent
        except (ArtifactError, ValueError, FileNotFoundError):
            continue  # damaged or gone: others will do, or the encoder


def _manifests(folder: Path) -> list[Path]:
    return [path for path in folder.glob(f"*/{MANIFEST}") if not path.parent.name.startswith(".")]


def _age(manifest: Path) -> float:
    try:
        return -manifest.stat().st_mtime
    except FileNotFoundError:
        return 0.0


def _take(source: Path, vectors: Half, keys: Keys, missing: NDArray[np.int64]) -> NDArray[np.int64]:
    """Copies what an artifact has of the missing rows, and returns those that it has not."""
    try:
        theirs, kept = np.load(source / _NAMES), np.load(source / _VECTORS, mmap_mode="r")
    except FileNotFoundError:
        return missing
    order: NDArray[np.int64] = np.argsort(theirs, kind="stable")
    places = np.searchsorted(theirs, keys[missing], sorter=order)
    candidates = order[np.minimum(places, len(theirs) - 1)]
    found = theirs[candidates] == keys[missing]
    vectors[missing[found]] = kept[candidates[found]]
    return np.asarray(missing[~found])


def _keys(names: Sequence[str]) -> Keys:
    """A hash of each name, sortable. *Shape:* (n_names,)."""
    digests = b"".join(hashlib.blake2b(name.encode(), digest_size=_DIGEST).digest() for name in names)
    return np.frombuffer(digests, f"S{_DIGEST}")

"""From a lexicon and an encoder to an index, from parts that the workspace keeps."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from medlink import __version__
from medlink.encoder.combined import towers_of
from medlink.encoder.protocol import Encoder
from medlink.errors import ArtifactError
from medlink.index.dense import DenseIndex
from medlink.index.kinds import AUTO, EXACT, KINDS, Choice, choose_kind
from medlink.index.name_index import NameIndex
from medlink.index.ngrams import FEW, NgramIndex
from medlink.index.recall import look_far_enough, measure_ngram_recall
from medlink.index.searchers import ApproximateSearcher, faiss_version
from medlink.index.vectors import NameVectors
from medlink.linking.name_vectors import Shelf, obtain_vectors
from medlink.ontology.columns import digest_of
from medlink.ontology.lexicon import Lexicon
from medlink.store.artifacts import Facts, obtain_artifact
from medlink.store.workspace import Workspace

logger = logging.getLogger(__name__)

NGRAMS_KIND, NEAREST_KIND = "ngrams.v2", "nearest.v2"

Part = TypeVar("Part")


def obtain_index(
    lexicon: Lexicon, encoder: Encoder, workspace: Workspace, *, kind: str = AUTO, show_progress: bool = False
) -> NameIndex:
    """The index of a lexicon's names under an encoder; parts that the workspace lacks are built.

    The n-grams are kept by the names, the vectors by names and tower: an encoder that differs from another in one
    tower shares the other tower's vectors with it. An approximate index is kept by all of them.

    :param kind: one of :data:`medlink.index.kinds.NAMES`.
    :raises SettingError: when there is no such kind.
    """
    names, label = lexicon.names, lexicon.ontology_name
    choice = choose_kind(len(names), kind)
    vectors = name_vectors(names, encoder, workspace, label=label, show_progress=show_progress)
    logger.info("index of %s: %s (%s)", label, choice.name, choice.reason)
    if choice.name == EXACT:
        dense = DenseIndex(vectors)
    else:
        shelves = _shelves(encoder, workspace, label)
        digest = hashlib.sha256(" ".join([choice.name, *(s.place_of(names).name for s in shelves)]).encode())
        folder = workspace.indexes / "nearest" / f"{label}-{digest.hexdigest()[:16]}"
        dense = DenseIndex(vectors, _obtain_searcher(folder, vectors, choice))
    return NameIndex(_obtain_ngrams(lexicon, workspace), dense)


def _obtain_searcher(folder: Path, vectors: NameVectors, choice: Choice) -> ApproximateSearcher:
    def fill(target: Path) -> tuple[ApproximateSearcher, Facts]:
        searcher, recall = look_far_enough(vectors, ApproximateSearcher.build(vectors, KINDS[choice.name]))
        logger.info("it finds %.1f %% of the ten nearest names, by %d queries", 100 * recall.value, recall.n_queries)
        searcher.write(target)
        return searcher, {
            "kind": choice.name,
            "reason": choice.reason,
            "n_names": len(vectors),
            "recall_at_10": recall.value,
            "n_queries": recall.n_queries,
            "depth": searcher.depth,
            "faiss": faiss_version(),
        }

    return _obtain(folder, Making(fill, ApproximateSearcher.write, ApproximateSearcher.read), NEAREST_KIND)


def name_vectors(
    names: Sequence[str], encoder: Encoder, workspace: Workspace, *, label: str, show_progress: bool = False
) -> NameVectors:
    """The encoder's vectors of some names in half precision; those that the workspace has are not encoded again.

    :param names: distinct and normalised.
    :param label: how the names of the folders that keep them begin.
    """
    shelves = _shelves(encoder, workspace, label)
    return NameVectors.of(*(obtain_vectors(names, shelf, show_progress=show_progress) for shelf in shelves))


def _shelves(encoder: Encoder, workspace: Workspace, label: str) -> list[Shelf]:
    return [Shelf(workspace.indexes / "vectors", label, tower) for tower in towers_of(encoder)]


def _obtain_ngrams(lexicon: Lexicon, workspace: Workspace) -> NgramIndex:
    folder = workspace.indexes / "ngrams" / f"{lexicon.ontology_name}-{digest_of(lexicon.names)[:16]}"

    def fill(target: Path) -> tuple[NgramIndex, Facts]:
        index = NgramIndex.build(lexicon.names, target)
        facts: Facts = {"ontology": lexicon.ontology_name, "n_names": index.n_names}
        if index.n_names > FEW:
            recall = measure_ngram_recall(index, lexicon.names)
            facts |= {"recall_at_10": recall.value, "n_queries": recall.n_queries}
        return index, facts

    return _obtain(folder, Making(fill, NgramIndex.write, NgramIndex.read), NGRAMS_KIND)


@dataclass(frozen=True, slots=True)
class Making(Generic[Part]):
    """How a part of an index is made.

    :param fill: builds it and writes it into the folder it is given; the part and the facts for its manifest.
    :param write: writes it again, where somebody deleted the folder meanwhile.
    :param read: the part that a folder holds.
    """

    fill: Callable[[Path], tuple[Part, Facts]]
    write: Callable[[Part, Path], None]
    read: Callable[[Path], Part]


def _obtain(folder: Path, making: Making[Part], kind: str) -> Part:
    """The part in a folder, built there first where it is missing or damaged.

    What was built is used as it is, so somebody who deletes the folder meanwhile costs no work and no answer.
    """
    built: list[tuple[Part, Facts]] = []

    def fill(target: Path) -> Facts:
        if built:
            making.write(built[0][0], target)
        else:
            built.append(making.fill(target))
        return {"medlink": __version__, **built[0][1]}

    for _ in range(3):
        obtain_artifact(folder, fill, kind=kind)
        try:
            return built[0][0] if built else making.read(folder)
        except FileNotFoundError:
            continue  # deleted between check and reading: build it
    raise ArtifactError("a part of an index is deleted again and again while it is read", where=str(folder))

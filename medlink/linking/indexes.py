"""From a lexicon and an encoder to an index, from parts that the workspace keeps."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from medlink import __version__
from medlink.encoder.combined import towers_of
from medlink.encoder.protocol import Encoder
from medlink.errors import ArtifactError
from medlink.index.dense import DenseIndex
from medlink.index.name_index import NameIndex
from medlink.index.ngrams import NgramIndex
from medlink.index.vectors import NameVectors
from medlink.linking.name_vectors import Shelf, obtain_vectors
from medlink.ontology.lexicon import Lexicon
from medlink.store.artifacts import Facts, obtain_artifact
from medlink.store.workspace import Workspace

NGRAMS_KIND = "ngrams.v1"


def obtain_index(lexicon: Lexicon, encoder: Encoder, workspace: Workspace, *, show_progress: bool = False) -> NameIndex:
    """The index of a lexicon's names under an encoder; parts that the workspace lacks are built.

    The n-grams are kept by the names, the vectors by names and tower: an encoder that differs from another in one
    tower shares the other tower's vectors with it.
    """
    vectors = name_vectors(lexicon.names, encoder, workspace, label=lexicon.ontology_name, show_progress=show_progress)
    return NameIndex(_obtain_ngrams(lexicon, workspace), DenseIndex(vectors))


def name_vectors(
    names: Sequence[str], encoder: Encoder, workspace: Workspace, *, label: str, show_progress: bool = False
) -> NameVectors:
    """The encoder's vectors of some names in half precision; those that the workspace has are not encoded again.

    :param names: distinct and normalised.
    :param label: how the names of the folders that keep them begin.
    """
    shelves = [Shelf(workspace.indexes / "vectors", label, tower) for tower in towers_of(encoder)]
    return NameVectors.of(*(obtain_vectors(names, shelf, show_progress=show_progress) for shelf in shelves))


def _obtain_ngrams(lexicon: Lexicon, workspace: Workspace) -> NgramIndex:
    names = hashlib.sha256("\n".join(lexicon.names).encode()).hexdigest()
    folder = workspace.indexes / "ngrams" / f"{lexicon.ontology_name}-{names[:16]}"
    built: list[NgramIndex] = []

    def fill(target: Path) -> Facts:
        if not built:
            built.append(NgramIndex.build(lexicon.names))
        built[0].write(target)
        return {"medlink": __version__, "ontology": lexicon.ontology_name, "n_names": len(lexicon.names)}

    for _ in range(3):
        obtain_artifact(folder, fill, kind=NGRAMS_KIND)
        try:
            return built[0] if built else NgramIndex.read(folder)
        except FileNotFoundError:
            continue  # deleted between check and reading: build it
    raise ArtifactError("the n-grams are deleted again and again while they are read", where=str(folder))

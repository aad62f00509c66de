"""A linker's lexicon and index in one folder, to take along: what a saved spaCy pipeline carries."""

from __future__ import annotations

from pathlib import Path

from medlink.errors import EncoderError
from medlink.index.name_index import NameIndex
from medlink.linking.assemble import make_linker
from medlink.linking.linker import Linker
from medlink.linking.recipe import Recipe
from medlink.ontology.persistence import read_lexicon, write_lexicon
from medlink.store.artifacts import Facts, read_manifest, write_artifact

KIND = "linker.v1"


def write_linker(linker: Linker, folder: Path) -> None:
    """Writes a linker's lexicon and index; the encoder is named by its fingerprint, not copied."""

    def fill(target: Path) -> Facts:
        write_lexicon(linker.lexicon, target)
        return linker.index.write(target) | {"encoder": linker.encoder.fingerprint}

    write_artifact(folder, fill, kind=KIND)


def read_linker(folder: Path, recipe: Recipe) -> Linker:
    """The linker of a folder with the encoder and settings of a recipe; its ontology and workspace are not used.

    :raises ArtifactError: when a file is missing or damaged.
    :raises EncoderError: when the recipe's encoder is not the one that made the index.
    """
    manifest = read_manifest(folder, kind=KIND)
    linker = make_linker(recipe, read_lexicon(folder), NameIndex.read(folder))
    if linker.encoder.fingerprint != manifest.facts["encoder"]:
        raise EncoderError(
            "the encoder is not the one that made the index",
            where=str(folder),
            expected=f"fingerprint {manifest.facts['encoder']}",
            got=f"{linker.encoder.fingerprint} of {recipe.encoder!r}",
            hint="Load the pipeline with the encoder it was saved with.",
        )
    return linker

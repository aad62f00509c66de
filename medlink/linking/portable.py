"""A linker's lexicon, index and release in one folder, to take along: what a saved spaCy pipeline carries."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from medlink.errors import EncoderError
from medlink.index.name_index import NameIndex
from medlink.linking.assemble import make_linker
from medlink.linking.linker import Linker
from medlink.linking.recipe import Recipe
from medlink.ontology.persistence import read_lexicon, write_lexicon
from medlink.store.artifacts import Facts, read_manifest, write_artifact
from medlink.store.release import copy_release, open_release

KIND = "linker.v1"
_RELEASES = "releases"


def write_linker(linker: Linker, folder: Path) -> None:
    """Writes a linker's lexicon and index, and what links depend on of its release.

    Without a release, the encoder is named by its fingerprint and not copied.
    """

    def fill(target: Path) -> Facts:
        write_lexicon(linker.lexicon, target)
        facts: Facts = {"encoder": linker.encoder.fingerprint}
        if linker.release_folder:
            facts["release"] = copy_release(open_release(linker.release_folder), target / _RELEASES).id
        return linker.index.write(target) | facts

    write_artifact(folder, fill, kind=KIND)


def read_linker(folder: Path, recipe: Recipe) -> Linker:
    """The linker of a folder with the settings of a recipe, and its encoder where the folder holds no release.

    The recipe's ontology, workspace and release are not used.

    :raises ArtifactError: when a file is missing or damaged.
    :raises EncoderError: when the recipe's encoder is not the one that made the index.
    """
    manifest = read_manifest(folder, kind=KIND)
    release = manifest.facts.get("release")
    recipe = replace(recipe, release=str(folder / _RELEASES / str(release)) if release else "")
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

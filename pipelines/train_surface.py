"""Trains a surface tower by a recipe and writes it into a folder.

Usage: python -m pipelines.train_surface --recipe pipelines/surface.toml --out FOLDER

The recipe's ontologies are taken from the catalogue, or are paths of OBO files. A run that was broken off goes on when
it is started again.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from medlink.errors import MedlinkError
from medlink.ontology.catalogue import Catalogue, default_folder, load_ontology
from medlink.ontology.lexicon import Lexicon
from medlink.store.workspace import Workspace, default_workspace_root
from medlink.training.surface_recipe import SurfaceRecipe, read_surface_recipe
from medlink.training.surface_run import make_surface_tower


def read_lexicons(recipe: SurfaceRecipe) -> list[Lexicon]:
    """The lexicons of a recipe's ontologies."""
    catalogue = Catalogue([Workspace(default_workspace_root()).ontologies, default_folder()])
    paths = ((source.name, Path(source.name).expanduser()) for source in recipe.ontologies)
    return [Lexicon(load_ontology(path if path.is_file() else catalogue.get(name))) for name, path in paths]


def main(argv: Sequence[str] | None = None) -> int:
    """Trains, writes and reports; 1 where something was wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipe", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args(argv)
    out: Path = arguments.out
    try:
        recipe = read_surface_recipe(arguments.recipe)
        checkpoint = out.with_name(f"{out.name}.checkpoint.safetensors")
        report = make_surface_tower(recipe, read_lexicons(recipe), out, checkpoint=checkpoint, show_progress=True)
    except MedlinkError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(f"{report}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

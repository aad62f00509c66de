"""The two ends of the default encoder's making: pruning what is trained, and putting what was trained together.

Usage: python -m pipelines.open_ontologies
       python -m pipelines.build_encoder prune --out pruned-minilm
       medlink train --recipe pipelines/recipes/surface.toml --out runs/surface
       medlink train --recipe pipelines/recipes/semantic.toml --out runs/semantic --set encoder.name=pruned-minilm
       python -m pipelines.build_encoder assemble --surface runs/surface/encoder --semantic runs/semantic/encoder

The second writes ``medlink/encoder/weights``: both towers, the surface tower's share and a manifest with hashes.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

from medlink import __version__
from medlink.encoder.combined import SEMANTIC, SURFACE, write_weight
from medlink.encoder.default import MINILM
from medlink.encoder.loading import load_encoder
from medlink.encoder.pruning import halve_weights, prune_vocabulary
from medlink.encoder.transformer import TransformerEncoder
from medlink.errors import MedlinkError
from medlink.ontology.catalogue import Catalogue, default_folder
from medlink.store.artifacts import Facts, write_artifact
from medlink.store.workspace import Workspace, default_workspace_root
from medlink.training.run import load_lexicons

ONTOLOGIES = ("mesh", "mondo", "doid", "hpo")
KIND = "default-encoder.v1"
_CARD = Path(__file__).with_name("model_card.md")


def prune(out: Path) -> None:
    """Writes MiniLM without the word pieces that the ontologies' names have fewer than three times."""
    catalogue = Catalogue([Workspace(default_workspace_root()).ontologies, default_folder()])
    names = [name for lexicon in load_lexicons(ONTOLOGIES, catalogue) for name in lexicon.names]
    start = load_encoder(MINILM)
    if not isinstance(start, TransformerEncoder):
        raise TypeError("MiniLM is a transformer")
    n_pieces = prune_vocabulary(start.folder, names, out, least=3)
    sys.stdout.write(f"{n_pieces} word pieces: {out}\n")


def assemble(surface: Path, semantic: Path, weight: float, out: Path) -> None:
    """Writes the two towers, the semantic one in half precision, as one folder."""

    def fill(target: Path) -> Facts:
        (target / SURFACE).mkdir()
        for name in ("config.json", "table.safetensors"):
            shutil.copyfile(surface / name, target / SURFACE / name)
        halve_weights(semantic, target / SEMANTIC)
        write_weight(target, weight)
        shutil.copyfile(_CARD, target / "README.md")
        return {"medlink": __version__, "weight": weight, "surface": "surface.toml", "semantic": "semantic.toml"}

    write_artifact(out, fill, kind=KIND)
    size = sum(path.stat().st_size for path in out.rglob("*") if path.is_file())
    sys.stdout.write(f"{size / 1e6:.1f} MB: {out}\n")


def main() -> int:
    """Does one of both; 1 where something was wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    pruning = commands.add_parser("prune")
    pruning.add_argument("--out", type=Path, required=True)
    assembly = commands.add_parser("assemble")
    assembly.add_argument("--surface", type=Path, required=True)
    assembly.add_argument("--semantic", type=Path, required=True)
    assembly.add_argument("--weight", type=float, default=0.5, help="the surface tower's share")
    assembly.add_argument("--out", type=Path, default=Path("medlink/encoder/weights"))
    arguments = parser.parse_args()
    try:
        if arguments.command == "prune":
            prune(arguments.out)
        else:
            assemble(arguments.surface, arguments.semantic, arguments.weight, arguments.out)
    except MedlinkError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

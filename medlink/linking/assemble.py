"""From a recipe to a lexicon, an index and a linker, each built once and kept in the workspace."""

from __future__ import annotations

import hashlib
from pathlib import Path

from medlink import __version__
from medlink.detection.attributes import SPANS_KEY
from medlink.detection.pipeline import build_detector
from medlink.encoder.loading import load_encoder
from medlink.encoder.protocol import Encoder
from medlink.encoder.transformer import EncoderSettings, fastest_dtype
from medlink.index.name_index import NameIndex
from medlink.linking.annotator import Annotator
from medlink.linking.indexes import obtain_index
from medlink.linking.linker import Linker
from medlink.linking.ranker import default_ranker
from medlink.linking.recipe import Recipe
from medlink.ontology.catalogue import Catalogue, Entry, default_folder, load_ontology, source_path
from medlink.ontology.lexicon import Lexicon, with_names
from medlink.ontology.persistence import normaliser_hash, read_lexicon, write_lexicon
from medlink.store.artifacts import Facts, file_sha256, obtain_artifact
from medlink.store.workspace import Workspace

LEXICON_KIND = "lexicon.v1"


def load_annotator(recipe: Recipe, *, show_progress: bool = False) -> Annotator:
    """The annotator of a recipe; lexicon and index are built where the workspace lacks them."""
    return make_annotator(recipe, load_linker(recipe, show_progress=show_progress))


def make_annotator(recipe: Recipe, linker: Linker) -> Annotator:
    """The annotator of a ready linker; it finds what the linker's lexicon names, and wordings annotators confirmed."""
    names = linker.corrections.new_names(linker.lexicon)
    detector = build_detector(with_names(linker.lexicon, names), settings=recipe.detection)
    return Annotator(detector, linker, spans_key=SPANS_KEY if recipe.detection.nested else None)


def load_linker(recipe: Recipe, *, show_progress: bool = False) -> Linker:
    """The linker of a recipe; lexicon and index are built where the workspace lacks them."""
    return link_to(recipe, load_lexicon(recipe, show_progress=show_progress), show_progress=show_progress)


def link_to(recipe: Recipe, lexicon: Lexicon, *, show_progress: bool = False) -> Linker:
    """The linker to a given lexicon, whatever ontology the recipe names."""
    return make_linker(recipe, lexicon, load_index(lexicon, recipe, show_progress=show_progress))


def make_linker(recipe: Recipe, lexicon: Lexicon, index: NameIndex) -> Linker:
    """The linker of ready parts.

    :param index: of the lexicon's names under the recipe's encoder.
    """
    encoder = _encoder(recipe)
    ranker = default_ranker(len(encoder.towers))
    return Linker(lexicon, index, encoder, ranker, recipe.linking, recipe.corrections)


def load_lexicon(recipe: Recipe, *, show_progress: bool = False) -> Lexicon:
    """The lexicon of a recipe's ontology and branches, from the workspace if it is there, else from the source."""
    return _load(recipe, branches_of(recipe), show_progress=show_progress)


def load_whole_lexicon(recipe: Recipe, *, show_progress: bool = False) -> Lexicon:
    """The lexicon of a recipe's ontology, whatever branches the recipe or the catalogue names."""
    return _load(recipe, (), show_progress=show_progress)


def branches_of(recipe: Recipe) -> tuple[str, ...]:
    """The branches that a recipe keeps of its ontology, its own or the catalogue's; none for all of it."""
    source = _source(recipe)
    return recipe.branches or (() if isinstance(source, Path) else source.branch)


def _source(recipe: Recipe) -> Entry | Path:
    path = Path(recipe.ontology).expanduser()
    catalogue = Catalogue([Workspace(recipe.workspace).ontologies, default_folder()])
    return path if path.is_file() else catalogue.get(recipe.ontology)


def _load(recipe: Recipe, branches: tuple[str, ...], *, show_progress: bool) -> Lexicon:
    source = _source(recipe)
    file = source if isinstance(source, Path) else source_path(source)
    key = _key(_safe_name(file), file_sha256(file), normaliser_hash(), *sorted(branches))
    folder = Workspace(recipe.workspace).lexicons / key

    def fill(target: Path) -> Facts:
        ontology = load_ontology(source, show_progress=show_progress)
        lexicon = Lexicon(ontology).branch(*branches)
        write_lexicon(lexicon, target)
        return {
            "medlink": __version__,
            "ontology": lexicon.ontology_name,
            "version": lexicon.version,
            "content_hash": lexicon.content_hash,
            "n_concepts": len(lexicon.concepts),
            "n_names": len(lexicon.names),
        }

    obtain_artifact(folder, fill, kind=LEXICON_KIND)
    return read_lexicon(folder)


def load_index(lexicon: Lexicon, recipe: Recipe, *, show_progress: bool = False) -> NameIndex:
    """The index of a lexicon's names under a recipe's encoder, from the workspace if it is there, else built."""
    # Names in the fastest number format, as there are many; queries always in the exact one, as links depend on them.
    encoder = _encoder(recipe, dtype=fastest_dtype(recipe.device))
    place = Workspace(recipe.workspace)
    return obtain_index(lexicon, encoder, place, kind=recipe.index, show_progress=show_progress)


def _encoder(recipe: Recipe, *, dtype: str = "float32") -> Encoder:
    settings = EncoderSettings(pooling=recipe.pooling, device=recipe.device, dtype=dtype, n_threads=recipe.n_threads)
    return load_encoder(recipe.encoder, settings)


def _safe_name(file: Path) -> str:
    return "".join(char if char.isalnum() or char in "-_" else "-" for char in file.name.partition(".")[0])


def _key(name: str, *hashes: str) -> str:
    return f"{name}-{hashlib.sha256(' '.join(hashes).encode()).hexdigest()[:16]}"

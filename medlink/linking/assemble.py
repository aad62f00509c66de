"""From a recipe to a lexicon, an index and a linker, each built once and kept in the workspace."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from medlink import __version__
from medlink.detection.attributes import SPANS_KEY
from medlink.detection.name_words import rules_hash, write_name_words
from medlink.detection.pipeline import build_detector
from medlink.encoder.loading import load_encoder
from medlink.encoder.protocol import Encoder
from medlink.encoder.transformer import EncoderSettings, fastest_dtype
from medlink.index.name_index import NameIndex
from medlink.linking.annotator import Annotator
from medlink.linking.indexes import name_vectors, obtain_index
from medlink.linking.linker import Linker
from medlink.linking.parts import parts_of
from medlink.linking.ranker import default_ranker
from medlink.linking.recipe import Recipe
from medlink.linking.remembering import remember
from medlink.ontology.aliases import extended_lexicon
from medlink.ontology.catalogue import Catalogue, Entry, default_folder, load_ontology, source_path
from medlink.ontology.joining import JOINT, join_ontologies
from medlink.ontology.lexicon import Lexicon
from medlink.ontology.persistence import normaliser_hash, read_lexicon, write_lexicon
from medlink.ontology.readers import format_of, hash_source
from medlink.store.artifacts import Facts, Manifest, obtain_artifact
from medlink.store.logged import Run, Target
from medlink.store.vectors import VectorStore
from medlink.store.workspace import Workspace

LEXICON_KIND = "lexicon.v2"


def load_annotator(recipe: Recipe, *, show_progress: bool = False) -> Annotator:
    """The annotator of a recipe; lexicon and index are built where the workspace lacks them."""
    return make_annotator(recipe, load_linker(recipe, show_progress=show_progress))


def make_annotator(recipe: Recipe, linker: Linker) -> Annotator:
    """The annotator of a ready linker; it finds what the ontology names, and wordings that annotators decided alike."""
    lexicon = linker.ontology or linker.lexicon
    names = linker.corrections.new_names(lexicon)
    detector = build_detector(extended_lexicon(lexicon, names), settings=recipe.detection)
    return Annotator(detector, linker, spans_key=SPANS_KEY if recipe.detection.nested else None)


def load_linker(recipe: Recipe, *, show_progress: bool = False) -> Linker:
    """The linker of a recipe; lexicon and index are built where the workspace lacks them."""
    return link_to(recipe, load_lexicon(recipe, show_progress=show_progress), show_progress=show_progress)


def link_to(recipe: Recipe, lexicon: Lexicon, *, show_progress: bool = False) -> Linker:
    """The linker to a given lexicon, whatever ontology the recipe names."""
    return make_linker(recipe, lexicon, load_index(lexicon, recipe, show_progress=show_progress))


def make_linker(recipe: Recipe, lexicon: Lexicon, index: NameIndex) -> Linker:
    """The linker of ready lexicon and index, with the parts of the recipe's release.

    What annotators called by a concept is a name of it from now on, beside the ontology's own.

    :param index: of the lexicon's names under the recipe's encoder.
    :raises ArtifactError: when the release is missing or damaged.
    """
    parts, settings = parts_of(recipe), recipe.linking
    encoder = _encoder(recipe)
    if recipe.remembers:
        encoder = remember(encoder, VectorStore(Workspace(recipe.workspace).vectors))
    aliases = recipe.corrections.aliases(lexicon)
    extended = extended_lexicon(lexicon, aliases)
    linker = Linker(
        extended,
        _extend(index, extended.names[len(lexicon.names) :], recipe),
        encoder,
        parts.ranker or default_ranker(len(encoder.towers)),
        settings if settings.threshold is not None else replace(settings, threshold=parts.settings.threshold),
        corrections=recipe.corrections,
        context=parts.context,
        adapter=parts.adapter,
        release_folder=parts.release,
        ontology=lexicon,
    )
    if recipe.linking.maps:
        _ = linker.equivalents  # an unknown system is told before any note is read
    return linker


def _extend(index: NameIndex, aliases: Sequence[str], recipe: Recipe) -> NameIndex:
    """The index with annotators' wordings behind its names."""
    if not aliases:
        return index
    encoder = _encoder(recipe, dtype=fastest_dtype(recipe.device))
    vectors = name_vectors(aliases, encoder, Workspace(recipe.workspace), label="aliases")
    return index.extended(aliases, vectors.take(np.arange(len(aliases))).astype(np.float32))


def load_lexicon(recipe: Recipe, *, show_progress: bool = False) -> Lexicon:
    """The lexicon of a recipe's ontologies and branches, from the workspace if it is there, else from the source.

    Of joined ontologies, each is cut to the catalogue's branch of it; branches that the recipe names are looked for in
    all of them.
    """
    return _load(recipe, whole=False, show_progress=show_progress)


def describe_run(recipe: Recipe) -> Run:
    """What the links of a recipe depend on, but for the release, which every link names."""
    _, manifest = _obtain_lexicon(recipe)
    facts = manifest.facts
    return Run(
        target=Target(str(facts["ontology"]), branches_of(recipe)),
        release="",
        ontology_version=str(facts["version"]),
        content_hash=str(facts["content_hash"]),
        corrections=recipe.corrections.fingerprint,
        threshold=recipe.linking.threshold,
    )


def load_whole_lexicon(recipe: Recipe, *, show_progress: bool = False) -> Lexicon:
    """The lexicon of a recipe's ontologies, whatever branches the recipe or the catalogue names."""
    return _load(recipe, whole=True, show_progress=show_progress)


def branches_of(recipe: Recipe) -> tuple[str, ...]:
    """The branches that a recipe keeps of its ontologies, its own or the catalogue's; none for all of them."""
    return recipe.branches or tuple(branch for source in _sources(recipe) for branch in _branches(source))


def _sources(recipe: Recipe) -> tuple[Entry | Path, ...]:
    """The ontologies of a recipe: a path, or names and paths with ``+`` between them."""
    catalogue = Catalogue([Workspace(recipe.workspace).ontologies, default_folder()])
    whole = Path(recipe.ontology).expanduser().exists()
    found: list[Entry | Path] = []
    for text in [recipe.ontology] if whole else recipe.ontology.split(JOINT):
        path = Path(text).expanduser()
        is_path = path.is_file() or (path.is_dir() and text not in catalogue)
        found.append(path if is_path else catalogue.get(text))
    return tuple(found)


def _load(recipe: Recipe, *, whole: bool, show_progress: bool) -> Lexicon:
    return read_lexicon(_obtain_lexicon(recipe, whole=whole, show_progress=show_progress)[0])


def _branches(source: Entry | Path) -> tuple[str, ...]:
    return () if isinstance(source, Path) else source.branch


def _obtain_lexicon(recipe: Recipe, *, whole: bool = False, show_progress: bool = False) -> tuple[Path, Manifest]:
    """The folder of a lexicon, made where it is missing, and its manifest."""
    sources = _sources(recipe)
    kept = () if whole else recipe.branches
    cuts = [() if whole or kept else _branches(source) for source in sources]
    marks = [mark for source, cut in zip(sources, cuts, strict=True) for mark in (*_identify(source), *sorted(cut))]
    name = "-".join(_safe_name(_file_of(source)) for source in sources)
    folder = Workspace(recipe.workspace).lexicons / _key(name, normaliser_hash(), rules_hash(), *marks, *sorted(kept))

    def fill(target: Path) -> Facts:
        lexicons = [
            Lexicon(load_ontology(source, show_progress=show_progress)).branch(
                *(cut or kept if len(cuts) == 1 else cut)
            )
            for source, cut in zip(sources, cuts, strict=True)
        ]
        lexicon = lexicons[0]
        if len(lexicons) > 1:
            lexicon = Lexicon(join_ontologies([one.ontology for one in lexicons])).branch(*kept)
        write_lexicon(lexicon, target)
        write_name_words(lexicon, target)
        return {
            "medlink": __version__,
            "ontology": lexicon.ontology_name,
            "version": lexicon.version,
            "content_hash": lexicon.content_hash,
            "n_concepts": len(lexicon.concepts),
            "n_names": len(lexicon.names),
        }

    manifest, _ = obtain_artifact(folder, fill, kind=LEXICON_KIND)
    return folder, manifest


def _file_of(source: Entry | Path) -> Path:
    return source if isinstance(source, Path) else source_path(source)


def _identify(source: Entry | Path) -> tuple[str, ...]:
    """What the concepts of a source depend on: its content, its format and what is chosen about its reading."""
    if isinstance(source, Path):
        return hash_source(source, format_of(source)), format_of(source)
    reading = map(str, sorted(source.options.items()))
    return hash_source(source_path(source), source.format), source.format, *reading


def load_index(lexicon: Lexicon, recipe: Recipe, *, show_progress: bool = False) -> NameIndex:
    """The index of a lexicon's names under a recipe's encoder, from the workspace if it is there, else built."""
    # Names in the fastest number format, as there are many; queries always in the exact one, as links depend on them.
    encoder = _encoder(recipe, dtype=fastest_dtype(recipe.device))
    place = Workspace(recipe.workspace)
    return obtain_index(lexicon, encoder, place, kind=recipe.index, show_progress=show_progress)


def _encoder(recipe: Recipe, *, dtype: str = "float32") -> Encoder:
    """The encoder of names: no adapter is in it."""
    parts = parts_of(recipe)
    settings = EncoderSettings(
        pooling=parts.settings.pooling, device=recipe.device, dtype=dtype, n_threads=recipe.n_threads
    )
    return load_encoder(parts.encoder, settings)


def _safe_name(file: Path) -> str:
    return "".join(char if char.isalnum() or char in "-_" else "-" for char in file.name.partition(".")[0])


def _key(name: str, *hashes: str) -> str:
    return f"{name}-{hashlib.sha256(' '.join(hashes).encode()).hexdigest()[:16]}"

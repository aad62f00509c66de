"""Linking in several processes; their number, their speed and who gets what change nothing in the links."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context

from medlink.linking.annotator import Annotator, windows
from medlink.linking.assemble import load_annotator, load_linker
from medlink.linking.processes import become_worker, map_in_order
from medlink.linking.recipe import Recipe
from medlink.records import Document, LinkedDocument

# The annotator of this process, where it is a worker: loaded once, used for every batch.
_annotator: Annotator | None = None


def annotate(
    documents: Iterable[Document], recipe: Recipe, *, n_workers: int = 1, show_progress: bool = False
) -> Iterator[LinkedDocument]:
    """Each document with its links, in the order of the documents.

    :param n_workers: processes; with 1 the work is done in this one.
    :param show_progress: show a bar while an index is built.
    """
    if n_workers == 1:
        yield from load_annotator(recipe, show_progress=show_progress).annotate(documents)
        return
    load_linker(recipe, show_progress=show_progress)  # builds what is missing, once, before anybody asks for it
    yield from _annotate_in_processes(documents, replace(recipe, n_threads=1), n_workers)


def _annotate_in_processes(documents: Iterable[Document], recipe: Recipe, n_workers: int) -> Iterator[LinkedDocument]:
    # Started afresh, not forked: torch's and faiss's threads do not survive a fork.
    with ProcessPoolExecutor(n_workers, get_context("spawn"), _start_worker, (recipe,)) as pool:
        batches = windows(documents, n_each=n_workers)
        for linked in map_in_order(pool, _annotate_batch, batches, n_workers=n_workers):
            yield from linked


def _start_worker(recipe: Recipe) -> None:
    global _annotator
    become_worker()
    _annotator = load_annotator(recipe)


def _annotate_batch(documents: list[Document]) -> list[LinkedDocument]:
    if _annotator is None:
        raise RuntimeError("a worker was asked before it was started")
    return _annotator.annotate_batch(documents)

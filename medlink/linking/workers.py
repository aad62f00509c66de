"""Linking in several processes; their number, their speed and who gets what change nothing in the links."""

from __future__ import annotations

import os
import signal
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context, parent_process

from medlink.linking.annotator import Annotator, windows
from medlink.linking.assemble import load_annotator, load_linker
from medlink.linking.recipe import Recipe
from medlink.records import Document, LinkedDocument

# Batches that wait for each worker: enough that none idles, few enough that memory stays small.
_WAITING = 3

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
    waiting: deque[Future[list[LinkedDocument]]] = deque()
    # Started afresh, not forked: torch's and faiss's threads do not survive a fork.
    with ProcessPoolExecutor(n_workers, get_context("spawn"), _start_worker, (recipe,)) as pool:
        try:
            for batch in windows(documents, n_each=n_workers):
                waiting.append(pool.submit(_annotate_batch, batch))
                if len(waiting) >= _WAITING * n_workers:
                    yield from waiting.popleft().result()
            while waiting:
                yield from waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def _start_worker(recipe: Recipe) -> None:
    global _annotator
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which then ends its workers
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _annotator = load_annotator(recipe)


def _end_with_parent() -> None:
    """Ends this process when its parent is gone: one that was killed cannot end its workers itself."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _annotate_batch(documents: list[Document]) -> list[LinkedDocument]:
    if _annotator is None:
        raise RuntimeError("a worker was asked before it was started")
    return _annotator.annotate_batch(documents)

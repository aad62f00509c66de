"""Work in several processes, whose number and speed change nothing in what comes out."""

from __future__ import annotations

import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future
from multiprocessing import parent_process
from typing import TypeVar

Job = TypeVar("Job")
Result = TypeVar("Result")

# Jobs that wait for each worker: enough that none idles, few enough that memory stays small.
_WAITING = 3


def map_in_order(
    pool: Executor, work: Callable[[Job], Result], jobs: Iterable[Job], *, n_workers: int
) -> Iterator[Result]:
    """The result of each job, in the order of the jobs, of which a few are asked for ahead."""
    waiting: deque[Future[Result]] = deque()
    try:
        for job in jobs:
            waiting.append(pool.submit(work, job))
            if len(waiting) >= _WAITING * n_workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        for future in waiting:
            future.cancel()


def become_worker() -> None:
    """Leaves Ctrl-C to the parent, which then ends its workers, and ends with it, also when it is killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)

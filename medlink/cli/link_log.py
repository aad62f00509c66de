"""The link log for commands that link."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import partial

import click

from medlink.errors import StoreError
from medlink.linking.recipe import Recipe
from medlink.records import LinkedDocument
from medlink.store.link_log import LinkLog
from medlink.store.log_writers import Recorder
from medlink.store.workspace import Workspace

logger = logging.getLogger(__name__)

_NOT_RECORDED = "not all links of this run are in the link log, and 'medlink relink' will miss them: %s"

log_option = click.option(
    "--no-log",
    "is_logged",
    is_flag=True,
    flag_value=False,
    default=True,
    help="Do not record the links in the workspace's link log, from which 'medlink relink' brings them up to date: "
    "ids of the notes, and surface, place, section heading and concept of each mention; no other text.",
)


def recorded(linked: Iterable[LinkedDocument], recipe: Recipe) -> Iterator[LinkedDocument]:
    """The documents, which are recorded on their way.

    A log that fails is named once, and the links go on without it: they are what the user asked for.
    """
    with ExitStack() as stack:
        recorder = _open(recipe, stack)
        for document in linked:
            recorder = recorder and _attempt(partial(recorder.add, document), recorder)
            yield document
        if recorder:
            _attempt(recorder.flush, recorder)


def _open(recipe: Recipe, stack: ExitStack) -> Recorder | None:
    from medlink.linking.assemble import describe_run  # brings in spaCy and torch, which --help does not need

    run, path = describe_run(recipe), Workspace(recipe.workspace).link_log
    try:
        return stack.enter_context(LinkLog.open(path)).recorder(run, datetime.now(UTC))
    except StoreError as error:
        logger.warning(_NOT_RECORDED, error)
        return None


def _attempt(write: Callable[[], None], recorder: Recorder) -> Recorder | None:
    """The recorder after some writing; ``None`` when it failed."""
    try:
        write()
    except StoreError as error:
        logger.warning(_NOT_RECORDED, error)
        return None
    return recorder

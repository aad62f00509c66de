"""Annotation files of any tool on their way into the ledger: each with its hash and its records."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from medlink.curation.intake import Incoming
from medlink.errors import CorpusFormatError
from medlink.formats.annotations import AUTO, open_batches
from medlink.formats.batch_files import READ_ERRORS, BatchFile
from medlink.records import LinkedDocument


def open_incoming(
    paths: Iterable[Path], *, format: str = AUTO, baseline: Mapping[str, LinkedDocument] | None = None
) -> Iterator[Incoming]:
    """The files that are named, in folders and archives too; each is to be read before the next is asked for.

    What cannot be read holds a single record, the reason, so that the others are taken in all the same.

    :param format: a key of :data:`medlink.formats.annotations.READERS`; by default each file's content tells.
    :param baseline: what was exported, for tools that keep no record of it.
    :raises UnknownNameError: when no format has that name.
    """
    for path in paths:
        for batch in open_batches(path, format, baseline=baseline):
            yield Incoming(batch.name, "" if batch.file is None else _sha256(batch.file), batch.records)


def _sha256(file: BatchFile) -> str:
    """The hex sha256 of a file's content; empty where it cannot be read, which its reader will say."""
    try:
        with file.open() as stream:
            digest = hashlib.sha256()
            while piece := stream.read(1 << 20):
                digest.update(piece)
            return digest.hexdigest()
    except (CorpusFormatError, *READ_ERRORS):
        return ""

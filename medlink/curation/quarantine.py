"""Quarantine: a file of the records that could not be taken in, each with its place and reason, to be mended."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from medlink.curation.checks import Refused
from medlink.errors import LedgerError
from medlink.formats.annotation_jsonl import dump_annotation, dump_rejected
from medlink.records import Rejected


class Quarantine:
    """The quarantine file of one import, a context manager; without a refused record there is none.

    Its name comes from its content: the same refused records give the same file, and one that somebody is mending is
    not written over. Only its owner may read it, as it holds text of notes.

    :param folder: of the workspace's quarantine; ``None`` only counts.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._partial: Path | None = None
        self._stream: BinaryIO | None = None
        self._digest = sha256()
        self.n_records = 0
        self.path: Path | None = None

    def add(self, record: Refused | Rejected) -> None:
        """Puts a record in.

        :raises LedgerError: when the file cannot be written.
        """
        self.n_records += 1
        if self._folder is None:
            return
        if isinstance(record, Refused):
            line = dump_annotation(record.annotation, quarantined=record.reason)
        else:
            line = dump_rejected(record)
        data = line.encode(errors="replace") + b"\n"
        self._digest.update(data)
        with self._errors():
            self._open(self._folder).write(data)

    def finish(self) -> None:
        """Makes the file durable and gives it its name; to be called before anything is committed.

        :raises LedgerError: when the file cannot be written.
        """
        if self._stream is None or self._partial is None:
            return
        path = self._partial.with_name(f"{self._digest.hexdigest()[:16]}.jsonl")
        with self._errors():
            self._stream.flush()
            os.fsync(self._stream.fileno())
            self._stream.close()
            if not path.exists():
                self._partial.replace(path)
        self.path = path

    def __enter__(self) -> Quarantine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._stream is not None:
            with suppress(OSError):  # what a full disk did not take
                self._stream.close()
        if self._partial is not None:
            with suppress(FileNotFoundError):
                self._partial.unlink()

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise LedgerError(
                "the quarantine file cannot be written",
                where=str(self._folder),
                got=error.strerror or type(error).__name__,
                hint="Nothing of this run was recorded.",
            ) from error

    def _open(self, folder: Path) -> BinaryIO:
        if self._stream is None:
            folder.mkdir(parents=True, exist_ok=True)
            self._partial = folder / f".{os.getpid()}.partial"
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
            self._stream = os.fdopen(os.open(self._partial, flags, 0o600), "wb")
        return self._stream

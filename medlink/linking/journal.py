"""The journal of a run: what is linked so far, so that an interrupted run can go on where it stopped."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from medlink.errors import SettingError
from medlink.formats.links_json import dump_line, parse_line
from medlink.records import Document, LinkedDocument

_LINES = "links.jsonl"
_RUN = "run.json"


class Journal:
    """A folder beside the output with every linked note of an unfinished run, one line each, and what run it is.

    It holds the notes' text, like the notes themselves, and is removed when the run is complete.

    :param out: the output that the run will write.
    :param run: what the links depend on: equal for two runs that may continue each other.
    """

    def __init__(self, out: Path, run: Mapping[str, str]) -> None:
        self.folder = out.with_name(f".{out.name}.unfinished")
        self._run = dict(run)

    def start(self, *, resume: bool) -> int:
        """Makes the journal ready and returns how many notes it holds already.

        :param resume: keep what an unfinished run of the same kind left; otherwise begin with none.
        :raises SettingError: when what was left belongs to another run.
        """
        if not (resume and self.folder.is_dir()):
            shutil.rmtree(self.folder, ignore_errors=True)
            self.folder.mkdir(parents=True)
            (self.folder / _RUN).write_text(json.dumps(self._run, indent=2), encoding="utf-8")
        self._check_run()
        return self._drop_torn_line()

    def complete(
        self,
        documents: Iterable[Document],
        annotate: Callable[[Iterable[Document]], Iterator[LinkedDocument]],
        *,
        n_done: int,
    ) -> Iterator[LinkedDocument]:
        """Every document with its links, in order: the first ``n_done`` from the journal, the others linked now.

        :raises SettingError: when the journal's notes are not the first of the documents.
        """
        stream = iter(documents)
        for kept in self._first(n_done):
            document = next(stream, None)
            if document != kept.document:
                raise SettingError(
                    "the notes have changed since the run was interrupted",
                    where=str(self.folder),
                    expected=f"note {kept.document.id!r} as it was",
                    hint="Run again without --resume.",
                )
            yield kept
        with (self.folder / _LINES).open("a", encoding="utf-8", newline="\n") as lines:
            for linked in annotate(stream):
                lines.write(dump_line(linked, with_text=True) + "\n")
                lines.flush()
                yield linked

    def read(self) -> Iterator[LinkedDocument]:
        """All notes of the journal, one at a time."""
        with (self.folder / _LINES).open(encoding="utf-8", newline="\n") as lines:
            for line in lines:
                yield parse_line(line)

    def remove(self) -> None:
        """Removes the journal; the run is complete."""
        shutil.rmtree(self.folder)

    def _first(self, n_lines: int) -> Iterator[LinkedDocument]:
        if n_lines:
            for _, linked in zip(range(n_lines), self.read(), strict=False):
                yield linked

    def _check_run(self) -> None:
        try:
            before = json.loads((self.folder / _RUN).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            before = {}
        changed = sorted(key for key in before.keys() | self._run.keys() if before.get(key) != self._run.get(key))
        if changed:
            raise SettingError(
                "the interrupted run was another one",
                where=str(self.folder),
                got=f"other values of {', '.join(changed)}",
                hint="Run again with the settings of that run, or without --resume.",
            )

    def _drop_torn_line(self) -> int:
        """Cuts off a last line that was not written to its end; the number of whole lines."""
        path = self.folder / _LINES
        path.touch()
        n_lines, whole = 0, 0
        with path.open("rb+") as lines:
            for line in lines:
                if line.endswith(b"\n"):
                    n_lines += 1
                    whole += len(line)
            lines.truncate(whole)
        return n_lines

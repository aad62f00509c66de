"""JSON Lines output: one canonical line per note, NIL mentions with ``"concept_id":null``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import BinaryIO

from medlink.formats.links_json import dump_line
from medlink.records import LinkedDocument


def write_jsonl(links: Iterable[LinkedDocument], stream: BinaryIO) -> None:
    """One UTF-8 line per note, with its text, so that the file alone can be read back or written in another format.

    Constant memory. The fields ``id`` and ``text`` are those that :func:`medlink.formats.notes.read_notes` reads.
    """
    for linked in links:
        stream.write(dump_line(linked, with_text=True).encode() + b"\n")

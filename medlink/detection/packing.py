"""A folder as bytes and back: what spaCy asks of components that keep files."""

from __future__ import annotations

from pathlib import Path

import srsly

from medlink.errors import ArtifactError


def pack_folder(folder: Path) -> bytes:
    """The files of a folder and below, in one string of bytes; the same files give the same bytes."""
    files = {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()
    }
    packed: bytes = srsly.msgpack_dumps(files)
    return packed


def unpack_folder(data: bytes, folder: Path) -> None:
    """Writes the files that :func:`pack_folder` packed into a folder.

    :raises ArtifactError: when a file would land outside of the folder.
    """
    files: dict[str, bytes] = srsly.msgpack_loads(data)
    for relative, content in files.items():
        path = folder / relative
        if not path.resolve().is_relative_to(folder.resolve()):
            raise ArtifactError("a packed file points out of its folder", got=repr(relative))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)

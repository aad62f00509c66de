"""Folders as bytes: whole round trips, and nothing lands outside."""

from __future__ import annotations

from pathlib import Path

import pytest
import srsly
from hypothesis import given
from hypothesis import strategies as st

from medlink.detection.packing import pack_folder, unpack_folder
from medlink.errors import ArtifactError

NAMES = st.text("abc", min_size=1, max_size=4)


@given(st.dictionaries(st.tuples(NAMES, NAMES), st.binary(max_size=50), max_size=6))
def test_unpack_restores_what_was_packed(
    tmp_path_factory: pytest.TempPathFactory, files: dict[tuple[str, str], bytes]
) -> None:
    folder = tmp_path_factory.mktemp("packing")
    for (parent, name), content in files.items():
        (folder / "a" / f"{parent}.d").mkdir(parents=True, exist_ok=True)
        (folder / "a" / f"{parent}.d" / name).write_bytes(content)
    (folder / "a").mkdir(exist_ok=True)
    packed = pack_folder(folder / "a")
    unpack_folder(packed, folder / "b")
    for (parent, name), content in files.items():
        assert (folder / "b" / f"{parent}.d" / name).read_bytes() == content
    assert pack_folder(folder / "b") == packed


@pytest.mark.parametrize("name", ["../out", "/out", "a/../../out"])
def test_unpack_refuses_to_leave_the_folder(tmp_path: Path, name: str) -> None:
    with pytest.raises(ArtifactError, match="out of its folder"):
        unpack_folder(srsly.msgpack_dumps({name: b"x"}), tmp_path / "in")
    assert not (tmp_path / "out").exists()

"""The shared documents in every format that a person can review, byte for byte."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.formats.regenerate import GOLDEN, NAMES, write_golden

FILES = sorted(path.relative_to(GOLDEN) for path in GOLDEN.rglob("*") if path.is_file())


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("written")
    write_golden(folder)
    return folder


def test_golden_covers_every_file(written: Path) -> None:
    assert FILES == sorted(path.relative_to(written) for path in written.rglob("*") if path.is_file())
    assert len(FILES) > len(NAMES)


@pytest.mark.parametrize("name", FILES, ids=str)
def test_write_links_matches_golden(written: Path, name: Path) -> None:
    assert (written / name).read_bytes().decode() == (GOLDEN / name).read_bytes().decode()

"""Writes the golden files anew: ``python -m tests.formats.regenerate``, then read the diff."""

from __future__ import annotations

import shutil
from pathlib import Path

from medlink.formats.writers import write_links
from tests.formats.samples import DOCUMENTS

GOLDEN = Path(__file__).parent / "golden"
NAMES = {"jsonl": "links.jsonl", "csv": "links.csv", "pubtator": "links.pubtator", "brat": "brat"}


def write_golden(folder: Path) -> None:
    """The shared documents in each format whose output a person can review."""
    for format, name in NAMES.items():
        write_links(DOCUMENTS, folder / name, format=format)


if __name__ == "__main__":
    shutil.rmtree(GOLDEN, ignore_errors=True)
    write_golden(GOLDEN)

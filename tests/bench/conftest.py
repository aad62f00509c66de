"""Benchmarks in the tests write their figures elsewhere."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file that takes the place of ``results.jsonl``."""
    path = tmp_path / "results.jsonl"
    monkeypatch.setattr("pipelines.bench.results.RESULTS", path)
    return path

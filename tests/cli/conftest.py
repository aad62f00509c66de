from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from medlink.cli.main import main

Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Runs a command in a workspace of the test's own."""

    def invoke(*arguments: str | Path, code: int = 0) -> Result:
        result = CliRunner().invoke(main, [*map(str, arguments), "--workspace", str(tmp_path / "workspace")])
        assert result.exit_code == code, result.output
        return result

    return invoke

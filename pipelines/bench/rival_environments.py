"""Environments of the tools that medlink is measured beside: one each, so that no pin disturbs another."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from medlink.store.workspace import default_workspace_root

RIVALS_VARIABLE = "MEDLINK_BENCH_RIVALS"

_ROOT = Path(__file__).parents[2]
_STAMP = "installed.txt"
_REASON_LINES = 4
_HIDDEN = frozenset({"PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV"})


class NotInstalledError(Exception):
    """A tool's environment cannot be made; the text is the end of what pip said."""


def rivals_folder() -> Path:
    """Where the environments and the tools' own indexes are kept: $MEDLINK_BENCH_RIVALS, else in the workspace."""
    root = os.environ.get(RIVALS_VARIABLE)
    return Path(root) if root else default_workspace_root() / "bench-rivals"


def make_environment(name: str, requirements: Sequence[str]) -> Path:
    """The interpreter of an environment with what is required, made where it is missing or was made of something else.

    :param requirements: as pip takes them.
    :raises NotInstalledError: when pip cannot install them.
    """
    folder = rivals_folder() / name
    python, stamp = folder / "bin" / "python", folder / _STAMP
    wanted = "".join(f"{requirement}\n" for requirement in requirements)
    if stamp.is_file() and stamp.read_text(encoding="utf-8") == wanted:
        return python
    subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *requirements]
    result = subprocess.run(pip, capture_output=True, text=True, check=False)
    if result.returncode:
        said = [line.strip() for line in result.stderr.splitlines() if line.strip() and "WARNING" not in line]
        raise NotInstalledError(" ".join(said[-_REASON_LINES:]) or f"pip ended with {result.returncode}")
    stamp.write_text(wanted, encoding="utf-8")
    return python


def run_inside(python: Path, module: str, *arguments: str) -> None:
    """Runs a module of pipelines.bench.rivals with an environment's interpreter.

    :raises subprocess.CalledProcessError: when it fails.
    """
    environment = {key: value for key, value in os.environ.items() if key not in _HIDDEN} | {"PYTHONHASHSEED": "0"}
    command = [str(python), "-m", f"pipelines.bench.rivals.{module}", *arguments]
    subprocess.run(command, check=True, env=environment, cwd=_ROOT)

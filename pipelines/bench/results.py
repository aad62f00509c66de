"""One JSON line for each measured figure, with all that is needed to measure it again."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

RESULTS = Path(__file__).with_name("results.jsonl")
DATA_VARIABLE = "MEDLINK_BENCH_DATA"

Value = str | int | float | bool | None


def bench_data() -> Path:
    """The folder of the benchmark corpora; ends the program with a message where the variable is not set."""
    root = os.environ.get(DATA_VARIABLE)
    if not root or not Path(root).is_dir():
        sys.exit(f"Set {DATA_VARIABLE} to the folder with the benchmark corpora; got {root!r}.")
    return Path(root)


def append_result(bench: str, **figures: Value) -> None:
    """Appends one line: the figures and setting given, and commit, machine and time."""
    line = {
        "bench": bench,
        **figures,
        "commit": _git("rev-parse", "--short", "HEAD") + ("+" if _git("status", "--porcelain") else ""),
        "machine": f"{_processor()}, {os.cpu_count()} cores",
        "python": platform.python_version(),
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    with RESULTS.open("a", encoding="utf-8") as stream:
        stream.write(json.dumps(line) + "\n")


def _git(*arguments: str) -> str:
    result = subprocess.run(["git", *arguments], capture_output=True, text=True, check=False, cwd=RESULTS.parent)
    return result.stdout.strip()


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()

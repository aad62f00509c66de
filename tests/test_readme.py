"""The README: its commands exist, its code runs, and its shown output is what comes out."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from medlink.cli.main import main
from medlink.evaluation.systems import EXACT, MEDLINK, MEDLINK_DOCUMENT, TF_IDF
from tests.cli.test_commands import COMMANDS

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PYTHON = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
CONSOLE = re.findall(r"```console\n(.*?)```", README, re.DOTALL)


def test_readme_names_every_command() -> None:
    leaves = [path for path, command in COMMANDS.items() if not isinstance(command, click.Group)]
    missing = [" ".join(path) for path in leaves if f"medlink {' '.join(path)}" not in README]
    assert missing == []


def test_readme_names_both_make_targets() -> None:
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert {"demo", "test"} <= set(targets)
    assert "make demo" in README
    assert "make test" in README


def test_readme_links_to_files_that_exist() -> None:
    targets = [target for target in re.findall(r"\]\(([^)#]+)\)", README) if "://" not in target]
    assert targets
    assert [target for target in targets if not (ROOT / target).exists()] == []


def test_readme_measures_with_options_and_rows_that_exist() -> None:
    section = README.partition("## Measure it on your own data")[2].partition("\n## ")[0]
    known = {name for parameter in COMMANDS["evaluate", "link"].params for name in parameter.opts}
    named = set(re.findall(r"--[a-z][a-z-]*", section))
    assert named >= {"--queries", "--names", "--extra-names", "--seen", "--baseline", "--out", "--errors", "--json"}
    assert named <= known
    rows = re.findall(r"^\| `([^`]+)` \|", section, re.MULTILINE)
    assert rows == [EXACT, TF_IDF, "--baseline NAME", MEDLINK, MEDLINK_DOCUMENT]


@pytest.mark.slow
@pytest.mark.parametrize("block", CONSOLE, ids=range(len(CONSOLE)))
def test_readme_commands_print_what_is_shown(
    block: str, hpo_workspace: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("MEDLINK_WORKSPACE", str(hpo_workspace))
    monkeypatch.setenv("COLUMNS", "110")
    (tmp_path / "notes").symlink_to(ROOT / "pipelines" / "examples" / "notes")
    monkeypatch.chdir(tmp_path)
    output = ""
    for line in block.splitlines():
        if line.startswith("$ "):
            command, *arguments = shlex.split(line[2:])
            assert command == "medlink"
            result = CliRunner().invoke(main, arguments)
            assert result.exit_code == 0, result.output
            output = result.output
        else:
            assert line.strip() in output.replace("\u00a0", " "), f"{line!r} is not in\n{output}"


@pytest.mark.slow
@pytest.mark.parametrize("block", PYTHON, ids=range(len(PYTHON)))
def test_readme_code_runs(block: str, hpo_workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEDLINK_WORKSPACE", str(hpo_workspace))
    namespace: dict[str, object] = {}
    code, *shown = re.split(r"^# ", block, flags=re.MULTILINE)
    exec(compile(code, "README.md", "exec"), namespace)  # noqa: S102
    for line in shown:
        assert line.strip() in str(namespace["result"]), f"{line!r} is not in {namespace['result']}"

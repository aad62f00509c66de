"""The other commands, and that every command explains itself."""

from __future__ import annotations

import json
from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner

from medlink.cli.main import main
from medlink.linking.recipe import Recipe


def commands(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    for name, command in group.commands.items():
        yield (*path, name), command
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))


COMMANDS = dict(commands(main))


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_every_command_and_option_has_help(path: tuple[str, ...]) -> None:
    command = COMMANDS[path]
    result = CliRunner().invoke(main, [*path, "--help"])
    assert result.exit_code == 0
    assert command.help
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert parameter.help, f"{' '.join(path)} {parameter.name}"


@pytest.fixture
def options(recipe: Recipe) -> list[str]:
    return ["--ontology", recipe.ontology, "--encoder", recipe.encoder, "--workspace", str(recipe.workspace)]


def test_explain_shows_names_scores_rivals_and_reason(options: list[str]) -> None:
    result = CliRunner().invoke(main, ["explain", "heart attack", *options])
    assert result.exit_code == 0, result.output
    for expected in ("HP:0001658", "heart attack", "lexical", "dense", "Nearest rival", "letter for letter"):
        assert expected in result.output


def test_explain_json_is_complete(options: list[str]) -> None:
    result = CliRunner().invoke(main, ["explain", "kidney cysts", "--json", *options])
    explanation = json.loads(result.stdout)
    assert explanation["concept_id"] == "HP:0000107"
    assert {c["feature"] for c in explanation["contributions"]} >= {"exact", "lexical", "dense"}

"""The catalogue of a workspace, and the options of the commands that look into it."""

from __future__ import annotations

import json
from pathlib import Path

import click

from medlink.ontology.catalogue import Catalogue, Entry, default_folder
from medlink.store.workspace import Workspace, default_workspace_root

workspace_option = click.option(
    "--workspace",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder of your team's ontologies, indexes and releases. Without it, the default workspace.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON for other programs instead of text.")


def open_workspace(workspace: Path | None) -> Workspace:
    """The workspace in a folder, or the default one."""
    return Workspace(workspace or default_workspace_root())


def user_folder(workspace: Path | None) -> Path:
    """The folder of the ontologies that users added to a workspace."""
    return open_workspace(workspace).ontologies


def open_catalogue(workspace: Path | None) -> Catalogue:
    """The catalogue of a workspace: what users added there, and behind it what medlink knows."""
    return Catalogue([user_folder(workspace), default_folder()])


def find_ontology(text: str, workspace: Path | None) -> Entry | Path:
    """What a user names: a file or folder that is there, else an entry of the catalogue.

    :raises UnknownNameError: when it is neither.
    """
    path, catalogue = Path(text).expanduser(), open_catalogue(workspace)
    is_path = path.is_file() or (path.is_dir() and text not in catalogue)
    return path if is_path else catalogue.get(text)


def print_json(value: object) -> None:
    """Writes a value as JSON to standard output."""
    click.echo(json.dumps(value, ensure_ascii=False, indent=2))

"""The commands ``medlink ontology …``: which ontologies there are, what is in them, and bringing in another one."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypedDict, Unpack

import click

from medlink.cli.catalogue import json_option, open_catalogue, print_json, user_folder, workspace_option
from medlink.cli.ontology_diff import diff
from medlink.cli.ontology_formats import formats
from medlink.ontology.addition import AddOptions, add_ontology
from medlink.ontology.catalogue import Entry, load_ontology, source_path
from medlink.ontology.lexicon import Lexicon, Posting
from medlink.ontology.options import parse_pairs
from medlink.ontology.readers import FORMATS


class _How(TypedDict):
    """The options of ``add`` that say how an ontology is added."""

    format: str | None
    reading: tuple[str, ...]
    branch: tuple[str, ...]
    replace: bool


@click.group("ontology")
def ontology() -> None:
    """See which ontologies there are, look into them, and bring in your own."""


ontology.add_command(diff)
ontology.add_command(formats)


@ontology.command("list")
@workspace_option
@json_option
def list_ontologies(workspace: Path | None, as_json: bool) -> None:
    """List the known ontologies, and which of them can be used right now.

    "ready" ones can be linked to. The others are described only, as their licence or size forbids shipping them:
    "medlink ontology show NAME" says where to get one.
    """
    entries = open_catalogue(workspace).entries()
    if as_json:
        print_json([_summary(entry) for entry in entries])
        return
    width = max(len(entry.name) for entry in entries)
    for entry in entries:
        click.echo(f"{entry.name:<{width}}  {'ready ' if entry.source else 'to add'}  {entry.title}")


@ontology.command()
@click.argument("name")
@workspace_option
@json_option
def show(name: str, workspace: Path | None, as_json: bool) -> None:
    """Show one ontology: version, licence, where it comes from, and how much is in it.

    NAME is one of those that "medlink ontology list" shows.
    """
    entry = open_catalogue(workspace).get(name)
    facts = _summary(entry)
    if entry.source:
        facts |= _count(entry)
    if as_json:
        print_json(facts)
        return
    width = max(map(len, facts))
    for key, value in facts.items():
        shown = _show_value(value)
        if shown:
            click.echo(f"{key.replace('_', ' '):<{width}}  {shown}")


@ontology.command()
@click.argument("file", type=click.Path(exists=True, path_type=Path))
@click.option("--name", required=True, help="What the ontology is to be called, for example mondo.")
@click.option(
    "--format",
    type=click.Choice([name for name in FORMATS if name != "icd10cm"]),
    help="How the file is written. Without it, the names of the files, their suffix or first line decide.",
)
@click.option(
    "--option",
    "reading",
    multiple=True,
    metavar="NAME=VALUE",
    help="What is read of it, for example sources=MSH,SNOMEDCT_US. Can be given several times; "
    "'medlink ontology formats' explains the options of each format.",
)
@click.option(
    "--branch",
    multiple=True,
    metavar="ID",
    help="Link only to this concept and those below it, for example HP:0000118. Can be given several times.",
)
@click.option("--replace", is_flag=True, help="Take the place of the ontology of that name that was added before.")
@workspace_option
@json_option
def add(file: Path, name: str, workspace: Path | None, as_json: bool, **how: Unpack[_How]) -> None:
    """Bring an ontology of your own into the workspace.

    FILE is a file, plain or gzipped (.gz), or the folder or zip archive of a release that is several files, such as the
    META folder of the UMLS. A table has a header line and the columns id and name, and if you like synonyms, parents
    (both separated by "|"), type and definition.

    What is used is checked completely and then copied. If a line is wrong, its number is named and nothing is added.
    """
    known = {entry.name: entry for entry in open_catalogue(workspace).entries()}
    options = AddOptions(
        format=how["format"],
        branch=how["branch"],
        options=parse_pairs(how["reading"]),
        described=known.get(name),
        replace=how["replace"],
        show_progress=not as_json,
    )
    entry = add_ontology(file, name, user_folder(workspace), options=options)
    if as_json:
        print_json(_summary(entry))
        return
    click.echo(f"added {entry.name}: {entry.title}, version {entry.version}")
    if not entry.licence:
        click.echo("The file states no licence: make sure that you may use it.")


@ontology.command()
@click.argument("text")
@click.option("--ontology", "name", default="hpo", show_default=True, help="The ontology to look into.")
@click.option(
    "--limit", type=click.IntRange(min=1), default=10, show_default=True, help="How many concepts to show at most."
)
@workspace_option
@json_option
def search(text: str, name: str, limit: int, workspace: Path | None, as_json: bool) -> None:
    """Find concepts by name, by words of a name, or by id.

    TEXT is what you look for: "heart attack", "renal cyst" or HP:0001658. Synonyms count; old ids lead to the concept
    they mean today.
    """
    lexicon = Lexicon(load_ontology(open_catalogue(workspace).get(name)))
    found = lexicon.search(text, limit)
    if as_json:
        print_json([_hit(lexicon, posting) for posting in found])
        return
    for posting in found:
        preferred = lexicon.concepts[posting.concept_id].name
        alias = "" if posting.name.text == preferred else f"  ({posting.name.text}, {posting.name.scope.lower()})"
        click.echo(f"{posting.concept_id}  {preferred}{alias}")
    if not found:
        click.echo(f"nothing found in {name} {lexicon.version}")


def _summary(entry: Entry) -> dict[str, Any]:
    """What the manifest says."""
    return {"ready": entry.source is not None} | entry.model_dump(mode="json", exclude={"source"})


def _count(entry: Entry) -> dict[str, Any]:
    """What the file says."""
    lexicon = Lexicon(load_ontology(entry))
    n_all = len(lexicon.ontology.concepts)
    return {
        "version": lexicon.version,
        "licence_in_file": lexicon.licence,
        "file": str(source_path(entry)),
        "sha256": lexicon.ontology.sha256,
        "concepts": len(lexicon.concepts),
        "obsolete_concepts": n_all - len(lexicon.concepts),
        "names": len(lexicon.names),
        "concepts_in_branch": len(lexicon.branch(*entry.branch).concepts),
    }


def _hit(lexicon: Lexicon, posting: Posting) -> dict[str, str]:
    concept = lexicon.concepts[posting.concept_id]
    return {
        "id": concept.id,
        "name": concept.name,
        "matched": posting.name.text,
        "scope": posting.name.scope,
        "kind": posting.name.kind,
        "definition": concept.definition,
    }


def _show_value(value: str | bool | int | list[str] | dict[str, Any]) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        return "; ".join(f"{key}={_show_value(item)}" for key, item in value.items())
    return ", ".join(value) if isinstance(value, list) else str(value)

"""``medlink ontology formats``: how files may be written, and what may be chosen about their reading."""

from __future__ import annotations

import inspect
import re
from typing import Any

import click

from medlink.cli.catalogue import json_option, print_json
from medlink.ontology.options import ReaderOptions
from medlink.ontology.readers import FORMATS, reader_of

_PARAMETER = re.compile(r":param (?P<name>\w+): (?P<text>.*?)(?=:param |\Z)", re.DOTALL)


@click.command()
@click.argument("name", required=False)
@json_option
def formats(name: str | None, as_json: bool) -> None:
    """Show the formats that ontologies can be read from, and what "add --option" can choose about each.

    NAME is a format, to see only that one.
    """
    if name:
        reader_of(name)  # refuses a name that is none
    shown = {key: known for key, known in FORMATS.items() if name in (None, key)}
    if as_json:
        print_json([{"name": k, "about": v.about, "options": explain_options(v.options)} for k, v in shown.items()])
        return
    width = max(map(len, shown)) + 2
    for key, known in shown.items():
        click.echo(f"{key:<{width}}{known.about}")
        for option in explain_options(known.options):
            default = f" [default: {option['default']}]" if option["default"] else ""
            click.echo(click.wrap_text(f"{option['name']}: {option['help']}{default}", 100, " " * width, " " * width))
    click.echo("Every format also takes version: the release, where the file does not say it.")


def explain_options(model: type[ReaderOptions]) -> list[dict[str, str]]:
    """Each option of a format with its meaning and default; what every format has is left out."""
    meanings = {
        found["name"]: " ".join(found["text"].replace("``", "").split())
        for base in reversed(model.__mro__)
        for found in _PARAMETER.finditer(inspect.getdoc(base) or "")
    }
    return [
        {"name": field, "help": meanings[field], "default": _show(info.default)}
        for field, info in model.model_fields.items()
        if field not in ReaderOptions.model_fields
    ]


def _show(value: Any) -> str:  # noqa: ANN401 - of any type that an option has
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ",".join(value) if isinstance(value, tuple) else str(value)

"""Options that several commands share, and the recipe they make."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import click

from medlink.detection.settings import STYLES, DetectionSettings
from medlink.encoder.default import DEFAULT_ENCODER
from medlink.encoder.transformer import POOLINGS, EncoderSettings
from medlink.errors import SettingError
from medlink.index.kinds import AUTO
from medlink.index.kinds import NAMES as INDEX_KINDS
from medlink.linking.recipe import Recipe, choose_release
from medlink.linking.settings import DEFAULT_THRESHOLD, LinkerSettings
from medlink.ontology.joining import JOINT
from medlink.store.workspace import WORKSPACE_VARIABLE, default_workspace_root

Command = TypeVar("Command", bound=Callable[..., Any])

DEFAULT_POOLING = EncoderSettings().pooling

workspace_option = click.option(
    "--workspace",
    type=click.Path(file_okay=False, path_type=Path),
    help=f"Folder of the ledger, indexes and added ontologies. [default: ${WORKSPACE_VARIABLE}, else the user's data "
    "folder]",
)

memory_option = click.option(
    "--no-cache",
    "remembers",
    is_flag=True,
    flag_value=False,
    default=True,
    help="Neither use nor keep vectors of mentions in the workspace; the links are the same, only slower.",
)

_LINKER_OPTIONS = (
    click.option(
        "--ontology",
        default=("hpo",),
        multiple=True,
        callback=lambda _ctx, _parameter, names: JOINT.join(names),
        show_default="hpo",
        metavar="NAME|FILE",
        help="Ontology to link to: a name that `medlink ontology list` shows, a file, or the folder of a release; "
        "several are joined, as hpo+mondo or by giving the option again.",
    ),
    click.option(
        "--branch",
        "branches",
        multiple=True,
        metavar="ID",
        help="Link only to this concept and all below it (may be given several times). [default: the catalogue's]",
    ),
    click.option(
        "--release",
        metavar="ID|base",
        help="Release of the workspace to link with, or 'base' for what ships with medlink. [default: the current one, "
        "see `medlink releases list`; base with --encoder]",
    ),
    click.option(
        "--encoder",
        metavar="NAME|FOLDER",
        help="Encoder of the base: the one that ships with medlink, a folder, or a model's name on the Hugging Face "
        f"hub; not with --release. [default: {DEFAULT_ENCODER}]",
    ),
    click.option(
        "--pooling",
        type=click.Choice(POOLINGS),
        help="How the token vectors of --encoder become one. [default: mean]",
    ),
    click.option(
        "--index",
        type=click.Choice(INDEX_KINDS),
        default=AUTO,
        show_default=True,
        help="How near names are found: auto looks at all of them up to 262,144 names, above that at short codes.",
    ),
    click.option("--device", default="cpu", show_default=True, help="Where the encoder runs: cpu, cuda or mps."),
    workspace_option,
)


_DETECTION_OPTIONS = (
    click.option("--nested", is_flag=True, help="Also keep mentions inside longer ones, as HPO GSC annotates them."),
    click.option(
        "--ner",
        metavar="PIPELINE",
        help="Take the mentions of this spaCy pipeline instead of the ontology's names; 'default' adds those of "
        "medlink's own recogniser of diseases and chemicals to the ontology's names.",
    ),
    click.option(
        "--style",
        type=click.Choice(STYLES),
        default=DetectionSettings().style,
        show_default=True,
        help="With --ner default: the corpus whose idea of a disease it follows; in bc5cdr symptoms are diseases too.",
    ),
    click.option(
        "--keep",
        default=DetectionSettings().keep,
        show_default=True,
        type=click.FloatRange(0, 1),
        help="Leave out a span that is less likely to be a mention: higher for precision, lower for recall.",
    ),
)


def detection_options(command: Command) -> Command:
    """The command with the options that say what finds the mentions, and which of them are kept."""
    for option in reversed(_DETECTION_OPTIONS):
        command = option(command)
    return command


def make_detection(options: Mapping[str, Any]) -> DetectionSettings:
    """The settings that the values of :func:`detection_options` describe."""
    return DetectionSettings(nested=options["nested"], ner=options["ner"], style=options["style"], keep=options["keep"])


threshold_option = click.option(
    "--threshold",
    type=click.FloatRange(0, 1),
    help="A mention whose best score is lower stays without a concept. [default: the release's; "
    f"{DEFAULT_THRESHOLD} of base]",
)


def linker_options(command: Command) -> Command:
    """The command with the options that say what to link to, and how."""
    for option in reversed(_LINKER_OPTIONS):
        command = option(command)
    return command


def make_recipe(
    options: dict[str, Any], *, detection: DetectionSettings | None = None, linking: LinkerSettings | None = None
) -> Recipe:
    """The recipe that a command's options describe.

    :param options: the values of :func:`linker_options`, by parameter name.
    :raises SettingError: when options contradict each other.
    :raises UnknownNameError: when there is no such release.
    :raises ArtifactError: when the release is damaged, or is current and missing.
    """
    recipe = Recipe(
        workspace=options["workspace"] or default_workspace_root(),
        ontology=options["ontology"],
        branches=tuple(options["branches"]),
        pooling=options["pooling"] or DEFAULT_POOLING,
        index=options["index"],
        device=options["device"],
        detection=detection or DetectionSettings(),
        linking=linking or LinkerSettings(),
        remembers=options.get("remembers", False),
    )
    chosen = choose_release(recipe, options["release"], encoder=options["encoder"])
    if chosen.release and options["pooling"]:
        raise SettingError(
            "a release has a pooling of its own",
            where="--pooling",
            got=f"release {Path(chosen.release).name}",
            hint="Give --release base, or an --encoder.",
        )
    return chosen


def make_baselines(given: Sequence[str], recipe: Recipe) -> dict[str, Recipe]:
    """The recipes of other encoders, by label.

    :param given: each ``NAME``, which is its own label, or ``LABEL=NAME``; a folder with ``=`` in it needs a label.
    :param recipe: what they share with each other.
    :raises SettingError: when one lacks its name, or two have one label.
    """
    baselines: dict[str, Recipe] = {}
    for text in given:
        label, encoder = text.split("=", 1) if "=" in text else (text, text)
        if not (label and encoder) or label in baselines:
            raise SettingError(
                "a baseline needs a label of its own", where="--baseline", expected="LABEL=NAME or NAME", got=text
            )
        baselines[label] = replace(recipe, encoder=encoder, release="")
    return baselines

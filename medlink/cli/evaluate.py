"""``medlink evaluate``: how good the linking is, on gold data of the user's own."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from medlink import __version__
from medlink.cli.evaluate_notes import evaluate_notes_command
from medlink.cli.options import linker_options, make_baselines, make_recipe
from medlink.cli.render import show_report
from medlink.encoder.loading import load_encoder
from medlink.encoder.transformer import POOLINGS
from medlink.errors import SettingError
from medlink.evaluation.biosyn import Query, read_names, read_queries
from medlink.formats.atomic import check_new_file, check_new_folder, new_file
from medlink.linking.recipe import Recipe
from medlink.ontology.lexicon import Lexicon

if TYPE_CHECKING:
    from medlink.evaluation.linking import Evaluation
    from medlink.evaluation.report import Report, Setting
    from medlink.linking.linker import Linker

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group(short_help="Measure how good the linking is.")
def evaluate() -> None:
    """Measure medlink on gold data of your own."""


evaluate.add_command(evaluate_notes_command)


@evaluate.command(name="link", short_help="Measure linking of given mentions.")
@click.option(
    "--queries", required=True, type=_FILE, help="Gold mentions, lines of document||start|end||type||mention||ids."
)
@click.option(
    "--names", type=_FILE, help="Names to link to, lines of ids||name, plain or .gz. [default: the ontology's]"
)
@click.option(
    "--extra-names", type=_FILE, help="More names of the same form, such as those of a training set; needs --names."
)
@click.option(
    "--seen",
    multiple=True,
    type=_FILE,
    help="Gold mentions that were trained on (may be given several times): adds figures of what is not in them.",
)
@click.option(
    "--baseline",
    "baselines",
    multiple=True,
    metavar="[LABEL=]NAME|FOLDER",
    help="Also judge the plain nearest neighbours of this encoder, such as minilm (may be given several times); it "
    "encodes all names.",
)
@click.option(
    "--baseline-pooling",
    type=click.Choice(POOLINGS),
    default="mean",
    show_default=True,
    help="How the baselines' token vectors become one.",
)
@linker_options
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Seed of the bootstrap.")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    help="A new folder for report.md, report.json and report.png.",
)
@click.option(
    "--errors",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File for the mentions that medlink ranks wrongly, tab-separated. It holds their text: keep it as safe as the "
    "notes.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def evaluate_link(**options: Any) -> None:
    """Measure linking of given mentions: exact match, TF-IDF, other encoders and medlink side by side.

    The files have the form of BioSyn. A system answers with names; an answer is right if a concept that bears the name
    is among the gold ids, of alternatives (|) and composites (+) any. "medlink" ranks each mention alone, "medlink +
    document" all mentions of a document together. Intervals hold 95 % of 1,000 bootstrap samples of the documents.
    """
    from medlink.evaluation.report_folder import write_report

    request = _read_request(options)
    report, evaluation, lexicon = _run(request)
    written: list[Path] = []
    if options["out"]:
        written.extend(write_report(report, options["out"]))
    if options["errors"]:
        _write_errors(options["errors"], request.queries, evaluation, lexicon)
        written.append(options["errors"])
    _print(report, written, as_json=options["as_json"])


@dataclass(frozen=True, slots=True)
class _Request:
    """What the user asked for, read and checked before any name is encoded.

    :param names: files of names, the extra ones last; none for the recipe's ontology.
    :param baselines: recipes by the name in the tables.
    """

    queries: tuple[Query, ...]
    seen: tuple[Query, ...] | None
    names: tuple[Path, ...]
    recipe: Recipe
    baselines: Mapping[str, Recipe]
    options: Mapping[str, Any]


def _read_request(options: Mapping[str, Any]) -> _Request:
    from medlink.evaluation.systems import check_baseline_names
    from medlink.linking.parts import parts_of

    if options["extra_names"] and not options["names"]:
        raise SettingError("extra names extend a file of names", where="--extra-names", expected="--names too")
    _check_outputs(options)
    recipe = make_recipe(dict(options))
    baselines = make_baselines(options["baselines"], replace(recipe, pooling=options["baseline_pooling"]))
    check_baseline_names(baselines)
    for name in {parts_of(recipe).encoder, *(baseline.encoder for baseline in baselines.values())}:
        load_encoder(name)  # its weights come later; a wrong name is told now
    return _Request(
        queries=read_queries(options["queries"]),
        seen=tuple(query for path in options["seen"] for query in read_queries(path)) if options["seen"] else None,
        names=tuple(path for path in (options["names"], options["extra_names"]) if path),
        recipe=recipe,
        baselines=baselines,
        options=options,
    )


def _check_outputs(options: Mapping[str, Any]) -> None:
    from medlink.evaluation.chart import import_matplotlib

    if options["out"]:
        check_new_folder(options["out"])
        import_matplotlib()
    if options["errors"]:
        check_new_file(options["errors"])


def _run(request: _Request) -> tuple[Report, Evaluation, Lexicon]:
    # These bring in spaCy and torch, which --help does not need.
    from medlink.evaluation.linking import evaluate_linking
    from medlink.evaluation.report import Report
    from medlink.linking.assemble import link_to, load_lexicon

    if request.names:
        lexicon = Lexicon(read_names(request.names, name="names"))
    else:
        lexicon = load_lexicon(request.recipe, show_progress=True)
    linker = link_to(request.recipe, lexicon, show_progress=True)
    baselines = {label: link_to(recipe, lexicon, show_progress=True) for label, recipe in request.baselines.items()}
    evaluation = evaluate_linking(
        request.queries,
        linker,
        baselines=baselines,
        seen=request.seen,
        seed=request.options["seed"],
        show_progress=True,
    )
    report = Report(_describe(request, linker, baselines), evaluation.systems, evaluation.subsets)
    return report, evaluation, lexicon


def _describe(request: _Request, linker: Linker, baselines: Mapping[str, Linker]) -> Setting:
    from medlink.evaluation.report import EncoderFacts, FileFacts, OntologyFacts, Setting

    options, lexicon = request.options, linker.lexicon

    return Setting(
        medlink=__version__,
        release=linker.release,
        queries=FileFacts.of(options["queries"]),
        n_mentions=len(request.queries),
        n_documents=len({query.doc_id for query in request.queries}),
        names=tuple(FileFacts.of(path) for path in request.names[:1]),
        extra_names=tuple(FileFacts.of(path) for path in request.names[1:]),
        seen=tuple(FileFacts.of(path) for path in options["seen"]),
        ontology=OntologyFacts.of(lexicon),
        encoder=EncoderFacts.of(request.recipe, linker),
        baselines={label: EncoderFacts.of(recipe, baselines[label]) for label, recipe in request.baselines.items()},
        seed=options["seed"],
    )


def _write_errors(path: Path, queries: Sequence[Query], evaluation: Evaluation, lexicon: Lexicon) -> None:
    from medlink.evaluation.mistakes import write_mistakes
    from medlink.evaluation.systems import MEDLINK, MEDLINK_DOCUMENT

    ours = {system: evaluation.judgements[system] for system in (MEDLINK, MEDLINK_DOCUMENT)}
    with new_file(path) as stream:
        write_mistakes(queries, ours, lexicon, stream)


def _print(report: Report, written: Sequence[Path], *, as_json: bool) -> None:
    from medlink.evaluation.report import to_json

    if as_json:
        click.echo(json.dumps({**to_json(report), "written": [str(path) for path in written]}, ensure_ascii=False))
        return
    show_report(report)
    for path in written:
        click.echo(f"wrote {path}")

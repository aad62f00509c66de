"""``medlink evaluate notes``: how good detection and linking are together, on an annotated corpus."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from tqdm import tqdm

from medlink import __version__
from medlink.cli.options import detection_options, linker_options, make_detection, make_recipe, threshold_option
from medlink.cli.render import show_notes_report
from medlink.errors import SettingError
from medlink.formats.atomic import check_new_file, check_new_folder, new_file
from medlink.linking.recipe import Recipe
from medlink.linking.settings import LinkerSettings

if TYPE_CHECKING:
    from medlink.evaluation.annotations import Annotation, Corpus, Problem
    from medlink.evaluation.notes_report import LinkerFacts, NotesReport, NotesSetting
    from medlink.ontology.lexicon import Lexicon

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_SHOWN_PROBLEMS = 5


@click.command(name="notes", short_help="Measure detection and linking together on annotated notes.")
@click.option(
    "--corpus",
    "corpora",
    required=True,
    multiple=True,
    type=click.Path(exists=True, path_type=Path),
    metavar="PATH",
    help="Annotated notes: a PubTator file, a brat folder, or a folder with Text and Annotations (gsc); may be given "
    "several times.",
)
@click.option(
    "--format", "form", required=True, type=click.Choice(["pubtator", "brat", "gsc"]), help="Form of the corpus."
)
@click.option(
    "--type",
    "kinds",
    multiple=True,
    metavar="NAME",
    help="Only annotations of this type of the corpus, such as Disease, count (may be given several times).",
)
@click.option("--documents", type=_FILE, help="Only the documents whose ids this file lists, one a line, count.")
@click.option(
    "--predictions",
    type=_FILE,
    help="Score these predictions of another tool, a PubTator file, instead of running medlink.",
)
@linker_options
@threshold_option
@detection_options
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Seed of the bootstrap.")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    help="A new folder for report.md, report.json and report.png.",
)
@click.option(
    "--errors",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File for every miss with its kind, tab-separated. It holds text of the notes: keep it as safe as these.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def evaluate_notes_command(**options: Any) -> None:
    """Measure detection and linking together: links of whole notes against those that people annotated.

    Prints precision, recall and F at four levels: the concepts of each document; mentions, span and concept both the
    same; spans alone, the same ones or overlapping. Intervals hold 95 % of 1,000 bootstrap samples of the documents.

    Negated mentions count like others, as corpora annotate them too. With --branch, concepts of the ontology outside
    of it count on neither side. Alternative and replaced ids mean today's concept. Lines of the corpus that cannot be
    used are named and left out.
    """
    _check(options)
    corpus = _read_corpus(options)
    report, lexicon = _run(corpus, options)
    written: list[Path] = []
    if options["out"]:
        from medlink.evaluation.report_folder import write_notes_report

        written.extend(write_notes_report(report, options["out"]))
    if options["errors"]:
        from medlink.evaluation.miss_table import write_misses

        with new_file(options["errors"]) as stream:
            write_misses(report.evaluation.misses, lexicon, stream)
        written.append(options["errors"])
    _print(report, written, as_json=options["as_json"])


def _check(options: Mapping[str, Any]) -> None:
    """Refuses what cannot be written before there is any work to lose."""
    from medlink.evaluation.chart import import_matplotlib

    if options["out"]:
        check_new_folder(options["out"])
        import_matplotlib()
    if options["errors"]:
        check_new_file(options["errors"])


@dataclass(frozen=True, slots=True)
class _Read:
    """A corpus as asked for, and with the annotations of all types."""

    asked: Corpus
    every_type: Corpus


def _read_corpus(options: Mapping[str, Any]) -> _Read:
    from medlink.evaluation.corpora import read_corpus

    corpus = read_corpus(options["corpora"], options["form"])
    if options["documents"]:
        corpus = _keep_documents(corpus, options["documents"])
    _show_problems(corpus.problems)
    return _Read(corpus.of_kinds(frozenset(options["kinds"])), corpus)


def _keep_documents(corpus: Corpus, path: Path) -> Corpus:
    asked = set(path.read_text(encoding="utf-8").split())
    missing = asked - {document.id for document in corpus.documents}
    if missing or not asked:
        raise SettingError(
            "not every document that is asked for is in the corpus",
            where=f"--documents {path}",
            expected="ids of the corpus, one a line",
            got=f"{len(missing)} others of {len(asked)}, such as {', '.join(sorted(missing)[:3])}",
        )
    return corpus.of_documents(asked)


def _show_problems(problems: Sequence[Problem]) -> None:
    for problem in problems[:_SHOWN_PROBLEMS]:
        click.echo(f"{'Left out' if problem.lost else 'Note'}: {problem}", err=True)
    if len(problems) > _SHOWN_PROBLEMS:
        click.echo(f"… and {len(problems) - _SHOWN_PROBLEMS} more problems; the report names them all", err=True)


def _run(corpus: _Read, options: Mapping[str, Any]) -> tuple[NotesReport, Lexicon]:
    from medlink.evaluation.concept_map import ConceptMap
    from medlink.evaluation.notes import evaluate_notes, of_kinds
    from medlink.evaluation.notes_report import NotesReport
    from medlink.linking.assemble import branches_of, load_lexicon, load_whole_lexicon

    recipe = make_recipe(
        dict(options),
        detection=make_detection(options),
        linking=LinkerSettings(threshold=options["threshold"]),
    )
    kept = load_lexicon(recipe, show_progress=True)
    whole = load_whole_lexicon(recipe, show_progress=True) if branches_of(recipe) else kept
    if options["predictions"]:
        predictions = _read_predictions(options["predictions"], corpus.asked)
    else:
        predictions = _predict(corpus.asked, recipe, kept)
    evaluation = evaluate_notes(
        corpus.asked,
        of_kinds(predictions.annotations, options["kinds"], corpus.every_type),
        ConceptMap(whole, None if whole is kept else kept),
        seed=options["seed"],
    )
    setting = _describe(options, branches_of(recipe), kept, predictions.linker)
    return NotesReport(setting, evaluation, corpus.asked.problems + predictions.problems), whole


@dataclass(frozen=True, slots=True)
class _Predictions:
    """What is scored.

    :param linker: how medlink made it; ``None`` for another tool's.
    """

    annotations: tuple[Annotation, ...]
    problems: tuple[Problem, ...] = ()
    linker: LinkerFacts | None = None


def _read_predictions(path: Path, corpus: Corpus) -> _Predictions:
    from medlink.evaluation.annotations import Problem
    from medlink.evaluation.pubtator import read_pubtator

    predictions = read_pubtator(path)
    problems = list(predictions.problems)
    found = {document.id: document.text.split() for document in predictions.documents}
    if not found.keys() & {document.id for document in corpus.documents}:
        raise SettingError("predictions for no document of the corpus", where=f"--predictions {path}")
    for document in corpus.documents:
        if document.id not in found:
            problems.append(Problem(str(path), f"no predictions for document {document.id}", lost=False))
        elif found[document.id] != document.text.split():
            problems.append(Problem(str(path), f"another text of document {document.id}", lost=False))
    _show_problems(problems)
    return _Predictions(predictions.annotations, tuple(problems))


def _predict(corpus: Corpus, recipe: Recipe, lexicon: Lexicon) -> _Predictions:
    from medlink.evaluation.annotations import annotations_of
    from medlink.evaluation.notes_report import LinkerFacts
    from medlink.evaluation.report import EncoderFacts
    from medlink.linking.assemble import link_to, make_annotator

    linker = link_to(recipe, lexicon, show_progress=True)
    linked = make_annotator(recipe, linker).annotate(corpus.documents)
    shown = tqdm(linked, desc="linking", unit="note", total=len(corpus.documents), disable=None)
    found = tuple(annotation for document in shown for annotation in annotations_of(document))
    facts = LinkerFacts(
        release=linker.release,
        encoder=EncoderFacts.of(recipe, linker),
        threshold=linker.threshold,
        nested=recipe.detection.nested,
        ner=recipe.detection.ner or "",
        style=recipe.detection.style,
        keep=recipe.detection.keep,
    )
    return _Predictions(found, linker=facts)


def _describe(
    options: Mapping[str, Any], branches: tuple[str, ...], lexicon: Lexicon, linker: LinkerFacts | None
) -> NotesSetting:
    from medlink.evaluation.notes_report import NotesSetting, facts_of
    from medlink.evaluation.report import OntologyFacts

    return NotesSetting(
        medlink=__version__,
        corpus=tuple(map(facts_of, options["corpora"])),
        form=options["form"],
        kinds=tuple(options["kinds"]),
        documents=facts_of(options["documents"]) if options["documents"] else None,
        ontology=OntologyFacts.of(lexicon),
        branches=branches,
        predictions=facts_of(options["predictions"]) if options["predictions"] else None,
        linker=linker,
        seed=options["seed"],
    )


def _print(report: NotesReport, written: Iterable[Path], *, as_json: bool) -> None:
    from medlink.evaluation.notes_report import notes_to_json

    paths = [str(path) for path in written]
    if as_json:
        click.echo(json.dumps({**notes_to_json(report), "written": paths}, ensure_ascii=False))
        return
    show_notes_report(report)
    for path in paths:
        click.echo(f"wrote {path}")

"""``medlink evaluate``: how good the linking is, on gold data of the user's own."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from medlink.cli.options import linker_options, make_recipe
from medlink.evaluation.biosyn import read_names, read_queries
from medlink.evaluation.metrics import Interval, Scores, score_ranks
from medlink.ontology.lexicon import Lexicon

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group(short_help="Measure how good the linking is.")
def evaluate() -> None:
    """Measure medlink on gold data of your own."""


@evaluate.command(name="link", short_help="Measure linking of given mentions.")
@click.option(
    "--queries", required=True, type=_FILE, help="Gold mentions, lines of document||start|end||type||mention||ids."
)
@click.option(
    "--names", type=_FILE, help="Names to link to, lines of ids||name, plain or .gz. [default: the ontology's]"
)
@click.option("--extra-names", type=_FILE, help="More names of the same form, such as those of a training set.")
@linker_options
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
def evaluate_link(queries: Path, names: Path | None, extra_names: Path | None, **options: Any) -> None:
    """Measure linking of given mentions: exact match, TF-IDF and medlink's linker side by side.

    The files have the form of BioSyn. A system answers with names; an answer is right if a concept that bears the
    name is. Intervals hold 95 % of 1,000 bootstrap samples of the documents.
    """
    from medlink.evaluation.ranking import gold_ranks, rank_by_linker, rank_by_ngrams, rank_exactly
    from medlink.linking.assemble import link_to, load_lexicon  # brings in spaCy and torch, which --help does not need

    gold = read_queries(queries)
    recipe = make_recipe(options)
    paths = [path for path in (names, extra_names) if path]
    lexicon = Lexicon(read_names(paths, name="names")) if paths else load_lexicon(recipe, show_progress=True)
    linker = link_to(recipe, lexicon, show_progress=True)
    rankings = {
        "exact": rank_exactly(linker.lexicon),
        "tf-idf": rank_by_ngrams(linker.lexicon, linker.index.ngrams),
        "medlink": rank_by_linker(linker),
    }
    documents = [query.doc_id for query in gold]
    rows = {
        system: score_ranks(gold_ranks(gold, linker.lexicon, ranking, show_progress=True), documents)
        for system, ranking in rankings.items()
    }
    if options["as_json"]:
        setting = {
            "queries": str(queries),
            "names": [str(path) for path in paths],
            "encoder": linker.encoder.fingerprint,
        }
        click.echo(json.dumps({**setting, "systems": {name: asdict(scores) for name, scores in rows.items()}}))
    else:
        _show(rows)


def _show(rows: dict[str, Scores]) -> None:
    table = Table("system", "n", "acc@1", "acc@5", "MRR", box=None, header_style="dim")
    for system, scores in rows.items():
        table.add_row(system, str(scores.n), *map(_cell, (scores.acc1, scores.acc5, scores.mrr)))
    Console(highlight=False).print(table)


def _cell(figure: Interval) -> str:
    return f"{figure.value:.3f} [{figure.low:.3f}, {figure.high:.3f}]"
